"""What the answers to a catalog's queries must be, from the rows themselves, chunk by chunk. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.synth.columns import OBJECT
from skyshard.synth.manifest import Answer, ChunkTruth
from skyshard.synth.recipe import Recipe, TruthCount

_EXTENT_SQL = f"SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM {OBJECT}"
_COMPARISONS = {">": pc.greater, "<": pc.less, ">=": pc.greater_equal, "<=": pc.less_equal}


def chunk_truth(recipe: Recipe, tables: Mapping[str, pa.Table]) -> ChunkTruth:
    """The truth of one chunk's rows."""
    return ChunkTruth(
        rows={name: table.num_rows for name, table in tables.items()},
        extent_deg=_extent(tables[OBJECT]),
        counts=tuple(_count(rule, tables[rule.table]) for rule in recipe.truth),
    )


def _extent(objects: pa.Table) -> tuple[float, float, float, float] | None:
    if not objects.num_rows:
        return None
    ra, decl = (objects[name].to_numpy() for name in ("ra", "decl"))
    return float(ra.min()), float(ra.max()), float(decl.min()), float(decl.max())


def _count(rule: TruthCount, table: pa.Table) -> int:
    """Rows that satisfy a rule; a NULL satisfies none. FLOAT columns are compared as doubles, as the server does."""
    column = table[rule.column].cast(pa.float64())
    low, high = rule.values[0], rule.values[-1]
    if rule.comparison == "between":
        is_met = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
    else:
        is_met = _COMPARISONS[rule.comparison](column, low)
    return int(pc.sum(is_met).as_py() or 0)


def answers(recipe: Recipe, rows: Mapping[str, int], chunks: Sequence[ChunkTruth]) -> tuple[Answer, ...]:
    """Statements over the whole catalog with their rows: counts, the director's extent, the recipe's own."""
    counted = [Answer(sql=f"SELECT COUNT(*) FROM {name}", row=(count,)) for name, count in rows.items()]
    kept = [
        Answer(sql=rule.sql, row=(sum(truth.counts[place] for truth in chunks),))
        for place, rule in enumerate(recipe.truth)
    ]
    return (*counted, Answer(sql=_EXTENT_SQL, row=_whole_extent(chunks)), *kept)


def _whole_extent(chunks: Sequence[ChunkTruth]) -> tuple[float | None, ...]:
    extents = [truth.extent_deg for truth in chunks if truth.extent_deg is not None]
    if not extents:
        return (None,) * 4
    ra_min, ra_max, decl_min, decl_max = zip(*extents, strict=True)
    return min(ra_min), max(ra_max), min(decl_min), max(decl_max)
