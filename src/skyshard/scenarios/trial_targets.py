"""The testbed's engines as the bench sees them, and what a report wants to know of a catalog.

``testbed`` and ``bench`` do not know each other; this is where they are introduced.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pyarrow as pa

from skyshard.bench.check.true_answers import TrueAnswer, Truth
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.telemetry import NoProbe, Probe, Reading, process_reading
from skyshard.bench.record.trial_manifest import IngestStage
from skyshard.bench.target import Answer, Call, Target
from skyshard.bench.trial import TrialContext
from skyshard.chunking import Chunker
from skyshard.cluster.private_cluster import CZAR_NAME, MONO_NAME
from skyshard.czar.run.scratch_tables import query_name
from skyshard.db.connection import Account, connect
from skyshard.errors import SkyshardError, UserError
from skyshard.progress import Watcher, unwatched
from skyshard.registry.published_catalog import Catalog
from skyshard.synth.recipe.release_profile import read_profile
from skyshard.synth.write.synth_manifest import read_manifest
from skyshard.testbed import TargetName, Testbed

if TYPE_CHECKING:
    from skyshard.czar.czar import Czar
    from skyshard.czar.mono import MonoTarget

PROFILE = "kpm"
"""Row counts that a share of DR1 is a share of."""

_VARIABLES = (
    "version", "key_buffer_size", "innodb_buffer_pool_size", "table_open_cache", "max_connections", "sql_mode",
    "default_storage_engine", "tmp_table_size", "max_heap_table_size",
)  # fmt: skip
_MOVING = ("partition", "load")
"""Stages of an ingest that all rows pass through."""


@dataclass(frozen=True, slots=True)
class TestbedTarget:
    """The czar or the mono server of a testbed, as a bench target."""

    testbed: Testbed
    name: TargetName

    def run(self, sql: str, database: str) -> Answer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> CzarCall | MonoCall:
        if self.name == "mono":
            return MonoCall(self.testbed.mono, sql, database)
        return CzarCall(self.testbed.czar, sql, database)

    def explain(self, sql: str, database: str) -> str:
        """The czar's plan; of the mono server its EXPLAIN."""
        if self.name == "czar":
            return self.testbed.explain(sql, database=database).as_text()
        with connect(self.testbed.cluster.endpoint(MONO_NAME), Account.READER, database) as connection:
            return "\n".join(" ".join(map(str, row)) for row in connection.rows(f"EXPLAIN {sql}"))

    def chunk_times(self, sql: str, database: str) -> Mapping[int, float]:
        """Seconds of each chunk's part of a statement; empty for the oracle, which has no chunks."""
        if self.name == "mono":
            return {}
        found: dict[int, float] = {}
        with self.testbed.czar.open(sql, database) as answer:
            answer.table()
            for unit in answer.running.units:
                found |= {chunk: found.get(chunk, 0.0) + unit.elapsed_s / len(unit.chunks) for chunk in unit.chunks}
        return found

    def describe(self) -> Mapping[str, object]:
        """Server variables that decide latencies, and how many nodes there are."""
        server = MONO_NAME if self.name == "mono" else CZAR_NAME
        names = ", ".join(f"'{name}'" for name in _VARIABLES)
        with connect(self.testbed.cluster.endpoint(server), Account.READER) as connection:
            variables = {str(k): str(v) for k, v in connection.rows(f"SHOW VARIABLES WHERE Variable_name IN ({names})")}
        return {"engine": "MariaDB", "nodes": len(self.testbed.nodes), "variables": variables}

    def close(self) -> None:
        """The testbed is its owner's to close."""


@dataclass(slots=True)
class CzarCall:
    """A statement of the czar's; its name there is known once it is planned."""

    czar: Czar
    sql: str
    database: str
    _query: str = ""
    _is_late: bool = False

    def answer(self) -> Answer:
        begun = time.perf_counter()
        with self.czar.open(self.sql, self.database) as answer:
            self._query = answer.running.query
            if self._is_late:
                answer.running.stop()
                answer.running.check()
            first = next(answer.batches, None)
            first_row_s = time.perf_counter() - begun
            batches = [*([] if first is None else [first]), *answer.batches]
            chunks = answer.stats().chunks
        return Answer.of(pa.Table.from_batches(batches, answer.schema), first_row_s=first_row_s, chunks=chunks)

    def cancel(self) -> bool:
        self._is_late = True  # before the name is read: a call that is still planned sees it
        if self._query:
            self.czar.cancel(self._query)
        return True


