"""Can a SELECT be answered chunk by chunk? The proof, or why there is none.

Rules: chunked references are tied by equality of one director's key (their rows are then in one chunk), or two
directors by an angular separation of at most the overlap (one is then read with its overlap rows, sub-chunk by
sub-chunk, so that no pair is lost and none found twice). All of them must be tied to one anchor. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.catalog.layout import Role
from skyshard.czar.bind.bound_statement import Block, Bound, Join, Reference, may_be_apart
from skyshard.czar.bind.expand_functions import key_pairs, partition_reference
from skyshard.czar.bind.ref_match import is_match
from skyshard.czar.locate.chunk_limits import separation

SLACK = 1 + 1e-12
"""A sum of separations may exceed the overlap by rounding."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A director reference that is read with its overlap, in the sub-chunks of ``of``, a reference of the anchor.

    Without ``is_by_sub_chunk`` it is read in the chunk of ``of``: a dependent's position is in its chunk, but may be in
    another sub-chunk than the director that it follows.
    """

    reference: int
    of: int
    is_by_sub_chunk: bool = True


@dataclass(frozen=True, slots=True)
class Locality:
    """The proof: references whose own rows are in the chunk, and those that are read with overlap."""

    anchor: frozenset[int]
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class NotLocal:
    """Why there is no proof; ``beyond``: a table that only a separation wider than the overlap ties to another."""

    reason: str
    beyond: Reference | None = None


@dataclass(slots=True, eq=False)
class _Ties:
    """Ties between references: by key, by a separation within the overlap, by a wider one.

    A tie of an outer join holds for its nullable side only: (a, b) then says that b's rows follow a's.
    """

    keys: list[tuple[int, int]] = field(default_factory=list)
    near: list[tuple[int, int, float]] = field(default_factory=list)
    beyond: list[tuple[int, int]] = field(default_factory=list)


def top_terms(block: Block, where: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The AND-ed terms that every row of the result fulfils: WHERE, and the conditions of inner joins."""
    return [*where, *(term for join in block.joins if join.is_top and not join.side for term in join.terms)]


def prove(
    bound: Bound, block: Block, terms: Sequence[exp.Expr], chunk_counts: Mapping[int, int]
) -> Locality | NotLocal:
    """Prove that a SELECT can be answered chunk by chunk.

    ``terms`` are those of :func:`top_terms`; ``chunk_counts`` says how many chunks each chunked reference has left:
    of the possible anchors the one with the fewest is taken.

    Two references to one director are tied by their key, by a separation within the overlap, or not at all:

    >>> from skyshard.catalog.layout import Layout, Striping, TableLayout
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
    >>> from skyshard.czar.bind.bind_names import bind
    >>> from skyshard.czar.bind.clauses import take_apart
    >>> from skyshard.czar.bind.rewrite import rewrite
    >>> from skyshard.czar.sql.statement import parse_statement
    >>> def proof(term: str) -> Locality | NotLocal:
    ...     statement = parse_statement(f"SELECT a.ra FROM Object a, Object b WHERE {term}")
    ...     bound = rewrite(bind(statement, lambda _: sky, "sky"))
    ...     block = bound.blocks[0]
    ...     return prove(bound, block, top_terms(block, take_apart(bound, block).where), {0: 2, 1: 2})
    >>> proof("a.objectId = b.objectId")
    Locality(anchor=frozenset({0, 1}), neighbours=())
    >>> proof("scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.05")
    Locality(anchor=frozenset({0}), neighbours=(Neighbour(reference=1, of=0, is_by_sub_chunk=True),))
    >>> proof("scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.2").reason
    "pairs of 'a' and 'b' may be further apart than the overlap"
    >>> proof("a.mag = b.mag").reason
    'nothing ties the chunked tables a, b to one chunk'
    """
    chunked = [reference for reference in block.references if reference.is_chunked]
    if any(is_match(reference) and reference.has_orphans for reference in chunked):
        return NotLocal("a ref-match table has keys that its directors do not have")
    obstacle = next((why for join in block.joins if (why := _outer_obstacle(bound, join))), "")
    if obstacle:
        return NotLocal(obstacle)
    ties = _ties(bound, block, terms)
    groups = _groups([reference.number for reference in chunked], ties.keys)
    proofs = [proof for group in groups if (proof := _proof(bound, group, groups, ties)) is not None]
    if proofs:
        return min(proofs, key=lambda proof: min(chunk_counts.get(number, 0) for number in proof.anchor))
    return _why_not(bound, groups, ties)


def _outer_obstacle(bound: Bound, join: Join) -> str:
    """Outer joins that no chunk can answer alone: rows without a match would appear once in each chunk."""
    if not join.side:
        return "" if join.is_top else _nested_obstacle(bound, join)
    preserved, nullable = (join.left, join.right) if join.side == "LEFT" else (join.right, join.left)
    if not _chunked(bound, nullable):
        return "" if join.is_top else _nested_obstacle(bound, join)
    if not _chunked(bound, preserved):
        return f"{join.side} JOIN keeps rows of a regular table"
    if join.side == "RIGHT" or len(_chunked(bound, nullable)) > 1 or not join.is_top:
        return f"{join.side} JOIN of several chunked tables"
    return ""


def _nested_obstacle(bound: Bound, join: Join) -> str:
    return "a join inside an outer join" if _chunked(bound, join.left | join.right) else ""


def _chunked(bound: Bound, numbers: Iterable[int]) -> list[Reference]:
    return [bound.references[number] for number in numbers if bound.references[number].is_chunked]


