"""Plans of SELECTs that are answered chunk by chunk, in one step or two.

Rules: the FROM clause keeps its shape; only the tables in it are replaced. ORDER BY with LIMIT goes down to the chunks
as LIMIT + OFFSET rows each. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import Block, Bound
from skyshard.czar.bind.clauses import Clauses, OrderTerm, is_aggregate
from skyshard.czar.columns.chunk_way import ChunkSelect
from skyshard.czar.locate.locality import Locality
from skyshard.czar.plan.aggregate import TwoStep, split
from skyshard.czar.plan.chunk_source import (
    ChunkSource,
    is_constant,
    used_columns,
)
from skyshard.czar.plan.chunk_template import KeyList, Template, slot_mark
from skyshard.czar.plan.column_ways import with_way
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.sql.dialect import render

MOST_ROWS = 2**64 - 1
"""The largest LIMIT that MariaDB takes."""


def local_steps(
    bound: Bound,
    block: Block,
    clauses: Clauses,
    locality: Locality,
    chunks: tuple[int, ...],
    rows: int,
    lists: Mapping[int, KeyList],
    *,
    is_lookup: bool = False,
) -> tuple[Pull, str]:
    """The pull and the merge statement (empty when there is nothing to merge) of a local SELECT.

    ``lists``: those of its conditions that each chunk is asked for its own keys of. ``is_lookup``: its chunks are those
    of a few keys.

    Raises:
        NotMergeable: gather instead.
    """
    source = ChunkSource(bound, block, clauses, locality, lists)
    if clauses.is_grouped:
        steps = split(clauses)
        pull, merge = _two_steps(bound, source, steps, clauses, chunks, rows)
        parts = dict(steps.columns.values())
        whole = ChunkSelect(parts, source.where, is_grouped=True, grouping=steps.grouping)
        return with_way(pull, bound, block, whole, is_lookup=is_lookup), merge
    if clauses.having is not None:
        source.where.append(exp.Paren(this=clauses.having.copy()))
    columns = _columns(clauses)
    select = source.select()
    most_rows = min(clauses.limit + clauses.offset, MOST_ROWS) if clauses.limit is not None else None
    terms = [(term.expression.copy(), term.is_descending) for term in sorting(clauses)] if most_rows is not None else []
    if most_rows is not None:
        select.set("limit", limit_of(most_rows))
        if terms:
            select.set("order", ordering(terms))
    template = source.template(select, columns, is_distinct=clauses.is_distinct)
    is_any = not sorting(clauses) and not clauses.is_distinct  # the same value may come from many chunks
    most = most_rows if is_any else None
    declared = frozenset(name for name, part in columns.items() if clauses.is_distinct or is_declared(bound, part))
    pull = Pull(template, chunks, rows, tuple(columns), limit=most, declared=declared, reads=rows)
    whole = ChunkSelect(columns, source.where, is_distinct=clauses.is_distinct, order=terms, limit=most_rows)
    return with_way(pull, bound, block, whole, is_lookup=is_lookup), _one_step_merge(clauses)


def is_declared(bound: Bound, part: exp.Expr) -> bool:
    """True for a table's column, or the least or greatest of one: its texts have the length that it declares."""
    inner = part.unnest()
    inner = inner.this if isinstance(inner, (exp.Min, exp.Max)) else inner
    reference = bound.reference(inner) if isinstance(inner, exp.Column) else None
    return reference is not None and reference.table is not None


def reads_chunk_columns(bound: Bound, clauses: Clauses, block: Block, locality: Locality) -> bool:
    """True when chunk numbers of a table that is read with overlap are asked for: copies carry other numbers."""
    overlapping = {neighbour.reference for neighbour in locality.neighbours}
    hidden = {CHUNK_COLUMN.lower(), SUB_CHUNK_COLUMN.lower()}
    return any(
        bound.references[number].table is not None and column.lower() in hidden
        for number in overlapping
        for column in used_columns(bound, block, clauses, number)
    )


def _columns(clauses: Clauses) -> dict[str, exp.Expr]:
    """The columns of a chunk's rows: the items, then what ORDER BY needs beyond them."""
    columns = {f"c{index}": item for index, item in enumerate(clauses.items)}
    extra = [term.expression for term in sorting(clauses) if term.item is None]
    return {**columns, **{f"o{index}": expression for index, expression in enumerate(extra)}}


def sorting(clauses: Clauses) -> list[OrderTerm]:
    """The terms of ORDER BY that sort at all; a constant does not, and would be read as a position."""
    return [term for term in clauses.order if not is_constant(term.expression)]


def named(part: exp.Expr, name: str) -> exp.Alias:
    """A select item of this name; the part is taken, not copied."""
    return exp.Alias(this=part, alias=exp.Identifier(this=name, quoted=False))


