"""What a generator knows of a database, as statements and digests: a second oracle, besides the mono server.

Made from what ingest kept (`skyshard.ingest.transaction.kept_truth`): the whole truth of a folder's manifest, or what
partition tasks noted of the rows that they made. A generator knows rows by its own chunks. Of a table with
another striping only the total is known. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.write.catalog_truth import answers, closest_chord, merged

_MOST_OBJECTS = 3_000_000
_DECIDES_CHUNKS = ("role", "director", "key", "position")
"""What in a table's layout decides, with the stripes, which chunk a row is in. Sub-stripes and overlap do not."""


def known_truth(content: KeptTruth, striping: Striping, layouts: Mapping[str, TableLayout]) -> Known:
    """Digests and answers, of the tables that were ingested as a whole, and how they were spread."""
    sky = open_sky(Recipe.model_validate(content.recipe), content.seed)
    digests = {
        name: {chunk: known.digest for chunk, known in chunks.items()}
        for name, chunks in content.tables.items()
        if all(known.digest for known in chunks.values())
    }
    rows = {name: sum(RowDigest.parse(one).rows for one in chunks.values()) for name, chunks in digests.items()}
    chunks = _chunks(content, sky.recipe)
    is_director = sky.director in layouts and layouts[sky.director].role is Role.DIRECTOR
    paired = answers(sky, rows, list(chunks.values()), striping.overlap_deg if is_director else 0.0)
    found = [KnownAnswer(answer.sql, (tuple(answer.row),)) for answer in paired]
    spread = {name: _as_spread(sky, striping, layouts[name], name, of) for name, of in digests.items()}
    found += _by_chunk(spread)
    if sky.director in rows and WHOLE not in spread[sky.director]:
        found += _density(sky, spread[sky.director])
    found += _windows(sky, rows, list(chunks.values()))
    if sky.director not in digests:
        return Known(spread, tuple(found))
    filled = frozenset(chunk for _, chunk in _counts(digests[sky.director]))
    return Known(spread, tuple(found), PairCounter(sky, filled, content.share))


def _as_spread(
    sky: SyntheticSky, striping: Striping, layout: TableLayout, name: str, chunks: Mapping[int, str]
) -> Mapping[int, str]:
    """The digest of each chunk where the stored chunks are the generator's, else the one of all rows."""
    made = sky.specs[name].layout
    is_alike = all(getattr(layout, what) == getattr(made, what) for what in _DECIDES_CHUNKS)
    if is_alike and striping.stripes == sky.recipe.striping.stripes:
        return chunks
    return {WHOLE: str(sum((RowDigest.parse(one) for one in chunks.values()), RowDigest()))}


@dataclass(frozen=True)
class PairCounter:
    """Counts, for any box, what the KPM near-neighbour statement returns; it generates the positions again."""

    sky: SyntheticSky
    chunks: frozenset[int]
    share: float

    def __call__(self, sql: str) -> int | None:
        """None for every other statement, and for boxes with too many objects."""
        found = self._pattern.fullmatch(" ".join(sql.split()))
        if found is None:
            return None
        *corners, radius = (float(number) for number in found.groups())
        box = Box(*corners)
        around = [chunk for chunk in self.sky.chunker.chunks_in(box).tolist() if chunk in self.chunks]
        expected = self.sky.expected_objects()
        if self.share * sum(expected[chunk] for chunk in around) > _MOST_OBJECTS:
            return None
        return self._count(box, around, radius)

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


def _by_chunk(digests: Mapping[str, Mapping[int, str]]) -> Iterator[KnownAnswer]:
    for name, chunks in digests.items():
        if WHOLE not in chunks:
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