def _ties(bound: Bound, block: Block, terms: Sequence[exp.Expr]) -> _Ties:
    ties = _Ties()
    _tie_keys(bound, terms, ties, None)
    _tie_positions(bound, terms, ties, None)
    for join in block.joins:
        if join.side == "LEFT" and join.is_top:
            _tie_keys(bound, join.terms, ties, join)
            _tie_positions(bound, join.terms, ties, join)
    return ties


def _crosses(join: Join | None, one: int, other: int) -> tuple[int, int] | None:
    """The pair, the preserved side first; None if a condition of an outer join does not link its two sides."""
    if join is None or (one in join.left and other in join.right):
        return one, other
    return (other, one) if other in join.left and one in join.right else None


def _tie_keys(bound: Bound, terms: Sequence[exp.Expr], ties: _Ties, join: Join | None) -> None:
    for one, other in key_pairs(bound, terms):
        pair = _crosses(join, one.number, other.number)
        if pair is not None and not may_be_apart(one, other):
            ties.keys.append(pair)


def _tie_positions(bound: Bound, terms: Sequence[exp.Expr], ties: _Ties, join: Join | None) -> None:
    for term in terms:
        found = separation(term)
        if found is None:
            continue
        one = partition_reference(bound, *found.arguments[:2])
        other = partition_reference(bound, *found.arguments[2:])
        if one is None or other is None or one is other:
            continue
        pair = _crosses(join, one.number, other.number)
        if pair is None:
            continue
        if found.radius_deg is not None and _is_within_overlap(bound, one, other, found.radius_deg):
            if _is_director(one) or _is_director(other):
                ties.near.append((*pair, max(found.radius_deg, 0.0)))
        elif found.radius_deg is not None and one.database == other.database:
            ties.beyond.append(pair)


def _is_within_overlap(bound: Bound, one: Reference, other: Reference, radius: float) -> bool:
    overlaps = [bound.overlap_deg(side) for side in (one, other)]
    return one.database == other.database and 0 <= radius <= min(overlaps) * SLACK and min(overlaps) > 0


def _is_director(reference: Reference) -> bool:
    return reference.table is not None and reference.table.layout.role is Role.DIRECTOR


def _groups(numbers: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[frozenset[int]]:
    """Connected sets of references."""
    group = {number: {number} for number in numbers}
    for one, other in pairs:
        if one in group and other in group and group[one] is not group[other]:
            group[one] |= group[other]
            for number in group[other]:
                group[number] = group[one]
    return list({id(members): frozenset(members) for members in group.values()}.values())


def _proof(bound: Bound, group: frozenset[int], groups: list[frozenset[int]], ties: _Ties) -> Locality | None:
    """The proof with this group as anchor: every other group is one director within reach."""
    if all(bound.references[number].is_nullable for number in group):
        return None
    others = [other for other in groups if other != group]
    if any(len(other) > 1 or not _is_director(bound.references[next(iter(other))]) for other in others):
        return None
    reached = _reach(bound, group, ties)
    overlap = min((bound.overlap_deg(bound.references[number]) for number in group), default=0.0)
    neighbours = []
    for (number,) in others:
        origin, distance = reached.get(number, (-1, float("inf")))
        if distance > overlap * SLACK:
            return None
        is_by_sub_chunk = _is_director(bound.references[origin])
        if not is_by_sub_chunk and not _tells_rows_apart(bound.references[number]):
            return None
        neighbours.append(Neighbour(number, origin, is_by_sub_chunk))
    return Locality(group, tuple(sorted(neighbours, key=lambda neighbour: neighbour.reference)))


def _tells_rows_apart(director: Reference) -> bool:
    """True where a director's key is of one row: copies of it in several sub-chunks' overlap can be told by it."""
    return bool(director.key) and director.table is not None and director.table.layout.unique_key


def _reach(bound: Bound, group: frozenset[int], ties: _Ties) -> dict[int, tuple[int, float]]:
    """How far each reference can be from a reference of the group: number → (from which, degrees)."""
    reached = {number: (number, 0.0) for number in group}
    for _ in ties.near:
        for one, other, radius in ties.near:
            for start, end in ((one, other), (other, one)):
                is_forward = start == one or not bound.references[other].is_nullable
                if start not in reached or not is_forward:
                    continue
                origin, distance = reached[start]
                if distance + radius < reached.get(end, (0, float("inf")))[1]:
                    reached[end] = (origin, distance + radius)
    return reached


def _why_not(bound: Bound, groups: list[frozenset[int]], ties: _Ties) -> NotLocal:
    near = [(one, other) for one, other, _ in ties.near]
    numbers = sorted(number for group in groups for number in group)
    tied = _groups(numbers, [*ties.keys, *near])
    aliases = [bound.references[number].alias for number in numbers]
    for one, other in ties.beyond:
        if not any({one, other} <= group for group in tied):
            pair = f"'{bound.references[one].alias}' and '{bound.references[other].alias}'"
            return NotLocal(f"pairs of {pair} may be further apart than the overlap", bound.references[other])
    strayed = [bound.references[number].alias for number in numbers if bound.references[number].has_strays]
    if len(tied) > 1 and strayed:
        return NotLocal(f"rows of {', '.join(strayed)} came before their director and are in other chunks")
    if len(tied) > 1:
        return NotLocal(f"nothing ties the chunked tables {', '.join(aliases)} to one chunk")
    return NotLocal("more than one table follows each of two neighbours")
