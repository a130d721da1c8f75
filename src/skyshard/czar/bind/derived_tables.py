"""Derived tables that servers must not merge with the statement around them.

MariaDB 10.11 loses rows of a derived table, or a common table expression, that it merges, or gives too many, where a
subquery of a WHERE or ON clause and a window function have a column of it: ``SELECT SUM(q.k) OVER () FROM (SELECT k
FROM t) q WHERE q.k IN (SELECT k FROM u)`` has none. One with a LIMIT it does not merge. Trees only, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from skyshard.czar.bind.bound_statement import Block, Bound, Reference, nested_queries
from skyshard.czar.sql.item_names import is_star
from skyshard.czar.sql.statement import ALL_ROWS


def keep_apart(bound: Bound) -> Bound:
    """Give such derived tables a LIMIT where they show columns as they are: those of expressions lose no rows, and a
    table of them could cut values."""
    if "OVER" not in bound.words or not any(map(_asks_subqueries, bound.blocks)):
        return bound
    blocks = {id(block.select): block for block in bound.blocks}
    for reference in bound.references:
        inner = blocks.get(id(_query_of(reference)))
        if inner is not None and inner.select.args.get("limit") is None and _shows_columns(bound, inner, blocks):
            inner.select.limit(ALL_ROWS, copy=False)
    return bound


def _asks_subqueries(block: Block) -> bool:
    """Whether subqueries decide about the rows of a SELECT."""
    where = block.select.args.get("where")
    conditions = [*([where] if where is not None else []), *(term for join in block.joins for term in join.terms)]
    return any(any(nested_queries(condition)) for condition in conditions)


def _query_of(reference: Reference) -> exp.Expr | None:
    """The query of a derived table, or of the common table expression that its name means; None of a table."""
    if isinstance(reference.node, exp.Subquery):
        return reference.node.unnest()
    place = reference.node.parent if reference.table is None else None
    within: exp.Expr | None = None
    while place is not None:
        within = place if isinstance(place, exp.CTE) else within
        clause = place.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            if cte is within:  # it sees those before it
                break
            if cte.alias == reference.node.name:
                query: exp.Expr = cte.this.unnest()
                return query
        place = place.parent
    return None


def _shows_columns(bound: Bound, block: Block, blocks: Mapping[int, Block]) -> bool:
    """Whether all items of a SELECT are columns of tables, also through other derived tables."""

    def is_plain(reference: Reference | None) -> bool:
        if reference is None or reference.table is not None:
            return reference is not None
        inner = blocks.get(id(_query_of(reference)))
        return inner is not None and _shows_columns(bound, inner, blocks)

    items = [item.unalias() for item in block.select.expressions]
    if any(map(is_star, items)):
        return all(map(is_plain, block.references))
    return all(isinstance(item, exp.Column) and is_plain(bound.reference(item)) for item in items)
