"""The way of a chunk statement over columns, from the parts of which the plan writes the statement itself.

Rules: only tables whose rows are in one chunk each (directors and dependents), joined by inner joins or not at all.
That the chunks' answers are the answer is proven by the plan (``czar.locate.locality``); as every pair of rows that it
joins is of one chunk, many chunks may be joined at once. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.catalog.layout import Role
from skyshard.catalog.schema import CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound, Reference, columns_of
from skyshard.czar.columns.column_way import ColumnWay, Limits, TableColumns
from skyshard.czar.columns.proof import Prover, all_of
from skyshard.czar.columns.terms import NotProven, Term, as_number, column_term

_LOWER, _UPPER = (exp.GT, exp.GTE, exp.EQ), (exp.LT, exp.LTE, exp.EQ)
_MIRRORED = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ}


@dataclass(frozen=True, slots=True)
class ChunkSelect:
    """What a chunk statement selects: columns by name; those of ``grouping`` are grouped by, the others then are
    aggregates. ``order``: terms, and whether they descend."""

    columns: Mapping[str, exp.Expr]
    where: Sequence[exp.Expr] = ()
    is_grouped: bool = False
    grouping: Collection[str] = ()
    is_distinct: bool = False
    order: Sequence[tuple[exp.Expr, bool]] = ()
    limit: int | None = None


def chunk_way(bound: Bound, block: Block, select: ChunkSelect) -> ColumnWay:
    """The way over columns.

    Raises:
        NotProven: MariaDB has to answer; says why.
    """
    for reference in block.references:
        _require_plain(reference)
    for join in block.joins:
        _require_inner(join.node)
    if select.limit is not None and not select.order:
        raise NotProven("a few rows are enough")
    conditions = [*(term for join in block.joins for term in join.terms), *select.where]
    return _Writer(bound, block.references).way(select, conditions)


def _require_plain(reference: Reference) -> None:
    if reference.table is None or reference.table.layout.role not in (Role.DIRECTOR, Role.DEPENDENT):
        raise NotProven("a table that is neither director nor dependent")


def _require_inner(join: exp.Join) -> None:
    is_plain = str(join.args.get("kind") or "").upper() in ("", "INNER", "CROSS")
    if join.args.get("side") or join.args.get("method") or join.args.get("using") or not is_plain:
        raise NotProven("a join that is not an inner one with ON")


@dataclass(slots=True)
class _Writer:
    bound: Bound
    references: Sequence[Reference]
    read: dict[int, dict[str, None]] = field(default_factory=dict)

    def way(self, select: ChunkSelect, conditions: Sequence[exp.Expr]) -> ColumnWay:
        prover = Prover(self._column)
        where = all_of([prover.truth(term) for term in conditions])
        terms = {name: self._item(prover, select, name, part) for name, part in select.columns.items()}
        items = ", ".join(f"{term.text} AS {name}" for name, term in terms.items())
        source = ", ".join(f"t{reference.number}" for reference in self.references)
        text = f"SELECT {'DISTINCT ' * select.is_distinct}{items} FROM {source}{f' WHERE {where}' if where else ''}"
        groups = [term.text for name, term in terms.items() if name in select.grouping]
        text += f" GROUP BY {', '.join(groups)}" if groups else ""
        if select.limit is not None:
            order = [_sorted(as_number(prover.term(part)), is_down) for part, is_down in select.order]
            text += f" ORDER BY {', '.join(order)} LIMIT {select.limit}"
        checks = tuple(check for node, text in prover.risky if (check := self._check(node, text)))
        limited = () if checks else conditions
        tables = tuple(self._table(reference, limited) for reference in self.references)
        is_limited = select.limit is not None
        is_one_row = select.is_grouped and not groups
        is_condensed = bool(groups) or select.is_distinct or is_limited
        return ColumnWay(tables, text, tuple(dict.fromkeys(checks)), is_limited, is_one_row, is_condensed)

    def _check(self, node: exp.Expr, text: str) -> str:
        """A SELECT of one row where a computed DOUBLE is too large in any row of its table.

        The engine may look at conditions in another order than MariaDB, or at none where a part is NULL for all rows.
        With columns of several tables it depends on any server's order of joins whether it does; there is no check.
        """
        numbers = {column.meta[REF] for column in columns_of(node)}
        return f"SELECT 1 FROM t{numbers.pop()} WHERE NOT isfinite({text}) LIMIT 1" if len(numbers) == 1 else ""

    def _item(self, prover: Prover, select: ChunkSelect, name: str, part: exp.Expr) -> Term:
        if select.is_grouped and name not in select.grouping:
            return as_number(prover.aggregate(part))
        term = as_number(prover.term(part))
        if term.value is not None:
            raise NotProven("a constant")
        is_told_apart = name in select.grouping or select.is_distinct
        is_plain = isinstance(part.unnest(), exp.Column)
        if is_told_apart and not (term.is_whole or is_plain):
            raise NotProven("groups of computed numbers that are not whole")
        return term

    def _column(self, node: exp.Column) -> Term:
        reference = self.bound.reference(node)
        if reference is None or reference.table is None or reference not in self.references:
            raise NotProven("a column of another part of the statement")
        name = str(node.meta[COLUMN])
        kind = next(one.type for one in reference.table.table.columns if one.name == name)
        self.read.setdefault(reference.number, {})[name] = None
        return column_term(f"t{reference.number}", name, kind)

    def _table(self, reference: Reference, conditions: Sequence[exp.Expr]) -> TableColumns:
        names = tuple(self.read.get(reference.number, {})) or (CHUNK_COLUMN,)
        limits = [limit for term in conditions for limit in self._limits(reference, term.unnest())]
        return TableColumns(reference.number, names, tuple(limits))

    def _limits(self, reference: Reference, term: exp.Expr) -> list[Limits]:
        """Between which values a condition holds a column of the table."""
        if isinstance(term, exp.Between):
            low, high = self._value(term.args["low"]), self._value(term.args["high"])
            name = self._name(reference, term.this)
            return [(name, low[0], high[1])] if name and low is not None and high is not None else []
        kind = type(term)
        if kind not in _MIRRORED:
            return []
        column, value = term.this, self._value(term.expression)
        if value is None:
            kind, column, value = _MIRRORED[kind], term.expression, self._value(term.this)
        name = self._name(reference, column)
        if not name or value is None:
            return []
        least, most = value
        return [(name, least if issubclass(kind, _LOWER) else None, most if issubclass(kind, _UPPER) else None)]

    def _name(self, reference: Reference, part: exp.Expr) -> str:
        part = part.unnest()
        is_own = isinstance(part, exp.Column) and self.bound.reference(part) is reference
        return str(part.meta[COLUMN]) if is_own else ""

    def _value(self, part: exp.Expr) -> tuple[float, float] | None:
        """Between which DOUBLEs a constant is: itself, or the neighbours of the nearest one. MariaDB may compare it
        exactly, or as a DOUBLE."""
        if not isinstance(part.unnest(), (exp.Literal, exp.Neg)):
            return None
        value = Prover(self._column).term(part).value
        if value is None:
            return None
        nearest = float(value)
        if nearest == value:
            return nearest, nearest
        return math.nextafter(nearest, -math.inf), math.nextafter(nearest, math.inf)


def _sorted(term: Term, is_descending: bool) -> str:
    """A term of ORDER BY; NULL is the least."""
    return f"{term.text} {'DESC NULLS LAST' if is_descending else 'ASC NULLS FIRST'}"
