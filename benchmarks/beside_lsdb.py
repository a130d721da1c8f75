"""The czar beside LSDB over HATS, on the same rows: all pairs within 60 arcseconds, a cone of 60 arcseconds, an id.

    python benchmarks/beside_lsdb.py [--rows 1000000] [--repeats 3] [--json FILE]

Needs the extra ``skyshard[lsdb]``; without it says so and ends. A private cluster of two nodes holds the rows as
tables; hats-import makes a HATS catalog of them, with a margin of 60.012 arcseconds and partitions of at most 100,000
rows. LSDB is measured with dask's threads and with a dask client of two processes, opened before; the czar before and
after it. What is asked is equal, and so must be the counts of pairs, the ids in the cones and the rows found by id: a
difference ends the run. Each time is the best of the repeats to the slowest.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from query_catalog import DATABASE, FIRST_KEY, make_catalog

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

RADIUS_DEG = 0.016666
"""As ``benchmarks/query.py``: 59.998 arcseconds, within the overlap of 0.01667 degrees."""
MARGIN_ARCSEC = 60.012
NEIGHBOURS = 24
"""The most that LSDB looks for around one row; a row with as many ends the run, since it may have more."""
NEAR = (
    f"FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < {RADIUS_DEG} "
    "AND a.objectId <> b.objectId"
)
PLACES = ["objectId", "ra", "decl"]
COLUMNS = ["objectId", "ra", "decl", "n", "d0", "f0"]
PROBES = 20
"""Places and ids that cones and look-ups are asked for."""
TARGET = 2.0
"""All pairs: at most so many times LSDB's time (its better one)."""


class Hats:
    """LSDB's side: a catalog with a margin, and an index of its key where rows are asked for by id."""

    def __init__(self, folder: Path) -> None:
        import lsdb

        warnings.simplefilter("ignore")
        self.folder, self.lsdb = folder, lsdb
        self.places = lsdb.open_catalog(folder / "Object", columns=PLACES)

    @cached_property
    def columns(self) -> Any:
        return self.lsdb.open_catalog(self.folder / "Object", columns=COLUMNS)

    @cached_property
    def index(self) -> Any:
        import hats

        return hats.read_hats(self.folder / "Object" / "Object_index")

    def pairs(self) -> int:
        """Count in each partition, as a notebook would."""
        import pandas as pd

        def count(pairs: Any) -> Any:
            most = pairs["objectId_a"].value_counts().max() if len(pairs) else 0
            other = (pairs["objectId_a"] != pairs["objectId_b"]).sum()
            return pd.DataFrame({"pairs": [int(other)], "most": [int(most)]})

        meta = pd.DataFrame({"pairs": pd.Series(dtype=int), "most": pd.Series(dtype=int)})
        counts = self._crossmatch().map_partitions(count, meta=meta).compute(progress_bar=False)
        if counts["most"].max() >= NEIGHBOURS:
            raise SystemExit(f"a row has {NEIGHBOURS} neighbours or more: LSDB's answer is cut")
        return int(counts["pairs"].sum())

    def pair_rows(self) -> int:
        """Both ids and the distance of every pair, in one frame."""
        found = self._crossmatch()[["objectId_a", "objectId_b", "_dist_arcsec"]].compute(progress_bar=False)
        return int((found["objectId_a"] != found["objectId_b"]).sum())

    def _crossmatch(self) -> Any:
        return self.places.crossmatch(
            self.places, n_neighbors=NEIGHBOURS, radius_arcsec=RADIUS_DEG * 3600, require_right_margin=True,
            suffixes=("_a", "_b"), suffix_method="all_columns",
        )  # fmt: skip

    def cone(self, ra: float, decl: float) -> list[int]:
        found = self.columns.cone_search(ra, decl, RADIUS_DEG * 3600).compute(progress_bar=False)
        return sorted(found["objectId"].tolist())

    def by_id(self, number: int) -> list[int]:
        from lsdb.core.search.index_search import IndexSearch

        search = IndexSearch({"objectId": number}, {"objectId": self.index})
        found = self.columns.search(search).compute(progress_bar=False)
        return [int(value) for value in found["objectId"]]


class Ours:
    """The czar's side."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed

    def pairs(self) -> int:
        return int(self.testbed.query(f"SELECT COUNT(*) {NEAR}", database=DATABASE).table.column(0)[0].as_py())

    def pair_rows(self) -> int:
        distance = "scisql_angSep(a.ra, a.decl, b.ra, b.decl)"
        return self.testbed.query(f"SELECT a.objectId, b.objectId, {distance} {NEAR}", database=DATABASE).rows

    def cone(self, ra: float, decl: float) -> list[int]:
        return self._ids(f"qserv_areaspec_circle({ra}, {decl}, {RADIUS_DEG})")

    def by_id(self, number: int) -> list[int]:
        return self._ids(f"objectId = {number}")

    def _ids(self, where: str) -> list[int]:
        found = self.testbed.query(f"SELECT {', '.join(COLUMNS)} FROM Object WHERE {where}", database=DATABASE)
        return sorted(found.table.column(0).to_pylist())


def import_hats(source: Path, out: Path) -> float:
    """Seconds that hats-import takes, with index."""
    from dask.distributed import Client
    from hats_import import pipeline_with_client
    from hats_import.catalog.file_readers import ParquetPyarrowReader
    from hats_import.collection.arguments import CollectionArguments

    from skyshard.bench.targets.hats_catalogs import write_index

    begun = time.perf_counter()
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        arguments = CollectionArguments(output_path=str(out), output_artifact_name="Object", progress_bar=False)
        arguments = arguments.catalog(
            input_file_list=sorted((source / "Object").glob("*.parquet")), file_reader=ParquetPyarrowReader(),
            ra_column="ra", dec_column="decl", catalog_type="object", mapping_healpix_order=9,
            pixel_threshold=PARTITION_ROWS,
        ).add_margin(margin_threshold=MARGIN_ARCSEC, is_default=True)  # fmt: skip
        pipeline_with_client(arguments, client)
    write_index(out, "Object", "objectId")
    return time.perf_counter() - begun


PARTITION_ROWS = 100_000
"""Ten partitions or more of a million rows: two workers need several each."""


@contextmanager
def dask_workers(count: int) -> Iterator[None]:
    """dask's threads (0), or a client of so many processes of one thread."""
    if not count:
        yield
        return
    from dask.distributed import Client

    with Client(n_workers=count, threads_per_worker=1, dashboard_address=None):
        yield


