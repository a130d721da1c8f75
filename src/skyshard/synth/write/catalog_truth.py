"""Computes what the answers to a catalog's queries must be, from its rows, chunk by chunk. No I/O.

A FLOAT column counts as the double that the server compares; a NULL satisfies nothing and is in no bin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.catalog.synth_manifest import Aggregate, ChunkTruth, ManifestAnswer, TableTruth
from skyshard.chunking.sphere import Box, unit_vectors
from skyshard.synth.recipe.recipe import Recipe, TruthColumn, TruthCount, TruthHistogram
from skyshard.synth.rows.generate import SyntheticSky
from skyshard.synth.sky.positions import SkyPositions, widened
from skyshard.synth.write.synth_plan import ChunkTask, neighbours_of

_COMPARISONS = {">": pc.greater, "<": pc.less, ">=": pc.greater_equal, "<=": pc.less_equal}


def table_truth(sky: SyntheticSky, task: ChunkTask, name: str, table: pa.Table) -> TableTruth:
    """The share of a chunk's truth that follows from one table or a run of its rows. A director is one run."""
    recipe, is_director = sky.recipe, name == sky.director
    return TableTruth(
        rows=table.num_rows,
        extent_deg=_extent(table, sky.position) if is_director else None,
        counts={place: _count(rule, table) for place, rule in enumerate(recipe.truth) if rule.table == name},
        histograms={
            place: _histogram(rule, table) for place, rule in enumerate(recipe.histograms) if rule.table == name
        },
        aggregates={
            place: _aggregate(table[rule.column]) for place, rule in enumerate(recipe.aggregates) if rule.table == name
        },
        pairs=_pairs(sky, task) if is_director else (),
    )


def joined(before: TableTruth | None, run: TableTruth) -> TableTruth:
    """The truth of a table's rows so far and of a further run of them; sums are rounded once a run."""
    if before is None:
        return run
    return TableTruth(
        rows=before.rows + run.rows,
        extent_deg=before.extent_deg,
        counts={place: found + run.counts[place] for place, found in before.counts.items()},
        histograms={
            place: tuple(map(sum, zip(found, run.histograms[place], strict=True)))
            for place, found in before.histograms.items()
        },
        aggregates={
            place: sum_aggregates([found, run.aggregates[place]]) for place, found in before.aggregates.items()
        },
        pairs=before.pairs,
    )


def merged(recipe: Recipe, tables: Mapping[str, TableTruth]) -> ChunkTruth:
    """A chunk's truth from those of its tables; rules about tables that are not among them count nothing."""
    counts = {place: found for truth in tables.values() for place, found in truth.counts.items()}
    histograms = {place: found for truth in tables.values() for place, found in truth.histograms.items()}
    aggregates = {place: found for truth in tables.values() for place, found in truth.aggregates.items()}
    nothing = Aggregate(rows=0, sum=0, least=None, greatest=None)
    radii = 0 if recipe.neighbours is None else len(recipe.neighbours.radii_deg)
    return ChunkTruth(
        rows={name: truth.rows for name, truth in tables.items()},
        extent_deg=next((truth.extent_deg for truth in tables.values() if truth.extent_deg is not None), None),
        counts=tuple(counts.get(place, 0) for place in range(len(recipe.truth))),
        histograms=tuple(
            histograms.get(place, (0,) * (len(rule.edges) - 1)) for place, rule in enumerate(recipe.histograms)
        ),
        aggregates=tuple(aggregates.get(place, nothing) for place in range(len(recipe.aggregates))),
        pairs=next((truth.pairs for truth in tables.values() if truth.pairs), (0,) * radii),
    )


def _extent(objects: pa.Table, position: tuple[str, str]) -> tuple[float, float, float, float] | None:
    if not objects.num_rows:
        return None
    ra, decl = (objects[name].to_numpy() for name in position)
    return float(ra.min()), float(ra.max()), float(decl.min()), float(decl.max())


def _count(rule: TruthCount, table: pa.Table) -> int:
    """Rows that satisfy a rule."""
    column = table[rule.column].cast(pa.float64())
    low, high = rule.values[0], rule.values[-1]
    if rule.comparison == "between":
        is_met = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
    else:
        is_met = _COMPARISONS[rule.comparison](column, low)
    return int(pc.sum(is_met).as_py() or 0)


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.drop_null().to_numpy())


def _histogram(rule: TruthHistogram, table: pa.Table) -> tuple[int, ...]:
    counts, _ = np.histogram(_values(table[rule.column]).astype(np.float64), rule.edges)
    return tuple(counts.tolist())


def _aggregate(column: pa.ChunkedArray) -> Aggregate:
    values = _values(column)
    if not len(values):
        return Aggregate(rows=0, sum=0, least=None, greatest=None)
    is_whole = values.dtype.kind in "iu"
    total = sum(values.tolist()) if is_whole else math.fsum(values.tolist())
    return Aggregate(rows=len(values), sum=total, least=values.min().item(), greatest=values.max().item())


