"""FROM and WHERE of chunk statements: tables become slots, neighbours are read with their overlap rows.

Rules: the FROM clause keeps its shape; only the tables in it are replaced. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from skyshard.catalog.schema import SUB_CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound, Reference, column_of, columns_of
from skyshard.czar.bind.clauses import Clauses, is_aggregate
from skyshard.czar.bind.ref_match import single
from skyshard.czar.bind.unsteady_functions import is_steady
from skyshard.czar.locate.local_subqueries import nested_references
from skyshard.czar.locate.locality import Locality, Neighbour, top_terms
from skyshard.czar.locate.pair_prefilter import reach_text, windows
from skyshard.czar.plan.chunk_template import Item, KeyList, Slot, Template, slot_mark
from skyshard.czar.plan.key_lists import mark_lists
from skyshard.czar.sql.dialect import render, render_each
from skyshard.czar.sql.tree_nodes import Formula

_ITEMS = "\x03"


class ChunkSource:
    """Writes chunk statements: their FROM and WHERE clauses, and the slots in them; good for one statement."""

    def __init__(
        self,
        bound: Bound,
        block: Block,
        clauses: Clauses,
        locality: Locality,
        lists: Mapping[int, KeyList] | None = None,
    ) -> None:
        self._bound = bound
        self._lists = dict(lists or {})
        self._block = block
        self._neighbours = {neighbour.reference: neighbour for neighbour in locality.neighbours}
        self._pairing = top_terms(block, clauses.where)
        references = [*block.references, *nested_references(bound, block)]
        self._slots = {one.number: self._slot(one, clauses) for one in references if one.table is not None}
        reaching = [number for number, slot in self._slots.items() if slot.reach]
        singles = [single(one) for one in block.references if not one.is_nullable]
        self.where = [*windows(bound, self._pairing, reaching), *(term.copy() for term in clauses.where)]
        self.where += [condition for condition in singles if condition is not None]

    def template(
        self,
        select: exp.Select,
        columns: Mapping[str, exp.Expr],
        *,
        groups: Iterable[tuple[str, exp.Expr]] = (),
        is_distinct: bool = False,
        different: frozenset[str] = frozenset(),
    ) -> Template:
        """The template of a chunk statement: these columns before what :meth:`select` has begun, grouped behind it."""
        has_nested = len(self._slots) > len(self._block.references)
        if has_nested:
            self._mark(select)
        grouped = dict(groups)
        parts = [*columns.values(), *map(not_position, grouped.values())]
        texts = render_each(self._marked_copy(part) for part in parts) if has_nested else render_each(parts)
        items = tuple(_item(name, part, text) for (name, part), text in zip(columns.items(), texts, strict=False))
        by = tuple(Item(name, text) for name, text in zip(grouped, texts[len(items) :], strict=True))
        rest = render(select).partition(_ITEMS)[2]
        return Template(rest, self._slots, items, by, is_distinct, different, self._lists)

    def select(self) -> exp.Select:
        """The FROM and WHERE clauses of a chunk statement, which a caller may add to, with a mark for its items."""
        select = exp.Select(expressions=[Formula(this=_ITEMS)])
        source = self._block.select.args["from_"].copy()
        joins = [join.copy() for join in self._block.select.args.get("joins") or []]
        extra = [self._marked(node, joins) for node in [source, *joins]]
        select.set("from_", source)
        select.set("joins", joins)
        terms = [*(term for part in extra for term in part), *self.where]
        if terms:
            select.set("where", exp.Where(this=exp.and_(*terms, copy=False)))
        if self._lists:
            mark_lists(select)
        return select

    def _marked_copy(self, part: exp.Expr) -> exp.Expr:
        copy = part.copy()
        self._mark(copy)
        return copy

    def _marked(self, tree: exp.Expr, joins: list[exp.Join]) -> list[exp.Expr]:
        """Replace tables by markers; returns the sub-chunk equalities that belong into WHERE."""
        loose: list[exp.Expr] = []
        for table in [node for node in tree.find_all(exp.Table) if REF in node.meta]:
            neighbour = self._neighbours.get(table.meta[REF])
            if neighbour is not None:
                loose += self._tie(table, neighbour)
        self._mark(tree)
        return loose

    def _mark(self, tree: exp.Expr) -> None:
        for table in [node for node in tree.find_all(exp.Table) if REF in node.meta]:
            joined = table.args.get("joins")
            table.replace(exp.Table(this=exp.to_identifier(slot_mark(table.meta[REF]), quoted=False), joins=joined))

    def _tie(self, table: exp.Table, neighbour: Neighbour) -> list[exp.Expr]:
        if not neighbour.is_by_sub_chunk:
            return []
        one, other = (self._bound.references[number] for number in (neighbour.reference, neighbour.of))
        equality = exp.EQ(this=column_of(one, SUB_CHUNK_COLUMN), expression=column_of(other, SUB_CHUNK_COLUMN))
        join = table.parent
        if isinstance(join, exp.Join) and join.args.get("on") is not None:
            join.set("on", exp.and_(equality, join.args["on"], copy=False))
            return []
        return [equality]

    def _slot(self, reference: Reference, clauses: Clauses) -> Slot:
        assert reference.table is not None
        if reference.number not in self._neighbours:
            return Slot(reference.database, reference.table, reference.alias)
        columns = used_columns(self._bound, self._block, clauses, reference.number)
        is_distinct = not self._neighbours[reference.number].is_by_sub_chunk
        tie = reference.key if is_distinct else SUB_CHUNK_COLUMN
        column = reference.find(tie) or tie
        columns = columns if column in columns else (*columns, column)
        condition = "" if reference.is_nullable else render_terms(own_terms(clauses.where, reference.number))
        is_merged = any(join.node.args.get("using") or join.node.args.get("method") for join in self._block.joins)
        reach = "" if is_merged else reach_text(self._bound, self._pairing, reference)
        return Slot(reference.database, reference.table, reference.alias, columns, condition, is_distinct, reach)


def used_columns(bound: Bound, block: Block, clauses: Clauses, number: int) -> tuple[str, ...]:
    """The columns of a reference that its SELECT names, in the table's order."""
    parts: list[exp.Expr] = [
        *clauses.items,
        *clauses.where,
        *clauses.group,
        *(term.expression for term in clauses.order),
    ]
    parts += [clauses.having] if clauses.having is not None else []
    for join in block.joins:
        parts += join.terms
        if join.node.args.get("using") or join.node.args.get("method"):
            return bound.references[number].columns
    named = {column.meta[COLUMN] for part in parts for column in columns_of(part) if column.meta.get(REF) == number}
    return tuple(name for name in bound.references[number].columns if name in named)


