"""The cluster, the catalog and the czars that ``benchmarks/query.py`` measures."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.registry.catalog.chunk_entries import ChunkEntries
from skyshard.registry.catalog.database_names import DatabaseNames, KnownName
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.testbed import Testbed

DATABASE = "bench"
COLUMNS = "objectId, ra, decl, n, d0, d1, f0, f1"
SCAN = "SELECT COUNT(*), SUM(d0), MAX(f1) FROM Object WHERE f0 > 0.5 AND d1 < 0.3"
STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
AREA = (10.0, 34.5, -12.0, 12.0)
"""588 square degrees: a million rows make 1,700 a square degree."""
SMALL_CHUNKS = 10_000
SMALL_ROWS = 100
FIRST_KEY = 10**12
TYPES = {"objectId": "bigint(20)", "ra": "double", "decl": "double", "n": "int(11)"}
TYPES |= {f"d{i}": "double" for i in range(4)} | {f"f{i}": "float" for i in range(4)}


class Source(CatalogCache):
    """A catalog that does not change, as a czar keeps it; there is no director index."""

    def __init__(self, catalog: Catalog, registry: Registry, czar: Endpoint) -> None:
        super().__init__(registry, czar)
        names = DatabaseNames.of([KnownName(catalog.database, catalog.database, DatabaseState.PUBLISHED)])
        self._held = CatalogSnapshot(0, self, names, {catalog.database: catalog})

    def now(self) -> CatalogSnapshot:
        return self._held


def make_catalog(folder: Path, rows: int) -> Path:
    """A synth folder of random rows, uniform over the area."""
    generator = np.random.default_rng(1)
    (folder / "Object").mkdir(parents=True)
    data: dict[str, pa.Array] = {"objectId": pa.array(np.arange(rows) + FIRST_KEY)}
    data["ra"], data["decl"] = (pa.array(generator.uniform(AREA[i], AREA[i + 1], rows)) for i in (0, 2))
    data["n"] = pa.array(generator.integers(0, 1000, rows).astype(np.int32))
    for name in list(TYPES)[4:]:
        values = generator.normal(size=rows).astype(np.float32 if TYPES[name] == "float" else np.float64)
        data[name] = pa.array(values, mask=generator.random(rows) < 0.05)
    path = folder / "Object" / "part0.parquet"
    pq.write_table(pa.table(data), path)
    columns = [{"name": name, "type": kind, "nullable": kind in ("double", "float")} for name, kind in TYPES.items()]
    entry = {
        "role": "director", "key": "objectId", "director": "", "position": ["ra", "decl"], "columns": columns,
        "primary_key": ["objectId"], "indexes": [], "rows": rows,
        "files": [{"path": "Object/part0.parquet", "chunk": None, "rows": rows, "bytes": path.stat().st_size}],
    }  # fmt: skip
    manifest = {"version": 1, "recipe": {"name": "bench"}, "striping": STRIPING, "tables": {"Object": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def median_ms(work: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each repetition, sorted."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1e3)
    return sorted(times)


def best_s(work: Callable[[], object], repeats: int = 3) -> float:
    return median_ms(work, repeats)[0] / 1e3


@dataclass
class Bench:
    """A cluster with the catalog, and what is measured on it."""

    cluster: PrivateCluster
    testbed: Testbed
    rows: int
    is_quick: bool

    @cached_property
    def catalog(self) -> Catalog:
        return self.testbed.registry.published.catalog(DATABASE)

    def part(self, nodes: Sequence[str], most_chunks: int = 1_000_000) -> Catalog:
        """The catalog as if there were only the chunks of some nodes."""
        table = self.catalog.tables["Object"]
        kept = {chunk: entry for chunk, entry in table.chunks.items() if entry.nodes[0] in nodes}
        kept = dict(list(kept.items())[:most_chunks])
        rows = sum(entry.rows for entry in kept.values())
        return replace(
            self.catalog, tables={"Object": replace(table, chunks=ChunkEntries.of(kept), rows=rows)}, nodes=tuple(nodes)
        )

    def source(self, catalog: Catalog) -> Source:
        return Source(catalog, self.testbed.registry, self.cluster.endpoint("czar"))

    @contextlib.contextmanager
    def czar(self, catalog: Catalog, *, scan_threads: int) -> Iterator[Czar]:
        nodes = {name: self.cluster.node(name) for name in catalog.nodes}
        at = (self.cluster.endpoint("czar"), nodes, self.cluster.data_dir("czar"))
        with Czar(self.source(catalog), *at, scan_threads=scan_threads) as czar:
            yield czar

    @contextlib.contextmanager
    def node(self, name: str = "node1") -> Iterator[Connection]:
        with connect(self.cluster.endpoint(name), Account.ADMIN, DATABASE) as connection:
            yield connection

    @contextlib.contextmanager
    def merge_table(self, catalog: Catalog) -> Iterator[Connection]:
        """A MERGE table ``whole`` over a catalog's chunks on node1."""
        names = [f"Object_{chunk}" for chunk in catalog.tables["Object"].chunks]
        with self.node() as node:
            node.execute(f"CREATE TABLE whole LIKE {names[0]}")
            node.execute(f"ALTER TABLE whole ENGINE=MERGE UNION=({','.join(names)})")
            try:
                yield node
            finally:
                node.execute("DROP TABLE whole")

    def ids(self, count: int) -> list[int]:
        return [FIRST_KEY + number for number in random.Random(7).sample(range(self.rows), count)]

    def by_id(self, number: int) -> object:
        return self.testbed.query(f"SELECT {COLUMNS} FROM Object WHERE objectId = {number}", database=DATABASE)
