"""The testbed's engines as the bench sees them, and what a report wants to know of a catalog.

``testbed`` and ``bench`` do not know each other; this is where they are introduced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.bench.manifest import IngestStage
from skyshard.bench.skymap import SkyMap
from skyshard.bench.targets import Answer
from skyshard.bench.trial import TrialContext
from skyshard.chunking import Chunker
from skyshard.cluster import CZAR_NAME, MONO_NAME
from skyshard.db.connection import Account, connect
from skyshard.errors import SkyshardError
from skyshard.registry.catalog import Catalog
from skyshard.testbed import TargetName, Testbed

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
        result = self.testbed.query(sql, database=database, target=self.name)
        return Answer.of(result.table, chunks=result.stats.chunks)

    def describe(self) -> Mapping[str, object]:
        """Server variables that decide latencies, and how many nodes there are."""
        server = MONO_NAME if self.name == "mono" else CZAR_NAME
        names = ", ".join(f"'{name}'" for name in _VARIABLES)
        with connect(self.testbed.cluster.endpoint(server), Account.READER) as connection:
            variables = {str(k): str(v) for k, v in connection.rows(f"SHOW VARIABLES WHERE Variable_name IN ({names})")}
        return {"engine": "MariaDB", "nodes": len(self.testbed.nodes), "variables": variables}

    def close(self) -> None:
        """The testbed is its owner's to close."""


def trial_context(testbed: Testbed, database: str) -> TrialContext:
    """What a trial folder keeps of the catalog: layout, rows, digest, sky map, and how long its ingest took."""
    catalog = testbed.registry.catalog(database)
    return TrialContext(describe_catalog(testbed, catalog), sky_map(catalog), ingest_stages(testbed, database))


def describe_catalog(testbed: Testbed, catalog: Catalog) -> dict[str, object]:
    source = next((t["source"] for t in reversed(testbed.registry.transactions(catalog.database))), "")
    return {
        "database": catalog.database,
        "source": source,
        "family": catalog.layout.striping.family,
        "replicas": catalog.layout.replicas,
        "nodes": len(catalog.nodes),
        "rows": {name: table.rows for name, table in catalog.tables.items()},
        "chunks": len({chunk for table in catalog.tables.values() for chunk in table.chunks}),
        "data_digest": testbed.registry.data_digest(catalog.database),
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
    for transaction in reversed(testbed.registry.transactions(database)):
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
    """True when the oracle runs and holds the database."""
    try:
        with connect(testbed.cluster.endpoint(MONO_NAME), Account.READER, database):
            return True
    except SkyshardError:
        return False
