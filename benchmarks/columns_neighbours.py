"""All pairs within 60 arcseconds: from column images and by the nodes, and beside LSDB where that is installed.

LSDB is measured in dask's threads, warm, over a HATS catalog of the same rows, which it writes itself: that takes an
eighth of the time of hats-import (``beside_lsdb.py``), and made the same partitions. The counts must be equal. Where
LSDB is absent only the czar's own two ways are compared.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pyarrow.parquet as pq
from beside_lsdb import MARGIN_ARCSEC, NEAR, PARTITION_ROWS, PLACES, Hats
from columns_sky import Sky

from skyshard.basics.scan_way import ScanWay

DISTANCE = "scisql_angSep(a.ra, a.decl, b.ra, b.decl)"


def compare_neighbours(sky: Sky, rows: int, turns: int) -> dict[str, float]:
    """Ratios of the best turns: ``neighbours_rows_vs_columns`` (how many times as long the nodes take), and beside
    LSDB ``neighbours_vs_lsdb`` (counted) and ``neighbour_rows_vs_lsdb`` (ids and distances as rows)."""
    database = sky.database(rows)

    def count(scan: ScanWay = "columns") -> int:
        sql = f"SELECT COUNT(*) {NEAR}"
        return int(sky.testbed.query(sql, database=database, scan=scan).table.column(0)[0].as_py())

    def as_rows() -> int:
        return sky.testbed.query(f"SELECT a.objectId, b.objectId, {DISTANCE} {NEAR}", database=database).rows

    sides: dict[str, Callable[[], int]] = {"columns": count, "nodes": lambda: count("rows")}
    if has_lsdb():
        sides |= {"rows": as_rows, **_lsdb_sides(sky, rows)}
    else:
        print("lsdb is not installed: no ratio to LSDB", file=sys.stderr)
    best = _best_s(sides, turns)
    found = {"neighbours_rows_vs_columns": best["nodes"] / best["columns"]}
    if "lsdb" in best:
        found["neighbours_vs_lsdb"] = best["columns"] / best["lsdb"]
        found["neighbour_rows_vs_lsdb"] = best["rows"] / best["lsdb rows"]
    return found | {f"neighbours_{name.replace(' ', '_')}_s": seconds for name, seconds in best.items()}


def has_lsdb() -> bool:
    """Whether LSDB can be imported."""
    return importlib.util.find_spec("lsdb") is not None


def _lsdb_sides(sky: Sky, rows: int) -> dict[str, Callable[[], int]]:
    folder: Path = sky.folder / f"hats-{rows}"
    if not folder.exists():
        _write_hats(sky.source(rows), folder)
    hats = Hats(folder)
    return {"lsdb": hats.pairs, "lsdb rows": hats.pair_rows}


def _write_hats(source: Path, folder: Path) -> None:
    """A HATS catalog of keys and positions, with a margin, in the partitions that hats-import makes of them."""
    import lsdb

    places = pq.read_table(source / "Object", columns=PLACES).to_pandas()
    catalog = lsdb.from_dataframe(
        places, ra_column="ra", dec_column="decl", partition_rows=PARTITION_ROWS, margin_threshold=MARGIN_ARCSEC,
        catalog_name="Object",
    )  # fmt: skip
    catalog.write_catalog(folder / "Object", as_collection=True, progress_bar=False)


def _best_s(sides: dict[str, Callable[[], int]], turns: int) -> dict[str, float]:
    """The shortest time of each side, turns of all sides alternating; the first one warms them, and does not count.
    The nodes, which take several times as long as the others, take one more only.

    Raises:
        SystemExit: two sides find different numbers of pairs.
    """
    best: dict[str, float] = {}
    for turn in range(turns + 1):
        found = {}
        for name, side in sides.items():
            if name == "nodes" and turn > 1:
                continue
            begun = perf_counter()
            found[name] = side()
            took = perf_counter() - begun
            if turn:
                best[name] = min(took, best.get(name, took))
        if len(set(found.values())) > 1:
            raise SystemExit(f"the sides find different numbers of pairs: {found}")
    return best
