"""Subqueries that each chunk can answer by itself: those whose rows are in the chunk of the outer row.

Rules: a subquery in WHERE, or in the select list of a statement without aggregates; its chunked tables are tied, by
equality of a director's key, to the tables whose own rows are in the chunk. ``key IN (SELECT key ...)`` ties as well
where it is an AND-ed term of WHERE, for which "not known" and "no" are the same. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from skyshard.czar.bind.bound_statement import (
    COLUMN,
    ITEM,
    REF,
    Block,
    Bound,
    Reference,
    columns_of,
    may_be_apart,
    nested_queries,
    terms_of,
)
from skyshard.czar.bind.clauses import Clauses, is_aggregate
from skyshard.czar.bind.expand_functions import key_pairs
from skyshard.czar.bind.ref_match import is_match


def nested_obstacle(bound: Bound, block: Block, clauses: Clauses, anchor: frozenset[int]) -> str:
    """Why the subqueries of a SELECT cannot be answered chunk by chunk; empty if they can, or there are none."""
    inner = bound.blocks[1:] if bound.blocks[0] is block else []
    if not inner:
        return ""
    parts = [*clauses.items, *(term.expression for term in clauses.order)]
    parts += [*clauses.group, *([clauses.having] if clauses.having is not None else [])]
    if clauses.is_grouped and any(True for part in parts for _ in nested_queries(part)):
        return "a subquery beside aggregates"
    for one in inner:
        if not all(REF in column.meta or ITEM in column.meta for column in columns_of(one.select)):
            return "an item's name in a subquery"
        if any(_is_of_outer(one, node) for node in one.select.walk() if is_aggregate(node)):
            return "an aggregate of the outer query in a subquery"
        if one.parent is not block or not _is_plain(one):
            return "a subquery of several parts"
        if not _is_tied(bound, block, one, anchor):
            return "a subquery that is not tied to the row's chunk"
    return ""


def _is_of_outer(inner: Block, aggregate: exp.Expr) -> bool:
    """True where an aggregate is over columns of outer tables alone: ``(SELECT SUM(o.mag))`` is one sum of all rows."""
    own = {reference.number for reference in inner.references}
    numbers = {column.meta.get(REF) for column in columns_of(aggregate)}
    return bool(numbers) and not numbers & own


def nested_references(bound: Bound, block: Block) -> list[Reference]:
    """The tables of the subqueries of a block."""
    return [reference for one in bound.blocks if one is not block for reference in one.references]


def _is_plain(inner: Block) -> bool:
    select = inner.select
    is_part = isinstance(select.parent, exp.SetOperation) or select.args.get("with_")
    is_table = all(reference.table is not None for reference in inner.references)
    return is_table and not is_part and not any(join.side for join in inner.joins)


def _is_tied(bound: Bound, outer: Block, inner: Block, anchor: frozenset[int]) -> bool:
    chunked = [reference for reference in inner.references if reference.is_chunked]
    if any(is_match(reference) and reference.has_orphans for reference in chunked):
        return False
    where = inner.select.args.get("where")
    terms = [
        *(terms_of(where.this) if where is not None else []),
        *(term for join in inner.joins for term in join.terms),
    ]
    pairs = [*key_pairs(bound, terms), *_of_membership(bound, outer, inner)]
    reached = set(anchor)
    for _ in chunked:
        for one, other in pairs:
            if not may_be_apart(one, other) and {one.number, other.number} & reached:
                reached |= {one.number, other.number}
    return all(reference.number in reached for reference in chunked)


def _of_membership(bound: Bound, outer: Block, inner: Block) -> Iterable[tuple[Reference, Reference]]:
    """The pair that ``key IN (SELECT key ...)`` ties."""
    where = outer.select.args.get("where")
    for term in terms_of(where.this) if where is not None else []:
        query = term.args.get("query") if isinstance(term, exp.In) else None
        if query is not None and query.unnest() is inner.select and _keeps_all(inner.select):
            item = inner.select.expressions[0].unalias()
            yield from key_pairs(bound, [exp.EQ(this=term.this.copy(), expression=item.copy())])


def _keeps_all(select: exp.Select) -> bool:
    """True when a SELECT has a row for each key that its tables have: nothing is cut or put together."""
    clauses: Sequence[str] = ("group", "having", "limit", "offset", "distinct")
    is_column = isinstance(select.expressions[0].unalias(), exp.Column) and len(select.expressions) == 1
    return is_column and COLUMN in select.expressions[0].unalias().meta and not any(map(select.args.get, clauses))
