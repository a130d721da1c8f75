"""Chooses how a bound statement is answered.

Rules: the cheapest plan that is proven right is taken: registry count, regular, local (in one or two steps), else
gather. Only pairs further apart than the overlap, with no key to join on, are refused although they could be computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound
from skyshard.czar.bind.clauses import Clauses, item_names, star_columns, take_apart
from skyshard.czar.bind.ref_match import Sides, is_match, possible_sides, read_by, require_flags
from skyshard.czar.bind.unsteady_functions import one_server_reason
from skyshard.czar.locate.chunk_choice import ChunkChoice, choose_chunks
from skyshard.czar.locate.local_subqueries import nested_obstacle
from skyshard.czar.locate.locality import Locality, NotLocal, prove, top_terms
from skyshard.czar.plan.aggregate import BITS, NotMergeable
from skyshard.czar.plan.chunk_statements import is_declared, local_steps, reads_chunk_columns
from skyshard.czar.plan.find_pairs import pairs_of
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES, gather, marked_whole
from skyshard.czar.plan.key_lists import long_lists
from skyshard.czar.plan.query_plan import INTERACTIVE_CHUNKS, Kind, Lane, PlainColumn, Pull, QueryPlan
from skyshard.czar.plan.single_chunk import direct_pull, is_direct
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.function_places import CLOCK
from skyshard.czar.sql.item_names import first_select, is_star
from skyshard.czar.sql.statement import place
from skyshard.registry.catalog.published_catalog import CatalogSource

WINDOW_WORDS = {"OVER", "WINDOW"}
ROWS_OF_A_KEY = 1000
DECLARING = {
    "ABS", "CEIL", "CEILING", "COALESCE", "FLOOR", "GREATEST", "IF", "IFNULL", "LEAST", "MOD", "NULLIF", "ROUND",
    "SIGN", "TRUNCATE", *BITS,
}  # fmt: skip
"""Functions that declare all digits that their numbers may have; ``BIT_COUNT`` and ``HOUR`` declare fewer."""
"""Rows expected for one director key, at most: few enough to travel as text."""


def result_names(bound: Bound) -> tuple[str, ...]:
    """Names of the result's columns, as MariaDB gives them."""
    select = first_select(bound.tree)
    block = next(block for block in bound.blocks if block.select is select)
    return item_names(block, bound.names)


def loose_columns(bound: Bound, count: int) -> tuple[frozenset[int], frozenset[int]]:
    """Places of the result's columns that may be longer than MariaDB declares, all that are no table's column, and
    those of them that call functions which may declare too few digits.
    """
    block = next((block for block in bound.blocks if block.select is bound.tree), None)
    if block is None:
        places = frozenset(range(count))
        return places, places if is_vague(bound.tree) else frozenset()
    items: list[exp.Expr] = []
    for item in block.select.expressions:
        items += star_columns(block, item) if is_star(item) else [item.unalias()]
    loose = frozenset(place for place, item in enumerate(items) if not is_declared(bound, item))
    is_nested = any(reference.table is None for reference in block.references) and is_vague(bound.tree)
    return loose, frozenset(place for place in loose if is_nested or is_vague(items[place]))


def is_vague(part: exp.Expr) -> bool:
    """True where a function is called whose whole numbers may have more digits than it declares: all but the known."""
    calls = part.find_all(exp.Anonymous, exp.Extract)
    return any(isinstance(one, exp.Extract) or one.name.upper() not in DECLARING for one in calls)


