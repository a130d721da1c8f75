"""The REST interface of Qserv's czar, version 55, as a target: submit, status, result, delete.

Rules: a statement is sent as it is. Its status is asked for after ``FIRST_LOOK_S``, then less and less often, so an
answer is found late by a third of its time at most. Rows are texts, NULL the text ``NULL``; their types are those that
the answer names. A late statement is deleted; so is every result, once it was read.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.bench.target import TargetAnswer
from skyshard.bench.targets.door_access import DoorAccess, DoorAddress
from skyshard.bench.targets.http_sessions import HttpSessions
from skyshard.bench.targets.json_rows import to_table

VERSION = 55
FIRST_LOOK_S, SLOWER, LAST_LOOK_S = 0.004, 1.3, 0.5
_JSON = {"Content-Type": "application/json"}
_ROWS = b'"rows":['
_HEAD_BYTES = 1 << 20


class QservTarget:
    """One czar."""

    name = "qserv"

    def __init__(self, address: DoorAddress, access: DoorAccess) -> None:
        self._sessions = HttpSessions(address, access)
        found = self._asked("GET", "/meta/version")
        self._version = found.get("version")
        self._asked("POST", "/query", {"query": "SELECT 1", "database": ""})

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> QservCall:
        return QservCall(self, sql, database)

    def describe(self) -> Mapping[str, object]:
        return {"engine": "Qserv REST", "url": str(self._sessions.address), "version": self._version}

    def open_sessions(self, count: int) -> None:
        self._sessions.open_sessions(count)

    def close(self) -> None:
        self._sessions.close()

    def _asked(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """An exchange whose answer is small: its payload. Raises UserError, ClusterError with what the door says."""
        data, _ = self._read(method, path, body)
        return self._payload(data)

    def _read(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[bytes, float | None]:
        """A body, and when the first byte of rows was there."""
        text = None if body is None else json.dumps({**body, "version": VERSION}).encode()
        asked = f"{path}?version={VERSION}"
        document, first_s = bytearray(), None
        with self._sessions.request(method, asked, text, _JSON if text else None) as exchange:
            for piece in exchange.pieces():
                document += piece
                if first_s is None and _has_row(document):
                    first_s = time.perf_counter()
            if exchange.status != 200:
                raise ClusterError(f"{self.name}: HTTP {exchange.status}")
        return bytes(document), first_s

    def _payload(self, data: bytes) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(data)
        except ValueError:
            raise ClusterError(f"{self.name}: the answer is no whole JSON") from None
        if not found.get("success"):
            raise UserError(f"{self.name}: {' '.join(str(found.get('error')).split())[:300]}")
        return found


@dataclass(slots=True)
class QservCall:
    """One statement, submitted."""

    target: QservTarget
    sql: str
    database: str
    _number: int = 0
    _late: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> TargetAnswer:
        begun = time.perf_counter()
        with self._lock:
            self._require_wanted()
            asked = {"query": self.sql, "database": self.database}
            self._number = int(self.target._asked("POST", "/query-async", asked)["queryId"])
        self._wait()
        data, first_s = self.target._read("GET", f"/query-async/result/{self._number}")
        found = self.target._payload(data)
        table = to_table(found["schema"], found["rows"])
        with contextlib.suppress(SkyshardError):  # it is gone by itself after some days
            self.target._asked("DELETE", f"/query-async/result/{self._number}")
        return TargetAnswer(table, table.num_rows, len(data), None if first_s is None else first_s - begun)

    def _wait(self) -> None:
        """Until it is completed. Raises ClusterError where it failed, or was stopped."""
        pause_s = FIRST_LOOK_S
        while True:
            status = self.target._asked("GET", f"/query-async/status/{self._number}")["status"]
            if status["status"] == "COMPLETED":
                return
            if status["status"] != "EXECUTING":
                words = " ".join(str(status.get("error") or "").split())
                raise ClusterError(f"{self.target.name}: {status['status']}: {words[:300]}")
            self._late.wait(pause_s)
            self._require_wanted()
            pause_s = min(LAST_LOOK_S, pause_s * SLOWER)

    def _require_wanted(self) -> None:
        if self._late.is_set():
            raise ClusterError(f"{self.target.name}: stopped before it was answered")

    def cancel(self) -> bool:
        self._late.set()
        with self._lock:  # a statement that is being submitted has its number then
            if self._number:
                self.target._asked("DELETE", f"/query-async/{self._number}")
        return True


def _has_row(document: bytearray) -> bool:
    """Whether a byte of the first row is there."""
    place = document.find(_ROWS, 0, _HEAD_BYTES)
    return place >= 0 and document[place + len(_ROWS) : place + len(_ROWS) + 1] == b"["
