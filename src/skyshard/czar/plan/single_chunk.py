"""The whole answer from one chunk: where a single chunk is read, its rows need no merging. No I/O."""

from __future__ import annotations

import re

from sqlglot import exp

from skyshard.czar.bind.bound_statement import Block, Bound
from skyshard.czar.bind.clauses import Clauses
from skyshard.czar.locate.locality import Locality
from skyshard.czar.plan.chunk_source import ChunkSource, is_constant, not_position
from skyshard.czar.plan.chunk_statements import limit_of, ordering, over_items, sorting
from skyshard.czar.plan.query_plan import Pull

_ITEM_NAME = re.compile(r"c\d+", re.IGNORECASE)


def is_direct(clauses: Clauses) -> bool:
    """True where a chunk's server takes the statement as it is meant.

    HAVING takes a GROUP BY column for an item of its name; DISTINCT of constants alone passes over an OFFSET.
    """
    if clauses.is_distinct and clauses.offset and all(map(is_constant, clauses.items)):
        return False
    grouped = [part.name for part in clauses.group if isinstance(part, exp.Column)]
    return clauses.having is None or not any(map(_ITEM_NAME.fullmatch, grouped))


def direct_pull(
    bound: Bound, block: Block, clauses: Clauses, locality: Locality, chunks: tuple[int, ...], rows: int
) -> Pull:
    """The statement itself over a chunk's tables: grouped, sorted and cut there."""
    source = ChunkSource(bound, block, clauses, locality)
    if clauses.having is not None and not clauses.is_grouped:
        source.where.append(exp.Paren(this=clauses.having.copy()))

    select = source.select()
    if clauses.group:
        select.set("group", exp.Group(expressions=[not_position(part.copy()) for part in clauses.group]))
    if clauses.having is not None and clauses.is_grouped:
        select.set("having", exp.Having(this=over_items(clauses.having, clauses.items)))
    terms = [(term.expression.copy(), term.is_descending) for term in sorting(clauses)]
    if terms:
        select.set("order", ordering(terms))
    if clauses.limit is not None:
        select.set("limit", limit_of(clauses.limit))
        if clauses.offset:
            select.set("offset", exp.Offset(expression=exp.Literal.number(clauses.offset)))
    columns = {f"c{index}": item for index, item in enumerate(clauses.items)}
    template = source.template(select, columns, is_distinct=clauses.is_distinct)
    return Pull(template, chunks, rows, tuple(columns), reads=rows)
