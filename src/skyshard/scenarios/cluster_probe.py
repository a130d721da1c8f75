"""Counters of a private cluster's servers, for the telemetry of a trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil

from skyshard.bench.record.telemetry import Reading, process_reading
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed


class ClusterProbe:
    """Reads every running server of a private cluster: process counters from the system, caches from the server."""

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
