"""Joins by USING and NATURAL, written with ON.

A column that they merge is one of a table, which binding has found: with that table named before it, and the equalities
in an ON, the statement means the same. Then only the columns that it names need to be read, and what is known of joins
with ON holds for them, too. Trees only, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from skyshard.czar.bind.bound_statement import ITEM, REF, Block, Bound, Reference, columns_of

WORDS = {"USING", "NATURAL"}


def spell_joins(bound: Bound) -> Bound:
    """Write the joins of each SELECT with ON.

    Left as they are: those of a SELECT with a star for all columns, whose order they decide; and those with a column
    that another table of the same alias, or a column that was not found, could stand between.

    >>> from skyshard.czar.bind.bind_names import bind
    >>> from skyshard.czar.sql.dialect import render
    >>> from skyshard.czar.sql.statement import parse_statement
    >>> text = "SELECT k, a FROM (SELECT 1 AS k, 2 AS a) AS o LEFT JOIN (SELECT 1 AS k) AS s USING (k)"
    >>> print(render(spell_joins(bind(parse_statement(text), {"sky": None}.__getitem__, "sky")).tree))
    SELECT `o`.k, `o`.a FROM (SELECT 1 AS k, 2 AS a) AS o LEFT JOIN (SELECT 1 AS k) AS s ON `o`.`k` = `s`.`k`
    """
    if not bound.words & WORDS:
        return bound
    columns = list(columns_of(bound.tree))
    blocks = {id(block.select): block for block in bound.blocks}
    for block in filter(_is_merged, bound.blocks):
        own = {reference.number for reference in block.references}
        named = [column for column in columns if column.meta.get(REF) in own]
        if not _is_open(block, columns) and not any(_is_hidden(one, bound, block, blocks) for one in named):
            _spell(bound, block, named)
    return bound


def _is_merged(block: Block) -> bool:
    return any(_merges(join.node) for join in block.joins)


def _merges(join: exp.Join) -> bool:
    return bool(join.args.get("using") or join.args.get("method"))


def _is_open(block: Block, columns: Sequence[exp.Column]) -> bool:
    """Whether what a SELECT shows, or names, depends on how its tables are joined."""
    if any(isinstance(item, exp.Star) for item in block.select.expressions):
        return True
    if any(reference.is_open for reference in block.references):
        return True
    if any(_merges(join.node) and not join.terms for join in block.joins):  # NATURAL without a common column
        return True
    return any(
        REF not in column.meta and ITEM not in column.meta and _is_within(column, block.select) for column in columns
    )


def _is_within(node: exp.Expr, select: exp.Select) -> bool:
    place: exp.Expr | None = node
    while place is not None and place is not select:
        place = place.parent
    return place is select


def _is_hidden(column: exp.Column, bound: Bound, block: Block, blocks: Mapping[int, Block]) -> bool:
    """Whether a table of a query between a column and the SELECT that it is of has the alias of its table."""
    reference = bound.reference(column)
    assert reference is not None
    select = column.find_ancestor(exp.Select)
    inner = blocks.get(id(select))
    while inner is not None and inner is not block:
        if any(other.alias == reference.alias for other in inner.references):
            return True
        inner = inner.parent
    return inner is None


def _spell(bound: Bound, block: Block, named: Sequence[exp.Column]) -> None:
    for column in named:
        if not column.table:
            column.set("table", _alias(bound.reference(column)))
    for join in block.joins:
        if _merges(join.node):
            join.node.set("using", None)
            join.node.set("method", None)
            join.node.set("on", exp.and_(*join.terms, copy=False))


def _alias(reference: Reference | None) -> exp.Identifier:
    assert reference is not None
    return exp.to_identifier(reference.alias, quoted=True)
