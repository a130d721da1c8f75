"""Which chunks a SELECT has to read: limits looked up in chunker and director index, or chunk numbers as given.

Rules: a chunk is left out only when it is proven to hold no row that counts. A key that the director index does not
know may belong to dependent rows without director, so their chunks stay; one that it knows may belong to strays, which
came before their director, so theirs stay too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Role
from skyshard.chunking.sphere import Region, grown
from skyshard.czar.bind.bound_statement import Block, Bound, Reference, may_be_apart
from skyshard.czar.bind.expand_functions import key_pairs
from skyshard.czar.locate.chunk_limits import AreaLimit, Either, KeyLimit, Limit, find_limits
from skyshard.czar.locate.chunk_numbers import ChunkLimit
from skyshard.registry.catalog.chunk_entries import ChunkEntries
from skyshard.registry.catalog.published_catalog import CatalogSource, Chunks


@dataclass(slots=True, eq=False)
class ChunkChoice:
    """Chunks left for each chunked reference, and why.

    ``keys``: how many director keys are named, where they are; then few rows are to be expected.
    """

    chunks: dict[int, Chunks]
    why: list[str] = field(default_factory=list)
    keys: int | None = None
    located: dict[int, dict[int, Chunks]] = field(default_factory=dict)
    """Reference → key → chunks that the director index names, none where it does not know the key."""

    def rows(self, reference: Reference) -> int:
        """Rows of a chunked reference's own in the chunks left."""
        if reference.table is None:
            return 0
        return int(reference.table.chunks.rows_of(tuple(self.chunks[reference.number])).sum())

    def total(self, references: Sequence[Reference]) -> int:
        """Chunks that there are, without any limit."""
        tables = {id(one.table): one.table for one in references if one.is_chunked and one.table is not None}
        return _count_together(tuple(table.chunks for table in tables.values()))


def all_chunks(reference: Reference) -> Chunks:
    """The chunks in which a reference's table has rows of its own."""
    assert reference.table is not None
    return reference.table.chunks.occupied


@lru_cache(maxsize=256)
def _count_together(chunks: tuple[ChunkEntries, ...]) -> int:
    """How many chunks some tables occupy together; counted once in the life of a catalog."""
    return len(chunks[0].occupied) if len(chunks) == 1 else len(frozenset().union(*(one.occupied for one in chunks)))


def choose_chunks(bound: Bound, block: Block, terms: Sequence[exp.Expr], source: CatalogSource) -> ChunkChoice:
    """Chunks of every chunked reference of a block, as far as the AND-ed terms limit them."""
    chunked = [reference for reference in block.references if reference.is_chunked]
    choice = ChunkChoice({reference.number: all_chunks(reference) for reference in chunked})
    tied = _tied(chunked, key_pairs(bound, terms))
    for limit in find_limits(bound, terms):
        if limit.reference not in choice.chunks:
            continue
        found = _look_up(bound, limit, tied[limit.reference], source, choice)
        if found is None:
            continue
        before = len(choice.chunks[limit.reference])
        choice.chunks[limit.reference] &= found
        left = len(choice.chunks[limit.reference])
        choice.why.append(f"{bound.references[limit.reference].alias}: {limit.text}: {left} of {before} chunks")
        if isinstance(limit, KeyLimit) and limit.keys is not None:
            choice.keys = min(len(limit.keys), choice.keys if choice.keys is not None else len(limit.keys))
    for group in {id(group): group for group in tied.values()}.values():
        common = frozenset.intersection(*(choice.chunks[one.number] for one in group))
        choice.chunks.update({one.number: common for one in group})
    return choice


def _tied(references: Sequence[Reference], pairs: Sequence[tuple[Reference, Reference]]) -> dict[int, list[Reference]]:
    """Reference number → all references whose keys are equal to its key; those without director are alone."""
    tied = {reference.number: [reference] for reference in references}
    for one, other in pairs:
        if one.number not in tied or other.number not in tied or tied[one.number] is tied[other.number]:
            continue
        if may_be_apart(one, other):
            continue
        tied[one.number] += tied[other.number]
        for member in tied[other.number]:
            tied[member.number] = tied[one.number]
    return tied


def _look_up(
    bound: Bound, limit: Limit, tied: list[Reference], source: CatalogSource, choice: ChunkChoice
) -> Chunks | None:
    """The chunks that a limit leaves; None when it cannot be used. Where keys are is noted in the choice."""
    reference = bound.references[limit.reference]
    if isinstance(limit, Either):
        return _either(bound, limit, tied, source, choice)
    if isinstance(limit, AreaLimit):
        if limit.region is None:
            return frozenset()
        striping = bound.catalogs[reference.database].layout.striping
        return frozenset(chunker_of(striping).chunks_in(_with_drift(reference, limit.region)).tolist())
    if isinstance(limit, ChunkLimit):
        return limit.of(all_chunks(reference))
    database, director = reference.director
    orphans = _orphan_chunks(tied)
    if limit.keys is not None:
        known = source.locate_keys(database, director, sorted(limit.keys))
        choice.located.setdefault(limit.reference, {}).update({key: known.get(key, frozenset()) for key in limit.keys})
        found = frozenset().union(*known.values())
        return found | (_stray_chunks(tied) if len(known) == len(limit.keys) else orphans)
    if limit.low is not None and limit.high is not None and limit.low > limit.high:
        return frozenset()
    return frozenset(source.locate_key_range(database, director, limit.low, limit.high)) | orphans


def _with_drift(reference: Reference, region: Region) -> Region:
    """The region whose chunks have all rows of a reference that are in a region."""
    drift = reference.table.mutable.drift_deg if reference.table is not None and reference.table.mutable else 0.0
    return grown(region.bounds(), drift) if drift else region


def _either(
    bound: Bound, limit: Either, tied: list[Reference], source: CatalogSource, choice: ChunkChoice
) -> Chunks | None:
    """The union of what each branch leaves; a branch of which nothing can be used leaves all."""
    left: set[int] = set()
    for branch in limit.branches:
        found = [chunks for one in branch if (chunks := _look_up(bound, one, tied, source, choice)) is not None]
        if not found:
            return None
        left |= frozenset.intersection(*found)
    return frozenset(left)


def _orphan_chunks(tied: list[Reference]) -> Chunks:
    """Chunks with rows that fit a key which the director index does not know: none when a director is joined."""
    tables = [reference.table for reference in tied if reference.table is not None]
    if any(table.layout.role is Role.DIRECTOR for table in tables):
        return frozenset()
    return frozenset().union(*(table.orphan_chunks for table in tables))


def _stray_chunks(tied: list[Reference]) -> Chunks:
    """Chunks with rows that fit a key of a director that is elsewhere; a table that has some is tied to none."""
    return frozenset().union(*(one.table.stray_chunks for one in tied if one.table is not None))
