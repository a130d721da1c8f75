"""One SELECT taken apart: items, WHERE terms, GROUP BY, HAVING, ORDER BY, LIMIT, each name qualified.

Rules: aliases and positions are replaced by what they stand for, stars by columns, so that every part can be moved to
another statement. Nothing is shared with the tree that was read. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from skyshard.basics.errors import UserError
from skyshard.czar.bind.bound_statement import (
    AREA,
    COLUMN,
    ITEM,
    REF,
    Block,
    Bound,
    Reference,
    column_of,
    own_columns,
    own_nodes,
    terms_of,
)
from skyshard.czar.bind.constants import exact_constant
from skyshard.czar.sql.item_names import is_star

MORE_AGGREGATES = {
    "STD", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "VARIANCE", "VAR_POP", "VAR_SAMP", "BIT_AND", "BIT_OR", "BIT_XOR",
    "JSON_ARRAYAGG", "JSON_OBJECTAGG", "GROUP_CONCAT", "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One term of ORDER BY; ``item`` is the select item that it names, None for another expression."""

    expression: exp.Expr
    is_descending: bool
    item: int | None


@dataclass(frozen=True, slots=True)
class Clauses:
    """The parts of a SELECT; ``where`` holds AND-ed terms."""

    items: tuple[exp.Expr, ...]
    where: tuple[exp.Expr, ...]
    group: tuple[exp.Expr, ...]
    having: exp.Expr | None
    order: tuple[OrderTerm, ...]
    is_distinct: bool
    limit: int | None
    offset: int
    has_aggregates: bool

    @property
    def is_grouped(self) -> bool:
        return self.has_aggregates or bool(self.group)


def is_aggregate(node: exp.Expr) -> bool:
    """True for a call of an aggregate function."""
    if isinstance(node, (exp.AggFunc, exp.GroupConcat)):
        return True
    return isinstance(node, exp.Anonymous) and node.name.upper() in MORE_AGGREGATES


def item_names(block: Block, names: tuple[str | None, ...]) -> tuple[str, ...]:
    """Names of the result's columns, stars replaced by what they stand for."""
    result: list[str] = []
    for item, name in zip(block.select.expressions, names, strict=True):
        if name is not None:
            result.append(name)
        else:
            result += [column.name for column in star_columns(block, item)]
    return tuple(result)


def take_apart(bound: Bound, block: Block) -> Clauses:
    """The clauses of a SELECT, ready to be moved.

    Raises:
        UserError: a position in GROUP BY or ORDER BY that the select list does not have, a LIMIT that is no number.
    """
    select = block.select
    starts: list[int] = []
    items: list[exp.Expr] = []
    for item in select.expressions:
        starts.append(len(items))
        items += star_columns(block, item) if is_star(item) else [qualified(bound, item.unalias())]
    mover = _Mover(bound, items, starts)
    where, having = select.args.get("where"), select.args.get("having")
    group, order = select.args.get("group"), select.args.get("order")
    moved_having = mover.move(having.this) if having is not None else None
    terms = tuple(mover.order(term) for term in order.expressions) if order is not None else ()
    parts = [*items, *(term.expression for term in terms), *([moved_having] if moved_having is not None else [])]
    return Clauses(
        items=tuple(items),
        where=tuple(qualified(bound, term) for term in terms_of(where.this)) if where is not None else (),
        group=tuple(mover.group(part) for part in group.expressions) if group is not None else (),
        having=moved_having,
        order=terms,
        is_distinct=select.args.get("distinct") is not None,
        limit=_count(select.args.get("limit")),
        offset=_count(select.args.get("offset")) or 0,
        has_aggregates=any(
            is_aggregate(node) for part in parts if not isinstance(part, exp.Column) for node in own_nodes(part)
        ),
    )


