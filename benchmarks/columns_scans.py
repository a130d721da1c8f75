"""Scans and joins by columns, against rows and against DuckDB over the same Parquet files; for ``columns.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from columns_sky import FIRST_KEY, Sky

SCAN = "SELECT COUNT(*), AVG(d1) FROM {Object} WHERE d0 > 0.5 AND f0 < 0.3"
SCANNED = ("d0", "d1", "f0")
"""The columns of this scan."""
JOIN = (
    "SELECT n, COUNT(*), AVG(flux) FROM {Object} o JOIN {Forced} s ON o.objectId = s.objectId "
    "WHERE d0 > 0 AND flux > 0 GROUP BY n"
)
SOURCES = 4
"""Rows of the dependent table for each object."""


def compare_scans(sky: Sky, rows: int, turns: int) -> Mapping[str, float]:
    """A scan of three columns of 41."""
    database, files = sky.database(rows), {"Object": sky.source(rows) / "Object" / "*.parquet"}
    return _ratios("scan", *_times(sky, database, SCAN, files, turns))


def compare_joins(sky: Sky, rows: int, turns: int) -> Mapping[str, float]:
    """Objects with a dependent table of four times as many rows, a filter on each, a thousand groups."""
    source, database = _joined_source(sky, rows), f"joined_{rows}"
    if not sky.has(database):
        sky.testbed.ingest(source, database=database, columns="all")
    files = {name: source / name / "*.parquet" for name in ("Object", "Forced")}
    return _ratios("join", *_times(sky, database, JOIN, files, turns, rarely="rows"))


def _ratios(what: str, wall: Mapping[str, float], processor: Mapping[str, float]) -> dict[str, float]:
    """Of elapsed times, and of processor times, which other work on the machine disturbs less."""
    made: dict[str, float] = {}
    for word, times in (("", wall), ("_processor", processor)):
        made[f"{what}_vs_duckdb{word}"] = times["columns"] / times["duckdb"]
        made[f"{what}_rows_vs_columns{word}"] = times["rows"] / times["columns"]
        made |= {f"{what}_{name}{word}_ms": 1e3 * time for name, time in times.items()}
    return made


def _times(
    sky: Sky, database: str, sql: str, files: Mapping[str, Path], turns: int, rarely: str = ""
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of the best turn of each side, and processor seconds of a mean turn, of this process and all servers.

    The sides take turns, and must give the same rows; the side ``rarely`` takes only one after the first, which warms.
    """
    other = duckdb.connect(":memory:", config={"threads": len(sky.testbed.nodes)})
    plain = sql.format(**{name: name for name in files})
    parquet = sql.format(**{name: f"'{path}'" for name, path in files.items()})
    sides: dict[str, Callable[[], pa.Table]] = {
        "rows": lambda: sky.testbed.query(plain, database=database, scan="rows").table,
        "columns": lambda: sky.testbed.query(plain, database=database, scan="columns").table,
        "duckdb": lambda: other.sql(parquet).to_arrow_table(),
    }
    best: dict[str, float] = {}
    used = dict.fromkeys(sides, 0.0)
    for turn in range(turns + 1):
        found: list[list[Any]] = []
        for name, ask in sides.items():
            if name == rarely and turn > 1:
                continue
            begun, before = perf_counter(), processor_s(sky)
            table = ask()
            took = perf_counter() - begun
            found.append(sorted([round(value, 6) for value in row.values()] for row in table.to_pylist()))
            if turn:
                best[name] = min(took, best.get(name, took))
                used[name] += (processor_s(sky) - before) / (1 if name == rarely else turns)
        if not all(np.allclose(found[0], one) for one in found[1:]):
            raise SystemExit(f"answers differ: {sql}")
    other.close()
    return best, used


def processor_s(sky: Sky) -> float:
    """Processor seconds of this process and of all servers so far."""
    pids = [int(path.read_text()) for path in sky.cluster.folder.glob("servers/*/server.pid")]
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return process_time() + sum(one.user + one.system for one in times)


def _joined_source(sky: Sky, rows: int) -> Path:
    """The input of the other measurements, and a dependent table of it."""
    folder = sky.folder / f"joined-{rows}"
    if folder.exists():
        return folder
    base = sky.source(rows)
    (folder / "Forced").mkdir(parents=True)
    (folder / "Object").symlink_to(base / "Object")
    generator, count = np.random.default_rng(7), SOURCES * rows
    owner = generator.permutation(np.arange(count) % rows)
    places = pq.read_table(base / "Object", columns=["ra", "decl"])
    forced = pa.table(
        {
            "forcedId": pa.array(np.arange(count) + 1),
            "objectId": pa.array(owner + FIRST_KEY),
            "raObject": places["ra"].take(owner),
            "decObject": places["decl"].take(owner),
            "visit": pa.array(generator.integers(0, 4000, count).astype(np.int32)),
            "flux": pa.array(generator.standard_normal(count)),
            "fluxErr": pa.array(generator.standard_normal(count, np.float32)),
        }
    )
    path = folder / "Forced" / "part0.parquet"
    pq.write_table(forced, path)
    manifest = json.loads((base / "manifest.json").read_text())
    types = {"forcedId": "bigint(20)", "objectId": "bigint(20)", "raObject": "double", "decObject": "double"}
    types |= {"visit": "int(11)", "flux": "double", "fluxErr": "float"}
    manifest["tables"]["Forced"] = {
        "role": "dependent", "key": "objectId", "director": "Object", "position": ["raObject", "decObject"],
        "primary_key": ["forcedId"],
        "columns": [{"name": name, "type": kind, "nullable": False} for name, kind in types.items()],
        "indexes": [], "rows": count,
        "files": [{"path": "Forced/part0.parquet", "chunk": None, "rows": count, "bytes": path.stat().st_size}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