def plan_statement(bound: Bound, source: CatalogSource, limit_bytes: int = GATHER_LIMIT_BYTES) -> QueryPlan:
    """Plan a statement that is bound and rewritten.

    Raises:
        UserError, Refusal: it cannot be answered; says why and what to write instead.

    A table of two chunks, and three statements over it: answered by the registry, in two steps, at the czar.

    >>> from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
    >>> from skyshard.catalog.schema import Column, Table
    >>> from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
    >>> from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> columns = tuple(Column(name, parse_type("double")) for name in ("objectId", "ra", "decl", "mag"))
    >>> director = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
    >>> chunks = ChunkEntries.of({chunk: ChunkEntry(100, 7, ("node1",)) for chunk in (324, 325)})
    >>> table = CatalogTable(Table("Object", columns).with_chunk_columns(), director, 200, chunks)
    >>> layout = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
    >>> sky = Catalog("sky", layout, {"Object": table}, ("node1",))
    >>> from types import SimpleNamespace
    >>> from skyshard.czar.bind.bind_names import bind
    >>> from skyshard.czar.bind.rewrite import rewrite
    >>> from skyshard.czar.sql.statement import parse_statement
    >>> source = SimpleNamespace(catalog=lambda _: sky)
    >>> def show(sql: str) -> None:
    ...     plan = plan_statement(rewrite(bind(parse_statement(sql), source.catalog, "sky")), source)
    ...     print(plan.kind, *plan.why, sep=": ")
    ...     for pull in plan.pulls:
    ...         print(f"chunk {pull.chunks[0]}: {pull.template.written().of_chunk(pull.chunks[0])}")
    ...     if plan.merge:
    ...         print(f"merge: {plan.merge_over(['p0', 'p1'])}")
    >>> show("SELECT COUNT(*) FROM Object")
    registry count: the registry counts rows
    >>> show("SELECT AVG(mag) FROM Object o WHERE ra > 3")
    aggregate: o: ra in [3, inf]: 2 of 2 chunks
    chunk 324: SELECT SUM(`o`.`mag`) AS a0, COUNT(`o`.`mag`) AS a1 FROM `sky`.`Object_324` AS `o` WHERE `o`.`ra` > 3
    merge: SELECT ((SUM(a0) / SUM(a1))) AS c0 FROM p0
    >>> show("SELECT a.ra FROM Object a JOIN Object b ON a.mag = b.mag")
    gather: nothing ties the chunked tables a, b to one chunk
    chunk 324: SELECT `a`.`ra`, `a`.`mag` FROM `sky`.`Object_324` AS `a`
    chunk 324: SELECT `b`.`mag` FROM `sky`.`Object_324` AS `b`
    merge: SELECT a.ra FROM p0 AS a JOIN p1 AS b ON a.mag = b.mag
    """
    return _Planner(bound, source, limit_bytes).plan()


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan that is answered chunk by chunk is made from; ``is_direct``: one chunk's answer needs no merging."""

    bound: Bound
    block: Block
    clauses: Clauses
    terms: Sequence[exp.Expr]
    proof: Locality
    is_direct: bool


def plan_with_basis(bound: Bound, source: CatalogSource, limit_bytes: int) -> tuple[QueryPlan, Basis] | None:
    """A plan with what it is made from, None where it is not local: so that it can be made for other areas."""
    planner = _Planner(bound, source, limit_bytes)
    plan = planner.plan()
    return (plan, planner.basis) if planner.basis is not None and plan.kind is not Kind.GATHER else None


