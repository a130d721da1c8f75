"""The czar and the mono server of a testbed as targets of the bench, which does not know testbeds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.scan_way import ScanWay
from skyshard.bench.target import TargetAnswer, TargetCall
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME
from skyshard.cluster.server_variables import changed_variables
from skyshard.czar.czar import Czar
from skyshard.czar.mono import MonoTarget
from skyshard.czar.run.scratch_tables import query_name
from skyshard.db.connection import Account, connect
from skyshard.testbed import TargetName, Testbed

_VARIABLES = (
    "version", "key_buffer_size", "innodb_buffer_pool_size", "table_open_cache", "max_connections", "sql_mode",
    "default_storage_engine", "tmp_table_size", "max_heap_table_size",
)  # fmt: skip
VARIABLES_S = 30.0
"""All servers together have so long to say their variables."""


OWN: Mapping[str, tuple[TargetName, ScanWay | None]] = {
    "czar": ("czar", None),
    "czar:auto": ("czar", "auto"),
    "czar:rows": ("czar", "rows"),
    "czar:columns": ("czar", "columns"),
    "mono": ("mono", None),
}
"""Targets of a testbed by their names in commands, and how they scan."""


@dataclass(frozen=True, slots=True)
class TestbedTarget:
    """The czar or the mono server of a testbed, as a bench target."""

    testbed: Testbed
    kind: TargetName
    scan: ScanWay | None = None
    """How the czar scans; None: as was chosen for the cluster."""

    @property
    def name(self) -> str:
        return self.kind if self.scan is None else f"{self.kind}-{self.scan}"

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> CzarCall | MonoCall:
        if self.kind == "mono":
            return MonoCall(self.testbed.mono, sql, database)
        return CzarCall(self.testbed.czar, sql, database, self.scan)

    def explain(self, sql: str, database: str) -> str:
        """The czar's plan, or the mono server's EXPLAIN."""
        if self.kind == "czar":
            return self.testbed.explain(sql, database=database, scan=self.scan).as_text()
        with connect(self.testbed.cluster.endpoint(MONO_NAME), Account.READER, database) as connection:
            return "\n".join(" ".join(map(str, row)) for row in connection.rows(f"EXPLAIN {sql}"))

    def chunk_times(self, sql: str, database: str) -> Mapping[int, float]:
        """Seconds for each chunk of a statement; empty for the mono server, which has no chunks."""
        if self.kind == "mono":
            return {}
        found: dict[int, float] = {}
        with self.testbed.czar.open(sql, database, scan=self.scan) as answer:
            answer.table()
            for unit in answer.running.units:
                found |= {chunk: found.get(chunk, 0.0) + unit.elapsed_s / len(unit.chunks) for chunk in unit.chunks}
        return found

    def describe(self) -> Mapping[str, object]:
        """Server variables that influence latencies, and the number of nodes."""
        server = MONO_NAME if self.kind == "mono" else CZAR_NAME
        names = ", ".join(f"'{name}'" for name in _VARIABLES)
        with connect(self.testbed.cluster.endpoint(server), Account.READER) as connection:
            variables = {str(k): str(v) for k, v in connection.rows(f"SHOW VARIABLES WHERE Variable_name IN ({names})")}
        facts = {"engine": "MariaDB", "nodes": len(self.testbed.nodes), "variables": variables}
        if self.kind == "mono":
            return facts
        czar = self.testbed.czar
        return facts | {"scan": self.scan or czar.scan, "scan_threads": czar.scan_threads}

    def changed_variables(self) -> Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]]:
        """Variables of each server that answers statements, of those that are up."""
        names = (MONO_NAME,) if self.kind == "mono" else (CZAR_NAME, *self.testbed.nodes)
        asked = AskedAtOnce({name: partial(self._changed, name) for name in names})
        answers = asked.answers(VARIABLES_S)
        return {name: found for name in names if (found := answers.get(name)) is not None}

    def _changed(self, name: str) -> tuple[str, Mapping[str, tuple[str, str]]] | None:
        with suppress(ClusterError, UserError):  # a server that is down says nothing, and the trial is kept
            return changed_variables(self.testbed.cluster.endpoint(name))
        return None

    def close(self) -> None:
        """The testbed is closed by its owner."""


@dataclass(slots=True)
class CzarCall:
    """A statement for the czar; its name there is known when it has been planned."""

    czar: Czar
    sql: str
    database: str
    scan: ScanWay | None = None
    _query: str = ""
    _is_late: bool = False

    def answer(self) -> TargetAnswer:
        begun = time.perf_counter()
        with self.czar.open(self.sql, self.database, scan=self.scan) as answer:
            self._query = answer.running.query
            if self._is_late:
                answer.running.stop()
                answer.running.check()
            first = next(answer.batches, None)
            first_row_s = time.perf_counter() - begun
            batches = [*([] if first is None else [first]), *answer.batches]
            chunks, column_bytes = answer.stats().chunks, answer.running.column_bytes
        table = pa.Table.from_batches(batches, answer.schema)
        return TargetAnswer.of(table, first_row_s=first_row_s, chunks=chunks, column_bytes=column_bytes)

    def cancel(self) -> bool:
        self._is_late = True  # set before the name is read, so that a call that is still being planned sees it
        if self._query:
            self.czar.cancel(self._query)
        return True


@dataclass(slots=True)
class MonoCall:
    """A statement for the mono server."""

    mono: MonoTarget
    sql: str
    database: str
    _query: str = field(default_factory=query_name)

    def answer(self) -> TargetAnswer:
        return TargetAnswer.of(self.mono.execute(self.sql, self.database, query=self._query).table)

    def cancel(self) -> bool:
        self.mono.cancel(self._query)
        return True


@dataclass(frozen=True, slots=True)
class OwnedTarget:
    """A target with a testbed of its own, which it closes; for clients in other processes."""

    inner: TestbedTarget

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.inner.run(sql, database)

    def begin(self, sql: str, database: str) -> TargetCall:
        return self.inner.begin(sql, database)

    def describe(self) -> Mapping[str, object]:
        return self.inner.describe()

    def close(self) -> None:
        self.inner.testbed.close()


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
