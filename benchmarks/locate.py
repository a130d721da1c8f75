"""Speed of chunk numbering on one core: positions, overlap copies, regions and set-up.

    python benchmarks/locate.py [--rows N] [--repeats K] [--json FILE]

Positions are uniform on the sphere from a fixed seed. Each figure is the best of K repeats, in one thread; "median"
stands beside it, so that a busy machine shows. Rates are input rows a second.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skyshard.chunking import Chunker
from skyshard.chunking.sphere import Box, Circle, Polygon, Region
from skyshard.cli.commands.locate import locate_csv

SEED = 20240229
LAYOUTS = ((340, 3, 0.01667), (85, 12, 0.01667), (18, 100, 0.01))
REGIONS: dict[str, Region] = {
    "cone 0.1 deg": Circle(53.1, -28.1, 0.1),
    "cone 3 deg": Circle(53.1, -28.1, 3.0),
    "box 10 x 10 deg": Box(350, -5, 0, 5),
    "polygon 50 deg": Polygon.of(10, 10, 60, 10, 50, 40),
    "whole sky": Box(0, -90, 360, 90),
}


def seconds(action: Callable[[], object], repeats: int) -> dict[str, float]:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return {"best_s": min(taken), "median_s": statistics.median(taken)}


def measure(rows: int, repeats: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(SEED)
    ra, dec = rng.uniform(0, 360, rows), np.degrees(np.arcsin(rng.uniform(-1, 1, rows)))
    results: list[dict[str, Any]] = []

    def add(what: str, layout: object, count: int, action: Callable[[], object], times: int = repeats) -> None:
        results.append({"what": what, "layout": str(layout), "count": count, **seconds(action, times)})

    for numbers in LAYOUTS:
        chunker = Chunker(*numbers)
        add("set-up", chunker, 1, partial(Chunker, *numbers))
        add("locate", chunker, rows, partial(chunker.locate, ra, dec))
        add("overlap copies", chunker, rows, partial(chunker.overlap_copies, ra, dec))
    chunker = Chunker(*LAYOUTS[0])
    for name, region in REGIONS.items():
        chunker.chunks_in(region)
        add(f"chunks in {name}", chunker, 1, partial(chunker.chunks_in, region), 20 * repeats)
    lines = min(rows, 500_000)
    pairs = zip(ra[:lines].tolist(), dec[:lines].tolist(), strict=True)
    text = ("ra,dec\n" + "".join(f"{a!r},{d!r}\n" for a, d in pairs)).encode()
    add("CSV to CSV", chunker, lines, lambda: locate_csv(chunker, io.BytesIO(text), io.BytesIO(), "memory"))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = measure(options.rows, options.repeats)
    print(f"{'what':26} {'striping':26} {'best':>12} {'median':>12} {'rate':>12}")
    for r in results:
        best, median, count = float(r["best_s"]), float(r["median_s"]), int(r["count"])
        rate = f"{count / best / 1e6:8.1f} M/s" if count > 1 else ""
        print(f"{r['what']:26} {r['layout']:26} {best * 1e3:9.3f} ms {median * 1e3:9.3f} ms {rate:>12}")
    if options.json:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
        content = {"seed": SEED, "numpy": np.__version__, **machine, "results": results}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