@dataclass(slots=True)
class MonoCall:
    """A statement of the mono server's."""

    mono: MonoTarget
    sql: str
    database: str
    _query: str = field(default_factory=query_name)

    def answer(self) -> Answer:
        return Answer.of(self.mono.execute(self.sql, self.database, query=self._query).table)

    def cancel(self) -> bool:
        self.mono.cancel(self._query)
        return True


@dataclass(frozen=True, slots=True)
class OwnedTarget:
    """A target with a testbed of its own, closed with it: for clients in other processes."""

    inner: TestbedTarget

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self, sql: str, database: str) -> Answer:
        return self.inner.run(sql, database)

    def begin(self, sql: str, database: str) -> Call:
        return self.inner.begin(sql, database)

    def describe(self) -> Mapping[str, object]:
        return self.inner.describe()

    def close(self) -> None:
        self.inner.testbed.close()


def open_target(spec: str, cluster: Path, watcher: Watcher = unwatched) -> Target:
    """A target by what a command calls it: ``czar``, ``mono``, ``duckdb:FOLDER``, ``lsdb:FOLDER`` or a SQLAlchemy URL.

    Raises:
        UserError: no such kind of target.
    """
    if spec in ("czar", "mono"):
        return OwnedTarget(TestbedTarget(Testbed(cluster), "mono" if spec == "mono" else "czar"))
    kind, _, rest = spec.partition(":")
    if kind == "duckdb" and rest:
        from skyshard.bench.targets.duckdb_target import DuckDBTarget

        return DuckDBTarget(Path(rest))
    if kind == "lsdb" and rest:
        from skyshard.bench.targets.lsdb_target import open_lsdb

        return open_lsdb(rest, watcher)
    if "://" in spec:
        from skyshard.bench.targets.url_target import UrlTarget

        return UrlTarget(spec)
    raise UserError(f"no target '{spec}'", remedy="name czar, mono, duckdb:FOLDER, lsdb:FOLDER or a SQLAlchemy URL")