class _Planner:
    def __init__(self, bound: Bound, source: CatalogSource, limit_bytes: int) -> None:
        self._bound = bound
        self._source = source
        self._names = result_names(bound)
        self._limit_bytes = limit_bytes
        self.basis: Basis | None = None

    def plan(self) -> QueryPlan:
        chunked = [reference for reference in self._bound.tables if reference.is_chunked]
        require_flags(chunked)
        if not chunked:
            return self._regular()
        counting = one_server_reason(self._bound)
        if counting:
            return self._gather(counting)
        block = self._bound.blocks[0]
        clauses = self._single_block() if any(one.is_chunked for one in block.references) else None
        if clauses is None:
            return self._gather("")
        count = self._registry_count(block, clauses)
        return count if count is not None else self._local(block, clauses)

    def _regular(self) -> QueryPlan:
        tables = self._bound.tables
        has_suffix = any(reference.table is not None and reference.table.suffix for reference in tables)
        text = _stored_text(self._bound) if has_suffix else render(self._bound.tree)
        read = [one for one in tables if one.table is not None]
        held = [frozenset(one.table.holders) for one in read if one.table is not None and one.table.holders is not None]
        return self._make(
            Kind.REGULAR,
            has_tables=bool(tables),
            statement=text,
            regular=tuple((one.database, one.table.table.name) for one in read if one.table is not None),
            holders=frozenset.intersection(*held) if held else None,
        )

    def _make(self, kind: Kind, **values: object) -> QueryPlan:
        catalogs = self._bound.catalogs.values()
        renamed = tuple((one.called, one.database) for one in catalogs if one.called != one.database)
        asks_time = bool(self._bound.words & CLOCK)
        values["loose"], values["vague"] = loose_columns(self._bound, len(self._names))
        return QueryPlan(kind, self._names, renamed=renamed, asks_time=asks_time, **values)  # type: ignore[arg-type]

    def _single_block(self) -> Clauses | None:
        """The clauses of a statement that is one SELECT over tables, with or without subqueries; None for any other."""
        tree = self._bound.tree
        is_single = isinstance(tree, exp.Select) and not tree.args.get("with_")
        is_plain = all(one.table is not None for one in self._bound.blocks[0].references)
        has_windows = bool(self._bound.words & WINDOW_WORDS) and any(tree.find_all(exp.Window))
        has_ties = isinstance(tree.args.get("limit"), exp.Fetch)
        if not is_single or not is_plain or has_windows or has_ties or tree.args.get("windows"):
            return None
        group = tree.args.get("group")
        if group is not None and any(group.args.get(key) for key in ("rollup", "cube", "grouping_sets", "totals")):
            return None
        return take_apart(self._bound, self._bound.blocks[0])

    def _registry_count(self, block: Block, clauses: Clauses) -> QueryPlan | None:
        """COUNT(*) of a whole chunked table is known."""
        table = block.references[0].table
        is_bare = not (clauses.where or clauses.group or clauses.having or clauses.offset or clauses.limit == 0)
        is_single = len(block.references) == 1 and table is not None and not is_match(block.references[0])
        is_known = table is not None and table.mutable is None
        if not is_single or table is None or not is_known or not is_bare or len(clauses.items) != 1:
            return None
        item = clauses.items[0]
        if not isinstance(item, exp.Count) or not isinstance(item.this, exp.Star):
            return None
        return self._make(Kind.COUNT, count=table.rows, why=("the registry counts rows",))

    def _local(self, block: Block, clauses: Clauses) -> QueryPlan:
        clauses = _without_idle_limit(block, clauses)
        choice, proof = self._proven(block, clauses)
        _require_no_pairs(self._bound, proof)
        if isinstance(proof, NotLocal):
            return self._not_local(proof, block, choice)
        obstacle = nested_obstacle(self._bound, block, clauses, proof.anchor)
        if obstacle:
            return self._gather(obstacle)
        if proof.neighbours and reads_chunk_columns(self._bound, clauses, block, proof):
            return self._gather("chunk numbers of a neighbour are asked for")
        if clauses.is_distinct and not clauses.is_grouped and any(term.item is None for term in clauses.order):
            return self._gather("SELECT DISTINCT ordered by something else")
        chunks = anchor_chunks(self._bound, proof, choice)
        rows = rows_of(self._bound, proof, chunks, choice)
        direct: Pull | None = None
        try:
            overlapping = [one.reference for one in proof.neighbours]
            lists = long_lists(self._bound, top_terms(block, clauses.where), choice.located, overlapping)
            pull, merge = local_steps(
                self._bound, block, clauses, proof, chunks, rows, lists, is_lookup=choice.keys is not None
            )
            pull = replace(pull, pairs=pairs_of(self._bound, block, clauses, proof, pull)) if proof.neighbours else pull
            has_direct = bool(merge) and is_direct(clauses)
            if has_direct and len(chunks) == 1:
                direct = direct_pull(self._bound, block, clauses, proof, chunks, rows)
        except NotMergeable as reason:
            if len(chunks) != 1 or not is_direct(clauses):
                return self._gather(f"{reason} cannot be merged")
            pull, merge = direct_pull(self._bound, block, clauses, proof, chunks, rows), ""
        else:
            terms = top_terms(block, clauses.where)
            self.basis = Basis(self._bound, block, clauses, terms, proof, has_direct)
        kind = Kind.NEAR_NEIGHBOUR if proof.neighbours else Kind.AGGREGATE if clauses.is_grouped else Kind.LOCAL
        return self._make(
            kind, pulls=(pull,), merge=merge, direct=direct, lane=lane_of([pull]), chunks=len(chunks),
            total_chunks=choice.total(block.references), why=tuple(choice.why),
            plain=_plain_columns(self._bound, clauses),
        )  # fmt: skip

    def _proven(self, block: Block, clauses: Clauses) -> tuple[ChunkChoice, Locality | NotLocal]:
        """Chunks and proof, match tables read by the sides that leave the fewest chunks."""
        terms = top_terms(block, clauses.where)
        best: tuple[float, Sides, ChunkChoice, Locality | NotLocal] | None = None
        for sides in possible_sides(self._bound, block.references):
            read_by(self._bound, sides)
            choice = choose_chunks(self._bound, block, terms, self._source)
            proof = prove(self._bound, block, terms, {number: len(chunks) for number, chunks in choice.chunks.items()})
            cost = math.inf if isinstance(proof, NotLocal) else len(anchor_chunks(self._bound, proof, choice))
            if best is None or cost < best[0]:
                best = cost, sides, choice, proof
        assert best is not None
        read_by(self._bound, best[1])
        return best[2], best[3]

    def _not_local(self, proof: NotLocal, block: Block, choice: ChunkChoice) -> QueryPlan:
        if proof.beyond is not None:
            chunked = [reference for reference in block.references if reference.is_chunked]
            if all(choice.rows(reference) for reference in chunked):
                overlap = max(catalog.layout.striping.overlap_deg for catalog in self._bound.catalogs.values())
                raise Refusal(
                    "pairs-beyond-overlap",
                    f"{proof.reason} of {overlap:g} degrees{place(proof.beyond.node)}",
                    remedy=f"use scisql_angSep(...) <= {overlap:g}, or join by a key",
                )
        return self._gather(proof.reason)

    def _gather(self, reason: str) -> QueryPlan:
        pulls, why, places = gather(self._bound, self._source, self._limit_bytes)
        reasons = (reason, *why) if reason else tuple(why)
        chunks = {chunk for pull in pulls for chunk in pull.chunks or ()}
        everything = {chunk for one in self._bound.tables if one.is_chunked and one.table for chunk in one.table.chunks}
        return self._make(
            Kind.GATHER, pulls=tuple(pulls), merge=marked_whole(self._bound, places), lane=lane_of(pulls),
            chunks=len(chunks), total_chunks=len(everything), why=reasons,
        )  # fmt: skip


