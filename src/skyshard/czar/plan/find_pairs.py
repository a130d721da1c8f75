"""Finds out whether the pairs of a near-neighbour SELECT can be found from positions, and how.

Rules: only by proof. The SELECT has inner joins only and one table read with its overlap; it counts pairs, or asks for
numbers of either side and the separation; its conditions are those of ``pair_conditions``. Anything else is left to the
nodes, with a reason. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.catalog.schema import SUB_CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import Block, Bound, Reference, column_of, columns_of
from skyshard.czar.bind.clauses import Clauses
from skyshard.czar.bind.expand_functions import SEPARATION
from skyshard.czar.locate.locality import Locality, Neighbour
from skyshard.czar.plan.chunk_template import WIDE_SIGNED, WIDE_UNSIGNED, Slot, cast_text
from skyshard.czar.plan.pair_conditions import (
    WHOLE,
    NotNumbers,
    PairConditions,
    Place,
    call_places,
    is_long_unsigned,
    place_of,
    sort_conditions,
    type_of,
)
from skyshard.czar.plan.pair_way import FIRST, JUDGED, SECOND, SEPARATION_OUTPUT, NoPairs, Output, PairSide, PairWay
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.sql.dialect import render
from skyshard.rowimage.sqltype import SqlType

_CASTS = {"bigint": WIDE_SIGNED, "bigint unsigned": WIDE_UNSIGNED}
_NULLS = {"double": "IF(FALSE, 1e0, NULL)", **{kind: cast_text("NULL", cast) for kind, cast in _CASTS.items()}}
"""A NULL of a type: what a row has in the columns of the other side."""


def pairs_of(bound: Bound, block: Block, clauses: Clauses, proof: Locality, pull: Pull) -> PairWay | NoPairs | None:
    """How the pairs of a pull are found, or why the nodes find them; None where there are no pairs."""
    if not proof.neighbours:
        return None
    try:
        is_counted = _is_count(clauses, pull)
        neighbour = _only_neighbour(bound, block, proof)
        conditions = sort_conditions(bound, block, clauses, neighbour.reference)
        return _Maker(bound, block, conditions, neighbour).way([] if is_counted else clauses.items)
    except NotNumbers as why:
        return NoPairs(str(why))


def _is_count(clauses: Clauses, pull: Pull) -> bool:
    """True for a count of pairs, False for plain rows of them.

    Raises:
        NotNumbers: more is asked for.
    """
    template = pull.template
    if template.lists:
        raise NotNumbers("each chunk is asked for its own keys")
    if not clauses.is_grouped:
        if clauses.is_distinct or clauses.having or clauses.order or clauses.limit is not None:
            raise NotNumbers("rows of pairs are sorted, cut or made distinct")
        return False
    if [item.text for item in template.items] != ["COUNT(*)"] or template.groups or not pull.is_single:
        raise NotNumbers("more than COUNT(*) is asked for")
    return True


def _only_neighbour(bound: Bound, block: Block, proof: Locality) -> Neighbour:
    if len(proof.neighbours) > 1:
        raise NotNumbers("several tables are read with their overlap")
    if len(bound.blocks) > 1:
        raise NotNumbers("there is a subquery")
    if any(join.side or not join.is_top for join in block.joins):
        raise NotNumbers("there is an outer join")
    if any(join.node.args.get("using") or join.node.args.get("method") for join in block.joins):
        raise NotNumbers("columns are merged by USING or NATURAL")
    return proof.neighbours[0]


@dataclass(slots=True)
class _Columns:
    """The ``k`` columns: a table's column, and the type in which it travels. Shared rows have each column once."""

    bound: Bound
    is_shared: bool
    places: dict[tuple[int, str], Place] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)

    def number(self, side: int, place: Place) -> int:
        """The number of a column of a side, which is added where it is new."""
        key = (0 if self.is_shared else side, f"{0 if self.is_shared else place[0]}.{place[1]}")
        if key not in self.places:
            self.places[key] = place
            self.kinds.append(_kind(type_of(self.bound, place)))
        return list(self.places).index(key)

    def texts(self, side: int, names: Iterable[Reference]) -> list[str]:
        """The columns as rows of a side have them; NULL where they are the other side's."""
        tables = {one.number: one for one in names}
        made = []
        for index, ((owner, _), place) in enumerate(self.places.items()):
            kind = self.kinds[index]
            reference = next(iter(tables.values())) if self.is_shared else tables.get(place[0])
            is_here = reference is not None and owner in (0, side)
            text = render(column_of(reference, place[1])) if is_here and reference is not None else _NULLS[kind]
            made.append(f"{cast_text(text, _CASTS[kind]) if is_here and kind in _CASTS else text} AS k{index}")
        return made

    def names(self, side: int) -> list[str]:
        """The names of the columns of a side; empty for those of the other."""
        return [place[1] if owner in (0, side) else "" for (owner, _), place in self.places.items()]