class ClusterProbe:
    """Counters of every running server of a private cluster: processes from the system, caches from the servers."""

    def __init__(self, testbed: Testbed) -> None:
        running = [one for one in testbed.cluster.status() if one.pid is not None]
        self._processes = {one.name: psutil.Process(one.pid) for one in running}
        self._connections = {one.name: connect(testbed.cluster.endpoint(one.name), Account.READER) for one in running}

    def read(self) -> list[Reading]:
        return [self._one(name) for name in self._processes]

    def _one(self, name: str) -> Reading:
        names = ", ".join(f"'{variable}'" for variable in _COUNTERS)
        rows = self._connections[name].rows(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
        counters: dict[str, Any] = {_COUNTERS[str(variable)]: int(value) for variable, value in rows}
        return replace(process_reading(name, self._processes[name]), **counters)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


_COUNTERS = {
    "Key_read_requests": "key_read_requests",
    "Key_reads": "key_reads",
    "Innodb_buffer_pool_read_requests": "buffer_read_requests",
    "Innodb_buffer_pool_reads": "buffer_reads",
    "Handler_read_rnd_next": "rows_scanned",
    "Threads_running": "threads_running",
}


def trial_context(testbed: Testbed, database: str, probe: Probe | None = None) -> TrialContext:
    """What a trial folder keeps of the catalog: layout, rows, digest, sky map, and how long its ingest took."""
    catalog = testbed.registry.published.catalog(database)
    stages = ingest_stages(testbed, database)
    facts, truth = describe_catalog(testbed, catalog), known_answers(testbed, database)
    return TrialContext(facts, sky_map(catalog), stages, probe or NoProbe(), truth)


def known_answers(testbed: Testbed, database: str) -> Truth | None:
    """What the generator of a database knows, as the bench compares it."""
    known = testbed.known(database)
    if known is None:
        return None

    def work_out(sql: str) -> TrueAnswer | None:
        number = known.work_out(sql)
        return None if number is None else TrueAnswer(pa.table({"n": pa.array([number], pa.int64())}))

    return Truth.of({one.sql: TrueAnswer(_table(one.rows), one.places) for one in known.answers if one.rows}, work_out)


def _table(rows: Sequence[Sequence[object]]) -> pa.Table:
    """Known rows as an answer."""
    columns = [pa.array(values) for values in zip(*rows, strict=True)]
    return pa.Table.from_arrays(columns, names=[f"c{place}" for place in range(len(columns))])


def describe_catalog(testbed: Testbed, catalog: Catalog) -> dict[str, object]:
    source = next((t["source"] for t in reversed(testbed.registry.transactions.all(catalog.database))), "")
    return {
        "database": catalog.database,
        "source": source,
        "made": how_made(Path(str(source)), catalog),
        "family": catalog.layout.striping.family,
        "engine": catalog.layout.engine,
        "replicas": catalog.layout.replicas,
        "nodes": len(catalog.nodes),
        "rows": {name: table.rows for name, table in catalog.tables.items()},
        "chunks": len({chunk for table in catalog.tables.values() for chunk in table.chunks}),
        "data_digest": testbed.registry.contributions.data_digest(catalog.database),
    }


def how_made(source: Path, catalog: Catalog) -> dict[str, object]:
    """Of a synthetic catalog: recipe, seed, fraction of it, way of shrinking, and its share of DR1 by objects."""
    try:
        manifest = read_manifest(source)
    except SkyshardError:  # not synthetic, or its folder is gone
        return {}
    full = read_profile(PROFILE).tables["Object"].rows
    rows = catalog.tables["Object"].rows if "Object" in catalog.tables else 0
    return {
        "recipe": manifest.recipe.name,
        "seed": manifest.seed,
        "fraction": manifest.fraction,
        "shrink": str(manifest.shrink),
        "profile": PROFILE,
        "share_of_profile": float(f"{rows / full:.4g}"),
    }


def sky_map(catalog: Catalog) -> SkyMap:
    """Rows, bytes and nodes of each chunk, all chunked tables together, overlap rows left out."""
    striping = catalog.layout.striping
    chunker = Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
    rows: dict[int, int] = {}
    size: dict[int, int] = {}
    nodes: dict[int, Sequence[str]] = {}
    for table in catalog.tables.values():
        for chunk, entry in table.chunks.items():
            rows[chunk] = rows.get(chunk, 0) + entry.rows
            size[chunk] = size.get(chunk, 0) + entry.bytes // max(1, len(entry.nodes))
            nodes[chunk] = entry.nodes
    numbers = sorted(rows)
    boxes = [chunker.chunk_box(chunk) for chunk in numbers]
    return SkyMap(
        np.array(numbers, np.int32),
        np.array([box.ra_min for box in boxes]),
        np.array([box.ra_max for box in boxes]),
        np.array([box.dec_min for box in boxes]),
        np.array([box.dec_max for box in boxes]),
        np.array([rows[chunk] for chunk in numbers], np.int64),
        [nodes[chunk] for chunk in numbers],
        np.array([size[chunk] for chunk in numbers], np.int64),
    )


def ingest_stages(testbed: Testbed, database: str) -> list[IngestStage]:
    """Stages of the last finished transaction."""
    for transaction in reversed(testbed.registry.transactions.all(database)):
        report = transaction["report"] or {}
        if report.get("stages_s"):
            rows = sum(table["rows"] for table in report["tables"])
            size = sum(table["bytes"] for table in report["tables"])
            return [
                IngestStage(
                    stage=stage,
                    elapsed_s=seconds,
                    rows=rows if stage in _MOVING else 0,
                    bytes=size if stage in _MOVING else 0,
                )
                for stage, seconds in report["stages_s"].items()
            ]
    return []


def has_mono(testbed: Testbed, database: str) -> bool:
    """True when the oracle runs and holds the database.

    Raises:
        UserError: it holds the database as it was before the last transaction.
    """
    catalog = testbed.registry.published.catalog(database)
    try:
        mono = testbed.mono
    except UserError:  # its server does not run
        return False
    return mono.holds(catalog)