def timed(work: Callable[[], object]) -> tuple[float, object]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def measure(side: Ours | Hats, places: list[tuple[float, float]], ids: list[int], repeats: int) -> dict[str, Any]:
    """Seconds of each repeat and the answers; one round before that does not count."""
    side.cone(*places[0])
    side.by_id(ids[0])
    pairs = [timed(side.pairs) for _ in range(repeats)]
    pair_rows = [timed(side.pair_rows) for _ in range(repeats)]
    cones = [[timed(partial(side.cone, *place)) for place in places] for _ in range(repeats)]
    rows = [[timed(partial(side.by_id, number)) for number in ids] for _ in range(repeats)]
    return {
        "pairs_s": sorted(seconds for seconds, _ in pairs), "pairs": pairs[0][1],
        "pair_rows_s": sorted(seconds for seconds, _ in pair_rows), "pair_rows": pair_rows[0][1],
        "cone_s": sorted(statistics.median(seconds for seconds, _ in one) for one in cones),
        "cones": [found for _, found in cones[0]],
        "id_s": sorted(statistics.median(seconds for seconds, _ in one) for one in rows),
        "ids": [found for _, found in rows[0]],
    }  # fmt: skip


def run(rows: int, repeats: int) -> dict[str, Any]:
    random = np.random.default_rng(5)
    places = [(float(ra), float(decl)) for ra, decl in random.uniform((11, -11), (33, 11), (PROBES, 2))]
    ids = [FIRST_KEY + int(number) for number in random.integers(0, rows, PROBES)]
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        folder = Path(name)
        source = make_catalog(folder / "catalog", rows)
        import_s = import_hats(source, folder / "hats")
        found: dict[str, dict[str, Any]] = {}
        cluster = PrivateCluster(folder / "cluster")
        try:
            cluster.start(2)
            with Testbed(cluster.folder) as testbed:
                ingest_s, _ = timed(lambda: testbed.ingest(source, database=DATABASE))
                found["czar"] = measure(Ours(testbed), places, ids, repeats)
                for label, workers in (("LSDB, threads", 0), ("LSDB, 2 processes", 2)):
                    with dask_workers(workers):
                        found[label] = measure(Hats(folder / "hats"), places, ids, repeats)
                found["czar again"] = measure(Ours(testbed), places, ids, repeats)
        finally:
            if cluster.exists:
                cluster.destroy()
    for label, one in found.items():
        for answer in ("pairs", "pair_rows", "cones", "ids"):
            if one[answer] != found["czar"][answer]:
                raise SystemExit(f"{label} answers {answer} differently from the czar")
    return {"rows": rows, "hats_import_s": import_s, "ingest_s": ingest_s, "sides": found}


def ratio(sides: dict[str, dict[str, Any]], name: str) -> float:
    """The czar's best time over LSDB's best."""
    best = {
        is_ours: min(one[name][0] for label, one in sides.items() if label.startswith("czar") == is_ours)
        for is_ours in (True, False)
    }
    return float(best[True] / best[False])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args()
    if missing := [name for name in ("lsdb", "hats_import") if importlib.util.find_spec(name) is None]:
        print(f"skipped: {' and '.join(missing)} not installed; pip install 'skyshard[lsdb]'", file=sys.stderr)
        return
    found = run(options.rows, options.repeats)
    sides = found["sides"]
    print(f"{options.rows:,} rows, {sides['czar']['pairs']:,} pairs, all answers equal; lsdb {version('lsdb')}")
    print(f"import to HATS {found['hats_import_s']:.1f} s, ingest {found['ingest_s']:.1f} s")
    print(f"{'':<18} {'pairs counted':>18} {'pairs as rows':>18} {'cone, 60 arcsec':>20} {'one object by id':>20}")
    for label, one in sides.items():
        shown = [f"{one[name][0]:.2f} to {one[name][-1]:.2f} s" for name in ("pairs_s", "pair_rows_s")]
        shown += [f"{one[name][0] * 1e3:.1f} to {one[name][-1] * 1e3:.1f} ms" for name in ("cone_s", "id_s")]
        print(f"{label:<18} {shown[0]:>18} {shown[1]:>18} {shown[2]:>20} {shown[3]:>20}")
    ratios = {name: ratio(sides, name) for name in ("pairs_s", "pair_rows_s", "cone_s", "id_s")}
    for name, found_ratio in ratios.items():
        print(f"{name.removesuffix('_s'):<10} {found_ratio:.3g} times the time of the better LSDB")
    print(f"target: pairs at most {TARGET:g} times")
    if options.json:
        figures = {
            label: {name: value for name, value in one.items() if name.endswith("_s")} for label, one in sides.items()
        }
        summary = {**found, "sides": figures, "vs_lsdb": ratios, "target": TARGET}
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
