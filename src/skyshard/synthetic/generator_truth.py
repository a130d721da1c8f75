"""What a generator knows of a database, as statements and digests: a second oracle, besides the mono server.

Made from what ingest kept (`skyshard.ingest.transaction.kept_truth`): the whole truth of a folder's manifest, or what
partition tasks noted of the rows that they made. That is by the generator's chunks; by the chunks of the layout it is
worked out from the rows, made again and compared with what was kept. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.basics.lazy import locked_property
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.catalog.synth_manifest import ChunkTruth, TableTruth
from skyshard.chunking.sphere import Box, unit_vectors
from skyshard.ingest.transaction.kept_truth import KeptTruth, Known, KnownAnswer
from skyshard.registry.stored.records import WHOLE
from skyshard.rowimage.digest import RowDigest
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import row_bytes
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.write.catalog_truth import answers, closest_chord, merged
from skyshard.synthetic.placed_rows import Placement, directors_of
from skyshard.synthetic.row_answers import RowAnswers
from skyshard.synthetic.spread_digests import digest_of, spread_digests

_MOST_OBJECTS = 3_000_000
MOST_BYTES = 4 << 30
"""Rows of more bytes are not made again to find their chunks."""
Digests = Mapping[str, Mapping[int, str]]
"""By table and chunk."""


def known_truth(
    content: KeptTruth, striping: Striping, layouts: Mapping[str, TableLayout], *, by_chunk: bool = True
) -> Known:
    """Digests and answers, of the tables that were ingested as a whole, and how they were spread.

    Args:
        by_chunk: make the rows again to find their chunks; if not, only tables as a whole are known.
    """
    sky = open_sky(Recipe.model_validate(content.recipe), content.seed)
    digests = {
        name: {chunk: known.digest for chunk, known in chunks.items()}
        for name, chunks in content.tables.items()
        if all(known.digest for known in chunks.values())
    }
    placement = Placement(sky, content.share, striping, layouts)
    rows = {name: sum(RowDigest.parse(one).rows for one in chunks.values()) for name, chunks in digests.items()}
    chunks = _chunks(content, sky.recipe)
    is_director = sky.director in layouts and layouts[sky.director].role is Role.DIRECTOR
    paired = answers(sky, rows, list(chunks.values()), striping.overlap_deg if is_director else 0.0)
    found = [KnownAnswer(answer.sql, (tuple(answer.row),)) for answer in paired]
    spread = _spread(placement, digests) if by_chunk else Spread(_as_wholes(digests), {}, "")
    found += _by_chunk(spread.own, rows)
    if sky.director in rows and WHOLE not in spread.own[sky.director]:
        found += _density(sky, spread.own[sky.director])
    found += _windows(sky, rows, list(chunks.values()))
    return Known(spread.own, tuple(found), _workers(placement, digests), spread.overlap, spread.note)


@dataclass(frozen=True, slots=True)
class Spread:
    """Digests by the layout's chunks; see ``Known``."""

    own: Digests
    overlap: Digests
    note: str


def _spread(placement: Placement, digests: Digests) -> Spread:
    """Where the rows are, from the rows made again.

    Where that is too much, or makes other rows: as they were kept, by chunk if the generator's are the layout's.
    """
    placed = [name for name in placement.tables if name in digests]
    size = sum(
        row_bytes(placement.sky.specs[name].table) * RowDigest.parse(one).rows
        for name in placed
        for one in digests[name].values()
    )
    wholes = _as_wholes(digests)
    is_own = placement.striping.stripes == placement.sky.recipe.striping.stripes
    kept = {name: digests[name] if is_own and name in placed else wholes[name] for name in digests}
    if not placed:
        return Spread(kept, {}, "")
    if size > MOST_BYTES:
        return Spread(kept, {}, f"not all by chunk, since rows are more than {MOST_BYTES >> 30} GB")
    matches = [name for name in placement.tables if _is_match_of(placement.layouts[name], digests)]
    made = spread_digests(placement, sorted(set().union(*(digests[name] for name in placed))), [*placed, *matches])
    if any(str(made.made[name]) != wholes[name][WHOLE] for name in placed):
        return Spread(kept, {}, "not all by chunk, since this release makes other rows of the recipe")
    own = {name: {chunk: str(one) for chunk, one in of.items()} for name, of in made.own.items()}
    overlap = {name: {chunk: str(one) for chunk, one in of.items()} for name, of in made.overlap.items()}
    return Spread({**wholes, **own}, overlap, "")


def _is_match_of(layout: TableLayout, digests: Digests) -> bool:
    """True for matches of directors that are known; a file's digest says nothing of rows that two chunks hold."""
    return layout.role is Role.REF_MATCH and all(director in digests for director in directors_of(layout))


def _as_wholes(digests: Digests) -> dict[str, dict[int, str]]:
    """One digest of all rows of each table."""
    return {
        name: {WHOLE: str(sum((RowDigest.parse(one) for one in chunks.values()), RowDigest()))}
        for name, chunks in digests.items()
    }


@dataclass(frozen=True, slots=True)
class Workers:
    """Answers of other statements: pairs are counted from positions, the rest is worked out from rows."""

    pairs: PairCounter | None
    rows: RowAnswers

    def __call__(self, sql: str, most_rows: int) -> KnownAnswer | None:
        counted = self.pairs(sql) if self.pairs is not None else None
        return self.rows(sql, most_rows) if counted is None else KnownAnswer(sql, ((counted,),))