def qualified(bound: Bound, expression: exp.Expr) -> exp.Expr:
    """A copy in which every column names its reference."""
    if isinstance(expression, exp.Column) and REF in expression.meta:
        return _qualified_column(bound, expression)
    copy = expression.copy()
    if isinstance(copy, exp.Column):
        return _qualified_column(bound, copy)
    for column in list(own_columns(copy)):
        if REF in column.meta:
            column.replace(_qualified_column(bound, column))
    if AREA in expression.meta:
        copy.meta[AREA] = expression.meta[AREA]
    return copy


def _qualified_column(bound: Bound, column: exp.Column) -> exp.Column:
    reference = bound.reference(column)
    return column if reference is None else column_of(reference, column.meta[COLUMN])


def star_columns(block: Block, item: exp.Expr) -> list[exp.Expr]:
    """The columns that ``*`` or ``t.*`` stands for."""
    if isinstance(item, exp.Star):
        return [column_of(visible.owner, visible.name) for visible in block.visible]
    reference = _named(block, item)
    return [column_of(reference, name) for name in reference.columns]


def _named(block: Block, item: exp.Expr) -> Reference:
    alias = item.table if isinstance(item, exp.Column) else ""
    for reference in block.references:
        if reference.alias == alias:
            return reference
    raise UserError(f"unknown table '{alias}' in '{alias}.*'", remedy="name a table of the FROM clause")


def _count(clause: exp.Expr | None) -> int | None:
    if clause is None or isinstance(clause, exp.Fetch):  # FETCH ... WITH TIES: such a statement is gathered
        return None
    value: Decimal | None = exact_constant(clause.expression)
    if value is None or value < 0 or value != int(value):
        raise UserError("LIMIT and OFFSET take whole numbers", remedy="write LIMIT 10 OFFSET 20")
    return int(value)


@dataclass(frozen=True, slots=True)
class _Mover:
    """Replaces aliases by the items that they name. ``starts``: where each written item begins among all items."""

    bound: Bound
    items: list[exp.Expr]
    starts: list[int]

    def move(self, expression: exp.Expr) -> exp.Expr:
        holder = exp.Paren(this=expression.copy())
        for column in list(_aliases(holder)):
            column.replace(exp.Paren(this=self.items[self.starts[column.meta[ITEM]]].copy()))
        return qualified(self.bound, holder.this)

    def order(self, term: exp.Expr) -> OrderTerm:
        is_descending = bool(term.args.get("desc"))
        index = self._index(term.this, "ORDER BY")
        if index is not None:
            return OrderTerm(self.items[index].copy(), is_descending, index)
        return OrderTerm(self.move(term.this), is_descending, None)

    def group(self, part: exp.Expr) -> exp.Expr:
        index = self._index(part, "GROUP BY")
        return self.items[index].copy() if index is not None else self.move(part)

    def _index(self, node: exp.Expr, clause: str) -> int | None:
        """The item that a position or a bare alias names."""
        if isinstance(node, exp.Column) and ITEM in node.meta:
            return int(self.starts[node.meta[ITEM]])
        position = position_of(node)
        if position is None:
            return None
        if not 1 <= position <= len(self.items):
            raise UserError(f"{clause} {position}: there are {len(self.items)} columns", remedy="name the column")
        return position - 1


def position_of(node: exp.Expr) -> int | None:
    """The position that a whole number means in GROUP BY and ORDER BY: MariaDB passes over parentheses, carries signs
    out, and takes TRUE for 1; there is none below 1.

    >>> [position_of(one) for one in (exp.true(), exp.Neg(this=exp.Paren(this=exp.Literal.number(2))), exp.null())]
    [1, -2, None]
    """
    if isinstance(node, exp.Paren):
        return position_of(node.this)
    if isinstance(node, exp.Neg):
        found = position_of(node.this)
        return None if found is None else -found
    if isinstance(node, exp.Boolean):
        return int(bool(node.this))
    is_whole = isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()
    return int(node.name) if is_whole else None


def _aliases(node: exp.Expr) -> Iterator[exp.Column]:
    return (column for column in own_columns(node) if ITEM in column.meta)