def sum_aggregates(parts: Sequence[Aggregate]) -> Aggregate:
    """Several chunks as one."""
    least = [part.least for part in parts if part.least is not None]
    greatest = [part.greatest for part in parts if part.greatest is not None]
    sums = [part.sum for part in parts]
    total = sum(sums) if all(isinstance(one, int) for one in sums) else math.fsum(sums)
    return Aggregate(
        rows=sum(part.rows for part in parts), sum=total, least=min(least, default=None),
        greatest=max(greatest, default=None),
    )  # fmt: skip


def _pairs(sky: SyntheticSky, task: ChunkTask) -> tuple[int, ...]:
    """Pairs of a chunk's own rows, and of its rows with those of the chunks around it, by radius."""
    rule = sky.recipe.neighbours
    if rule is None:
        return ()
    from scipy.spatial import cKDTree

    own = _vectors(sky.positions(task.chunk, task.share))
    box, margin = sky.chunker.chunk_box(task.chunk), max(rule.radii_deg)
    others = [
        _vectors(_within(sky.positions(chunk, task.share), box, margin)) for chunk in neighbours_of(sky, task, margin)
    ]
    if not len(own):
        return (0,) * len(rule.radii_deg)
    chords = [closest_chord(radius) for radius in rule.radii_deg]
    everyone = cKDTree(np.concatenate([own, *others]))
    counts = cKDTree(own).count_neighbors(everyone, chords)
    return tuple(int(count) - len(own) for count in counts)


def closest_chord(radius_deg: float) -> float:
    """The longest chord of pairs closer than an angle: just below the angle's own chord, as "closer" excludes it."""
    return float(np.nextafter(2 * math.sin(math.radians(radius_deg) / 2), 0))


def _vectors(positions: SkyPositions) -> NDArray[np.float64]:
    return unit_vectors(positions.ra, positions.dec)


def _within(positions: SkyPositions, box: Box, margin_deg: float) -> SkyPositions:
    """Positions that a box with a margin holds."""
    wide = widened(box, margin_deg)
    is_in = (positions.dec >= wide.dec_min) & (positions.dec <= wide.dec_max)
    if wide.ra_max - wide.ra_min != 360.0:
        is_in &= (positions.ra - wide.ra_min) % 360.0 <= (wide.ra_max - wide.ra_min) % 360.0
    return SkyPositions(positions.ra[is_in], positions.dec[is_in])


def answers(
    sky: SyntheticSky, rows: Mapping[str, int], chunks: Sequence[ChunkTruth], farthest_deg: float = math.inf
) -> tuple[ManifestAnswer, ...]:
    """Statements over the whole catalog with their rows: counts, the director's extent, what the recipe declares.

    Tables that ``rows`` does not count are left out, and so are pairs farther apart than queries may ask for.
    """
    recipe, director, (ra, dec) = sky.recipe, sky.director, sky.position
    made = [ManifestAnswer(sql=f"SELECT COUNT(*) FROM {name}", row=(count,)) for name, count in rows.items()]
    if director in rows:
        extent_sql = f"SELECT MIN({ra}), MAX({ra}), MIN({dec}), MAX({dec}) FROM {director}"
        made.append(ManifestAnswer(sql=extent_sql, row=_whole_extent(chunks)))
    made += [
        ManifestAnswer(sql=rule.sql, row=(sum(truth.counts[place] for truth in chunks),))
        for place, rule in enumerate(recipe.truth)
        if rule.table in rows
    ]
    made += [
        _aggregate_answer(rule, sum_aggregates([truth.aggregates[place] for truth in chunks]))
        for place, rule in enumerate(recipe.aggregates)
        if rule.table in rows
    ]
    radii = () if recipe.neighbours is None or director not in rows else recipe.neighbours.radii_deg
    made += [
        ManifestAnswer(sql=_pairs_sql(sky, radius), row=(sum(truth.pairs[place] for truth in chunks) + rows[director],))
        for place, radius in enumerate(radii)
        if radius <= farthest_deg
    ]
    return tuple(made)


def _aggregate_answer(rule: TruthColumn, found: Aggregate) -> ManifestAnswer:
    name = rule.column
    sql = f"SELECT COUNT({name}), MIN({name}), MAX({name}) FROM {rule.table}"
    return ManifestAnswer(sql=sql, row=(found.rows, found.least, found.greatest))


def _pairs_sql(sky: SyntheticSky, radius_deg: float) -> str:
    """Each row is its own neighbour here, at distance 0."""
    ra, dec = sky.position
    distance = f"scisql_angSep(o1.{ra}, o1.{dec}, o2.{ra}, o2.{dec})"
    return f"SELECT COUNT(*) FROM {sky.director} o1, {sky.director} o2 WHERE {distance} < {radius_deg!r}"


def _whole_extent(chunks: Sequence[ChunkTruth]) -> tuple[float | None, ...]:
    extents = [truth.extent_deg for truth in chunks if truth.extent_deg is not None]
    if not extents:
        return (None,) * 4
    ra_min, ra_max, decl_min, decl_max = zip(*extents, strict=True)
    return min(ra_min), max(ra_max), min(decl_min), max(decl_max)