def _without_idle_limit(block: Block, clauses: Clauses) -> Clauses:
    """The same without a LIMIT that cannot cut, as services write behind everything that they are asked: a table has
    no more rows. One that visits change may have some more by then."""
    one, *others = block.references
    if clauses.limit is None or clauses.offset or others or is_match(one) or one.table is None:
        return clauses
    is_idle = one.table.mutable is None and clauses.limit >= max(1, one.table.rows)
    return replace(clauses, limit=None) if is_idle else clauses


def _require_no_pairs(bound: Bound, proof: Locality | NotLocal) -> None:
    """Refuse pairs of near neighbours of which one is of a table that visits change: it has no overlap."""
    beyond = [proof.beyond] if isinstance(proof, NotLocal) and proof.beyond is not None else []
    near = [bound.references[one.reference] for one in proof.neighbours] if isinstance(proof, Locality) else []
    tied = [bound.references[one.of] for one in proof.neighbours] if isinstance(proof, Locality) else []
    for one in (*near, *tied, *beyond):
        if one.table is not None and one.table.mutable is not None:
            raise Refusal(
                "mutable-pairs",
                f"pairs by position: table '{one.table.table.name}' of a mutable database keeps no overlap"
                f"{place(one.node)}",
                remedy="join by a key, or publish it (`skyshard apdb publish`) and ask there",
            )


def _stored_text(bound: Bound) -> str:
    """The statement with the names that regular tables have in this generation; their aliases stay what they were."""
    tree = bound.tree.copy()
    for node in tree.find_all(exp.Table):
        table = bound.references[node.meta[REF]].table if REF in node.meta else None
        if table is not None:
            node.set("this", exp.to_identifier(table.table.name + table.suffix, quoted=True))
    return render(tree)


def anchor_chunks(bound: Bound, proof: Locality, choice: ChunkChoice) -> tuple[int, ...]:
    sets = [choice.chunks[number] for number in proof.anchor if not bound.references[number].is_nullable]
    return tuple(sorted(frozenset.intersection(*sets)))


def rows_of(bound: Bound, proof: Locality, chunks: tuple[int, ...], choice: ChunkChoice) -> int:
    """Rows that the chunk statements read at most, or what a few keys are expected to have."""
    tables = [bound.references[number].table for number in proof.anchor]
    rows = max(int(table.chunks.rows_of(chunks).sum()) for table in tables if table)
    return rows if choice.keys is None else min(rows, choice.keys * ROWS_OF_A_KEY)


def _plain_columns(bound: Bound, clauses: Clauses) -> tuple[PlainColumn | None, ...]:
    """Which items are a table's column, unchanged; none where rows are grouped or compared, which may widen types."""
    if clauses.is_grouped or clauses.is_distinct:
        return ()
    return tuple(_plain_column(bound, item) for item in clauses.items)


def _plain_column(bound: Bound, item: exp.Expr) -> PlainColumn | None:
    reference = bound.reference(item) if isinstance(item, exp.Column) else None
    if reference is None or reference.table is None:
        return None
    return reference.database, reference.table.table.name, item.meta[COLUMN]


def lane_of(pulls: list[Pull]) -> Lane:
    most = max((len(pull.chunks or ()) for pull in pulls), default=0)
    return Lane.INTERACTIVE if most <= INTERACTIVE_CHUNKS else Lane.SCAN