def _workers(placement: Placement, digests: Digests) -> Workers:
    sky, rows = placement.sky, RowAnswers(placement, digests)
    if sky.director not in digests:
        return Workers(None, rows)
    filled = frozenset(chunk for _, chunk in _counts(digests[sky.director]))
    return Workers(PairCounter(sky, filled, placement.share, digests[sky.director]), rows)


@dataclass(frozen=True)
class PairCounter:
    """Counts, for any box, what the KPM near-neighbour statement returns; it generates the positions again."""

    sky: SyntheticSky
    chunks: frozenset[int]
    share: float
    digests: Mapping[int, str]
    """Of the director's rows as they were ingested, by the generator's chunk."""

    def __call__(self, sql: str) -> int | None:
        """None for every other statement, and for boxes with too many objects."""
        found = self._pattern.fullmatch(" ".join(sql.split()))
        if found is None:
            return None
        *corners, radius = (float(number) for number in found.groups())
        box = Box(*corners)
        around = [chunk for chunk in self.sky.chunker.chunks_in(box).tolist() if chunk in self.chunks]
        expected = self.sky.expected_objects()
        if self.share * sum(expected[chunk] for chunk in around) > _MOST_OBJECTS or not self._is_same_sky:
            return None
        return self._count(box, around, radius)

    @locked_property
    def _is_same_sky(self) -> bool:
        """True when this release makes the rows that were ingested; one chunk stands for all."""
        chunk = min(self.chunks, key=lambda one: RowDigest.parse(self.digests[one]).rows, default=None)
        if chunk is None:
            return True
        rows = self.sky.chunk_tables(chunk, self.share, {self.sky.director})[self.sky.director]
        return str(digest_of(rows, self.sky.specs[self.sky.director].table)) == self.digests[chunk]

    @locked_property
    def _pattern(self) -> re.Pattern[str]:
        ra, dec = self.sky.position
        name, number = self.sky.director, r"(-?[\d.]+(?:e-?\d+)?)"
        distance = rf"scisql_angSep\(o1\.{ra}, o1\.{dec}, o2\.{ra}, o2\.{dec}\)"
        return re.compile(
            rf"SELECT COUNT\(\*\) FROM {name} o1, {name} o2 WHERE "
            rf"qserv_areaspec_box\({number}, {number}, {number}, {number}\) AND {distance} < {number}"
        )

    def _count(self, box: Box, around: Sequence[int], radius_deg: float) -> int:
        """Ordered pairs of which both lie in the box, each row with itself too."""
        from scipy.spatial import cKDTree

        places = [np.empty((0, 3))]
        for chunk in around:
            positions = self.sky.positions(chunk, self.share)
            is_in = box.contains(positions.ra, positions.dec)
            places.append(unit_vectors(positions.ra[is_in], positions.dec[is_in]))
        tree = cKDTree(np.concatenate(places))
        return int(tree.count_neighbors(tree, closest_chord(radius_deg))) if tree.n else 0


def _chunks(content: KeptTruth, recipe: Recipe) -> dict[int, ChunkTruth]:
    """Each chunk's truth: the manifest's, or put together from what tasks noted of its tables."""
    if content.chunks is not None:
        return content.chunks
    noted: dict[int, dict[str, TableTruth]] = {}
    for name, chunks in content.tables.items():
        for chunk, known in chunks.items():
            if chunk != WHOLE and known.truth is not None:
                noted.setdefault(chunk, {})[name] = known.truth
    return {chunk: merged(recipe, tables) for chunk, tables in sorted(noted.items())}


def _counts(chunks: Mapping[int, str]) -> list[tuple[int, int]]:
    """(rows, chunk) of the chunks that have rows."""
    counted = [(RowDigest.parse(found).rows, chunk) for chunk, found in chunks.items()]
    return [(rows, chunk) for rows, chunk in counted if rows]


def _by_chunk(digests: Digests, rows: Collection[str]) -> Iterator[KnownAnswer]:
    """Rows in each chunk of the tables whose ``rows`` are there once each."""
    for name, chunks in digests.items():
        if WHOLE not in chunks and name in rows:
            yield KnownAnswer(f"SELECT COUNT(*), chunkId FROM {name} GROUP BY chunkId", tuple(_counts(chunks)))


def _density(sky: SyntheticSky, chunks: Mapping[int, str]) -> Iterator[KnownAnswer]:
    """The KPM statement of that name; its means are not known."""
    ra, dec = sky.position
    sql = f"SELECT COUNT(*) AS n, AVG({ra}), AVG({dec}), chunkId FROM {sky.director} GROUP BY chunkId"
    yield KnownAnswer(sql, tuple(_counts(chunks)), (0, 3))


def _windows(sky: SyntheticSky, rows: Mapping[str, int], chunks: Sequence[ChunkTruth]) -> Iterator[KnownAnswer]:
    """A count for each bin of a declared histogram."""
    for place, rule in enumerate(sky.recipe.histograms):
        if rule.table not in rows:
            continue
        sums = [sum(bins) for bins in zip(*(truth.histograms[place] for truth in chunks), strict=True)]
        for number, (low, high, count) in enumerate(zip(rule.edges, rule.edges[1:], sums, strict=False), 1):
            upper = "<=" if number == len(sums) else "<"
            where = f"{rule.column} >= {low!r} AND {rule.column} {upper} {high!r}"
            yield KnownAnswer(f"SELECT COUNT(*) FROM {rule.table} WHERE {where}", ((count,),))
