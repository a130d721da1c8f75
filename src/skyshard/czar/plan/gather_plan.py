"""Plans statements that chunks cannot answer alone: bring the rows of each table to the czar, run the statement there.

Rules: only columns that are named, chunks that the limits leave, and rows that pass the table's own terms are brought;
where this is not certain, more is. What would be too much is refused. No I/O but the look-ups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.catalog.schema import Column, Key
from skyshard.czar.bind.bound_statement import COLUMN, ITEM, REF, Block, Bound, Reference, columns_of, terms_of
from skyshard.czar.bind.clauses import qualified
from skyshard.czar.bind.ref_match import Sides, is_match, possible_sides, read_by, single
from skyshard.czar.locate.chunk_choice import ChunkChoice, all_chunks, choose_chunks
from skyshard.czar.locate.locality import top_terms
from skyshard.czar.plan.chunk_source import own_terms, render_terms
from skyshard.czar.plan.chunk_template import Slot, Template, slot_mark
from skyshard.czar.plan.cost_estimate import row_bytes, width_of
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import place
from skyshard.db.connection import quote_name
from skyshard.registry.catalog.published_catalog import CatalogSource

GATHER_LIMIT_BYTES = 2 * 2**30
"""More than this is not brought to the czar for one statement."""
SHARE_OF_EQUALITY = 0.1
SHARE_OF_RANGE = 1 / 3
LEAST_SHARE = 0.01
"""Terms are not trusted to let through less."""


def gather(bound: Bound, source: CatalogSource, limit_bytes: int) -> tuple[list[Pull], list[str], dict[int, int]]:
    """Pulls, reasons, and for each reference the position of its pull.

    Raises:
        Refusal: more than ``limit_bytes`` would have to be brought.
    """
    pulls: list[Pull] = []
    expected: list[float] = []
    first: list[Reference] = []
    why: list[str] = []
    places: dict[int, int] = {}
    known: dict[tuple[str, tuple[int, ...] | None], int] = {}
    needed = _needed_columns(bound)
    for block in bound.blocks:
        where = block.select.args.get("where")
        terms = top_terms(block, [qualified(bound, term) for term in terms_of(where.this)] if where is not None else [])
        choice = _choose(bound, block, terms, source)
        why += choice.why
        for reference in block.references:
            if reference.table is not None:
                own = _own(bound, block, reference, terms)
                pull = _pull(reference, own, choice, needed[reference.number])
                key = (pull.template.written().of_prototype(), pull.chunks)
                places[reference.number] = known.setdefault(key, len(pulls))
                if places[reference.number] == len(pulls):
                    pulls.append(pull)
                    expected.append(pull.rows * _share(own))
                    first.append(reference)
    _check_size(pulls, expected, first, limit_bytes)
    return pulls, why, places


def _choose(bound: Bound, block: Block, terms: Sequence[exp.Expr], source: CatalogSource) -> ChunkChoice:
    """The chunks of each reference; match tables are read by the sides that leave the fewest."""
    best: tuple[int, Sides, ChunkChoice] | None = None
    for sides in possible_sides(bound, block.references):
        read_by(bound, sides)
        choice = choose_chunks(bound, block, terms, source)
        for one in block.references:
            if is_match(one) and one.has_orphans:
                choice.chunks[one.number] = all_chunks(one)
        cost = sum(len(chunks) for chunks in choice.chunks.values())
        if best is None or cost < best[0]:
            best = cost, sides, choice
    assert best is not None
    read_by(bound, best[1])
    return best[2]


def marked_whole(bound: Bound, places: dict[int, int]) -> str:
    """The whole statement with markers of pulls in place of tables."""
    tree = bound.tree.copy()
    for table in [node for node in tree.find_all(exp.Table) if node.meta.get(REF) in places]:
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
        mark = exp.to_identifier(slot_mark(places[table.meta[REF]]), quoted=False)
        table.replace(exp.Table(this=mark, alias=alias, joins=table.args.get("joins")))
    return render(tree)


def _needed_columns(bound: Bound) -> dict[int, set[str]]:
    """The columns named of each reference; all of them with a star, NATURAL, USING, or a name that is not resolved."""
    needed: dict[int, set[str]] = {reference.number: set() for reference in bound.references}
    for column in columns_of(bound.tree):
        if REF in column.meta:
            needed[column.meta[REF]].add(column.meta[COLUMN])
        elif ITEM not in column.meta and not _orders_union(column):
            return {reference.number: set(reference.columns) for reference in bound.references}
    for block in bound.blocks:
        for reference in block.references:
            if _needs_all(block, reference):
                needed[reference.number] = set(reference.columns)
    return needed


def _orders_union(column: exp.Column) -> bool:
    order = column.find_ancestor(exp.Order, exp.Select)
    return isinstance(order, exp.Order) and isinstance(order.parent, exp.SetOperation)


def _needs_all(block: Block, reference: Reference) -> bool:
    if any(join.node.args.get("using") or join.node.args.get("method") for join in block.joins):
        return True
    for item in block.select.expressions:
        is_table_star = isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
        if isinstance(item, exp.Star) or (is_table_star and item.table == reference.alias):
            return True
    return False


def _own(bound: Bound, block: Block, reference: Reference, terms: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The terms that are asked of a reference's table, one copy of each row of a match table among them."""
    own = own_terms(_askable(bound, block, reference, terms), reference.number)
    kept = single(reference)
    return own if kept is None else [*own, kept]