def own_terms(terms: Sequence[exp.Expr], number: int) -> list[exp.Expr]:
    """The terms that a single reference decides, which may therefore be asked of its table alone."""
    return [term for term in terms if is_own(term, number)]


def is_own(term: exp.Expr, number: int) -> bool:
    """True when a term names columns of one reference only, and nothing that differs from call to call."""
    columns = list(columns_of(term))
    if not columns or any(column.meta.get(REF) != number for column in columns):
        return False
    return is_steady(term) and not any(
        isinstance(node, (exp.Query, exp.Window)) or is_aggregate(node) for node in term.walk()
    )


def render_terms(terms: Sequence[exp.Expr]) -> str:
    """Text of AND-ed terms; empty if there are none."""
    return render(exp.and_(*(term.copy() for term in terms), copy=False)) if terms else ""


def _item(name: str, part: exp.Expr, text: str) -> Item:
    function = type(part).__name__.upper() if isinstance(part, (exp.Sum, exp.Min, exp.Max)) else ""
    is_plain = function != "" and text.startswith(f"{function}(") and text.endswith(")")
    return Item(name, text, function, text[len(function) + 1 : -1]) if is_plain else Item(name, text)


def not_position(part: exp.Expr) -> exp.Expr:
    """A constant in GROUP BY would be read as a position, or as a column's name."""
    return exp.Anonymous(this="COALESCE", expressions=[part.copy()]) if is_constant(part) else part


def is_constant(part: exp.Expr) -> bool:
    """True where an expression has one value for all rows and groups, as far as its text shows."""
    return not any(part.find_all(exp.Column, exp.Anonymous, exp.Query)) and not any(map(is_aggregate, part.walk()))