@dataclass(frozen=True, slots=True)
class _Maker:
    bound: Bound
    block: Block
    conditions: PairConditions
    neighbour: Neighbour

    @property
    def far(self) -> Reference:
        return self.bound.references[self.neighbour.reference]

    @property
    def near(self) -> list[Reference]:
        return [one for one in self.block.references if one is not self.far]

    def way(self, items: Sequence[exp.Expr]) -> PairWay:
        """The way that gives these items of pairs, or without any their count."""
        if any(one.table is None for one in self.block.references):
            raise NotNumbers("a table is none of the catalog's")
        conditions, columns = self.conditions, _Columns(self.bound, self._is_shared())
        compared = tuple(
            (columns.number(FIRST, one), word, columns.number(SECOND, other))
            for one, word, other in conditions.compared
        )
        outputs = tuple(self._output(columns, item) for item in items)
        near = self._side(self.near, FIRST, columns, conditions.near)
        far = self._side([self.far], SECOND, columns, conditions.far)
        calls = [term for judged in conditions.judged for term in judged.walk() if SEPARATION in term.meta]
        return PairWay(
            near, far, tuple(conditions.limits), self._marked(conditions.judged), self._marked(calls[:1]),
            tuple(columns.kinds), compared, outputs, columns.is_shared, self.neighbour.is_by_sub_chunk,
        )  # fmt: skip

    def _is_shared(self) -> bool:
        """True where both sides are the same rows of one table: the chunk's own rows are then read once."""
        near, names = self.near, [name for _, name in self.conditions.positions]
        if len(near) != 1 or not self.neighbour.is_by_sub_chunk or not _is_one_table(near[0], self.far):
            return False
        return names[:2] == names[2:] and _alike(self.conditions.near) == _alike(self.conditions.far)

    def _output(self, columns: _Columns, item: exp.Expr) -> Output:
        """What an item is of a pair: a number of one side, or the separation."""
        inner = item.unnest()
        if SEPARATION in inner.meta:
            if call_places(inner, self.neighbour.reference) != self.conditions.positions:
                raise NotNumbers("a separation of other positions is asked for")
            return SEPARATION_OUTPUT
        if not isinstance(inner, exp.Column):
            raise NotNumbers("more than plain columns and the separation is asked for")
        place = place_of(inner)
        side = SECOND if place[0] == self.neighbour.reference else FIRST
        return side, columns.number(side, place)

    def _side(self, tables: Sequence[Reference], side: int, columns: _Columns, terms: Sequence[exp.Expr]) -> PairSide:
        positions = self.conditions.positions[:2] if side == FIRST else self.conditions.positions[2:]
        owner = self.neighbour.of if side == FIRST else self.far.number
        items = [f"{self._text(place)} AS p{index}" for index, place in enumerate(positions)]
        is_tied = self.neighbour.is_by_sub_chunk
        items.append(f"{self._text((owner, SUB_CHUNK_COLUMN)) if is_tied else 0} AS p2")
        items += columns.texts(side, tables)
        if not is_tied and side == SECOND:  # copies of a row are one by its key
            items.append(f"{self._text((self.far.number, self.far.key))} AS id")
        slots = tuple(Slot(one.database, one.table, one.alias) for one in tables if one.table is not None)
        where = render(exp.and_(*(term.copy() for term in terms), copy=False)) if terms else ""
        is_whole = is_tied and not where and len(tables) == 1
        names = (*(name for _, name in positions), *columns.names(side)) if is_whole else ()
        return PairSide(slots, ", ".join(items), where, names)

    def _text(self, place: Place) -> str:
        return render(column_of(self.bound.references[place[0]], place[1]))

    def _marked(self, parts: Sequence[exp.Expr]) -> str:
        """AND-ed conditions, or one expression, with marks in place of the positions."""
        marks = dict(zip(self.conditions.positions, JUDGED, strict=True))
        holder = exp.Paren(this=exp.and_(*(part.copy() for part in parts), copy=False))
        for column in list(columns_of(holder)):
            table, _, name = marks[place_of(column)].partition(".")
            column.replace(exp.column(exp.to_identifier(name, quoted=False), exp.to_identifier(table, quoted=False)))
        return render(holder)


def _kind(kind: SqlType) -> str:
    """The type in which a number travels without loss."""
    if kind.base in WHOLE:
        return "bigint unsigned" if is_long_unsigned(kind) else "bigint"
    if kind.base in ("double", "float") and not kind.arguments:
        return "double"
    raise NotNumbers("columns of pairs are asked for that are neither whole numbers nor plain DOUBLEs or FLOATs")


def _is_one_table(one: Reference, other: Reference) -> bool:
    assert one.table is not None
    assert other.table is not None
    return (one.database, one.table.table.name) == (other.database, other.table.table.name)


def _alike(terms: Sequence[exp.Expr]) -> list[str]:
    """Texts of conditions on one table, whatever its alias is."""
    texts = []
    for term in terms:
        holder = exp.Paren(this=term.copy())
        for column in list(columns_of(holder)):
            column.set("table", None)
        texts.append(render(holder))
    return texts