def _share(own: Sequence[exp.Expr]) -> float:
    """The share of rows that terms are expected to let through: a tenth for an equality, a third for others."""
    shares = [SHARE_OF_EQUALITY if isinstance(term, (exp.EQ, exp.In)) else SHARE_OF_RANGE for term in own]
    return max(math.prod(shares), LEAST_SHARE)


def _pull(reference: Reference, own: Sequence[exp.Expr], choice: ChunkChoice, needed: set[str]) -> Pull:
    assert reference.table is not None
    table = reference.table.table
    columns = tuple(column for column in table if column.name in needed) or (_narrowest(table.columns),)
    names = ", ".join(f"{quote_name(reference.alias)}.{quote_name(column.name)}" for column in columns)
    condition = render_terms(own)
    where = f" WHERE {condition}" if condition else ""
    slot = Slot(reference.database, reference.table, reference.alias)
    template = Template(f"SELECT {names} FROM {slot_mark(reference.number)}{where}", {reference.number: slot})
    if not reference.is_chunked:
        return Pull(template, None, reference.table.rows, columns=columns)
    chunks = tuple(sorted(choice.chunks[reference.number]))
    rows = int(reference.table.chunks.rows_of(chunks).sum())
    return Pull(template, chunks, rows, columns=columns, keys=_keys(reference, columns))


def _askable(bound: Bound, block: Block, reference: Reference, terms: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Terms that may be asked of the table alone: those of every result row, or of the join that brings it."""
    if not reference.is_nullable:
        return list(terms)
    joins = [join for join in block.joins if join.side == "LEFT" and reference.number in join.right]
    if len(joins) != 1 or joins[0].right != {reference.number}:
        return []
    return [qualified(bound, term) for term in joins[0].terms]


def _narrowest(columns: Sequence[Column]) -> Column:
    return min(columns, key=lambda column: width_of(column.type))


def _keys(reference: Reference, columns: Sequence[Column]) -> tuple[Key, ...]:
    """A key on the director key, which joins use."""
    assert reference.table is not None
    layout, table = reference.table.layout, reference.table.table
    keys = {layout.key.lower(), layout.key2.lower()}
    if reference.table.mutable is not None:
        keys = {one[0].lower() for one in (table.primary_key, *(key.columns for key in table.keys)) if one}
    return tuple(Key(f"key_{column.name}", (column.name,)) for column in columns if column.name.lower() in keys)


def _check_size(
    pulls: Sequence[Pull], expected: Sequence[float], references: Sequence[Reference], limit_bytes: int
) -> None:
    sizes = [rows * (row_bytes(pull.columns) + 7) for pull, rows in zip(pulls, expected, strict=True)]
    if sum(sizes) > limit_bytes:
        largest = references[sizes.index(max(sizes))]
        tables = ", ".join(f"{rows:,.0f} rows" for rows in expected)
        where = f"most of '{largest.alias}'{place(largest.node)}"
        raise Refusal(
            "too-large",
            f"this statement is not local to chunks: about {sum(sizes) / 2**30:.1f} GiB ({tables}) would have to be "
            f"brought to one place, {where} (limit {limit_bytes / 2**30:.1f} GiB)",
            remedy="restrict the area or the keys, name fewer columns, or join by the director's key",
        )
