"""Questions to the target after the trial was measured: plans of slow statements, times of chunks."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import SkyshardError
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.target import Explains, Target, TimesChunks

EXPLAINED = 5
"""Slowest distinct statements whose plans are kept."""


def explain_slowest(target: Target, samples: pa.Table, statements: Sequence[str], database: str) -> dict[str, str]:
    """Plans of the statements that took longest, by statement; empty when the target does not explain."""
    if not isinstance(target, Explains) or not samples.num_rows:
        return {}
    longest = samples.group_by("statement").aggregate([("service_s", "max")])
    rows = longest.sort_by([("service_s_max", "descending")]).slice(0, EXPLAINED)["statement"].to_pylist()
    plans = {}
    for sql in (statements[row] for row in rows):
        try:
            plans[sql] = target.explain(sql, database)
        except Exception as error:  # a statement that failed may not be explained either
            plans[sql] = f"not explained: {error}"
    return plans


def time_chunks(
    sky: SkyMap | None, target: Target, samples: pa.Table, statements: Sequence[str], database: str
) -> SkyMap | None:
    """The sky map with the time of each chunk, from another run of the longest statement that read most chunks."""
    answered = samples.filter(pc.and_(pc.is_null(samples["error"]), pc.is_valid(samples["chunks"])))
    if sky is None or not isinstance(target, TimesChunks) or not answered.num_rows:
        return sky
    order = [("chunks", "descending"), ("service_s", "descending")]
    number = answered.sort_by(order)["statement"][0].as_py()
    try:
        return sky.with_times(target.chunk_times(statements[number], database))
    except SkyshardError:  # the trial is complete without these times
        return sky
