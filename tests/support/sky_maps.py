"""Sky maps for tests."""

import numpy as np

from skyshard.bench.record.chunk_map import (
    SkyMap,
)


def sky_of(
    boxes: list[tuple[float, float, float, float]],
    nodes: list[tuple[str, ...]] | None = None,
    rows: list[int] | None = None,
) -> SkyMap:
    ra_min, ra_max, dec_min, dec_max = np.array(boxes, np.float64).T
    count = len(boxes)
    counts = np.array(range(1, count + 1) if rows is None else rows)
    chunks = np.arange(count, dtype=np.int32)
    return SkyMap(chunks, ra_min, ra_max, dec_min, dec_max, counts, nodes or [("n",)] * count)