def _one_step_merge(clauses: Clauses) -> str:
    """The statement that sorts, cuts and makes distinct what the chunks gave; empty if nothing is left to do, or only
    to end with the last row that is wanted."""
    terms = sorting(clauses)
    if not (terms or clauses.is_distinct or clauses.offset):
        return ""
    extra = iter(range(len(terms)))
    places = [f"c{term.item}" if term.item is not None else f"o{next(extra)}" for term in terms]
    by = [(exp.column(name), term.is_descending) for name, term in zip(places, terms, strict=True)]
    merge = _over_partial([exp.column(f"c{index}") for index in range(len(clauses.items))])
    if clauses.is_distinct:
        merge.set("distinct", exp.Distinct())
    return render(_finished(merge, by, clauses))


def _two_steps(
    bound: Bound, source: ChunkSource, steps: TwoStep, clauses: Clauses, chunks: tuple[int, ...], rows: int
) -> tuple[Pull, str]:
    if not steps.columns:
        steps.column("a", exp.Count(this=exp.Star()))
    merge = _over_partial([named(item.copy(), f"c{index}") for index, item in enumerate(steps.items)])
    if steps.groups:
        merge.set("group", exp.Group(expressions=[exp.column(name) for name in dict.fromkeys(steps.groups)]))
    if steps.having is not None:
        merge.set("having", exp.Having(this=over_items(steps.having, steps.items)))
    if clauses.is_distinct:
        merge.set("distinct", exp.Distinct())
    names = tuple(name for name, _ in steps.columns.values())
    most = rows if steps.grouping else len(chunks)
    cut = {*steps.grouping} - steps.different
    declared = {name for name, part in steps.columns.values() if name in cut or is_declared(bound, part)}
    pull = Pull(
        _chunk_template(source, steps), chunks, most, names, divided=steps.divided, summed=steps.summed,
        is_single=not steps.grouping, declared=frozenset(declared),
        is_cut=steps.is_kept_as_declared, reads=rows,
    )  # fmt: skip
    order = [(term, desc) for term, desc in steps.order if not is_constant(term)]
    text = render(_finished(merge, order, clauses))
    return pull, text.replace(slot_mark(0), steps.over(slot_mark(0)), 1)


def _chunk_template(source: ChunkSource, steps: TwoStep) -> Template:
    """What each chunk computes."""
    select = source.select()
    columns, grouping = dict(steps.columns.values()), steps.grouping
    if steps.has_carried and not grouping:
        counted = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
        select.set("having", exp.Having(this=counted))
    groups = [(name, part) for name, part in columns.items() if name in grouping]
    return source.template(select, columns, groups=groups, different=steps.different)


def over_items(having: exp.Expr, items: Sequence[exp.Expr]) -> exp.Expr:
    """A HAVING condition that names the items, ``c0``, ``c1`` ..., where it holds one that is no aggregate.

    MariaDB knows there only items, columns that are grouped by and aggregates: in ``kind + 1 > 2`` is an unknown
    column, though ``kind + 1`` is grouped by.
    """
    names = {render(item.unnest()): f"c{index}" for index, item in enumerate(items) if _has_bare_column(item)}
    holder = exp.Paren(this=having.copy())
    found: list[tuple[exp.Expr, str]] = []

    def is_item(node: exp.Expr) -> bool:
        name = names.get(render(node)) if isinstance(node, exp.Condition) else None
        if name is not None:
            found.append((node, name))
        return name is not None or is_aggregate(node)

    for _ in holder.this.walk(prune=is_item):
        pass
    for node, name in found:
        node.replace(exp.column(name))
    condition: exp.Expr = holder.this
    return condition


def _has_bare_column(item: exp.Expr) -> bool:
    return any(isinstance(node, exp.Column) and not is_aggregate(node) for node in item.walk(prune=is_aggregate))


def _over_partial(items: list[exp.Expr]) -> exp.Select:
    select = exp.Select(expressions=items)
    select.set("from_", exp.From(this=exp.Table(this=exp.to_identifier(slot_mark(0), quoted=False))))
    return select


def _finished(merge: exp.Select, order: Sequence[tuple[exp.Expr, bool]], clauses: Clauses) -> exp.Select:
    if order:
        merge.set("order", ordering(order))
    if clauses.limit is not None:
        merge.set("limit", limit_of(clauses.limit))
        if clauses.offset:
            merge.set("offset", exp.Offset(expression=exp.Literal.number(clauses.offset)))
    return merge


def ordering(terms: Iterable[tuple[exp.Expr, bool]]) -> exp.Order:
    return exp.Order(expressions=[exp.Ordered(this=term, desc=desc, nulls_first=not desc) for term, desc in terms])


def limit_of(count: int) -> exp.Limit:
    return exp.Limit(expression=exp.Literal.number(min(count, MOST_ROWS)))
