"""TAP as a target: synchronous queries, answers as VOTable in BINARY2. Sources: TAP 1.1, DALI 1.1.

Rules: a statement is translated to ADQL first; templates whose statements cannot be are left out, with the service's
own reason where it gives one. A late query is stopped by hanging up. An answer that was cut (OVERFLOW) is an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.target import TargetAnswer
from skyshard.bench.targets.adql_form import Positions, to_adql
from skyshard.bench.targets.door_access import DoorAccess, DoorAddress
from skyshard.bench.targets.http_sessions import HttpSessions, Stopper
from skyshard.bench.targets.votable_rows import STREAM_BEGIN, ReadVOTable, read_votable

MOST_ROWS = 1_000_000_000
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_HEAD_BYTES = 1 << 20


class TapTarget:
    """One TAP service. ``positions``: directors and their columns of position."""

    name = "tap"

    def __init__(self, address: DoorAddress, access: DoorAccess, positions: Positions) -> None:
        self._sessions = HttpSessions(address, access)
        self._positions = positions
        self._ask("SELECT TOP 1 table_name FROM TAP_SCHEMA.tables", Stopper())

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> TapCall:
        return TapCall(self, to_adql(sql, database, self._positions))

    def why_not(self, sql: str, database: str) -> str:
        """Why the service does not answer a statement, from its translation or from itself; empty where it does."""
        try:
            self._ask(to_adql(sql, database, self._positions), Stopper(), most_rows=0)
        except UserError as error:
            return error.what
        return ""

    def describe(self) -> Mapping[str, object]:
        return {"engine": "TAP", "url": str(self._sessions.address), "format": "BINARY2"}

    def open_sessions(self, count: int) -> None:
        self._sessions.open_sessions(count)

    def close(self) -> None:
        self._sessions.close()

    def _ask(self, adql: str, stopper: Stopper, most_rows: int = MOST_ROWS) -> TargetAnswer:
        asked = {"LANG": "ADQL", "QUERY": adql, "MAXREC": str(most_rows), "RESPONSEFORMAT": "votable/b2"}
        begun, first_row_s = time.perf_counter(), None
        document = bytearray()
        with self._sessions.request("POST", "/sync", urlencode(asked).encode(), _FORM, stopper) as exchange:
            for piece in exchange.pieces():
                document += piece
                if first_row_s is None and _has_row(document):
                    first_row_s = time.perf_counter() - begun
        found = self._checked(exchange.status, bytes(document), is_whole=most_rows > 0)
        return TargetAnswer(found.table, found.table.num_rows, len(document), first_row_s)

    def _checked(self, status: int, document: bytes, *, is_whole: bool) -> ReadVOTable:
        try:
            found = read_votable(document)
        except ClusterError as error:
            raise ClusterError(f"{self.name}: HTTP {status}: {error.what}") from None
        if status >= 500 or (found.status == "ERROR" and status == 200):
            raise ClusterError(f"{self.name}: {found.words[:300] or f'HTTP {status}'}")
        if status != 200:
            raise UserError(f"{self.name}: {found.words[:300] or f'HTTP {status}'}")
        if found.status == "OVERFLOW" and is_whole:
            raise ClusterError(f"{self.name}: the answer was cut after {found.table.num_rows:,} rows (OVERFLOW)")
        return found


@dataclass(slots=True)
class TapCall:
    """One query."""

    target: TapTarget
    adql: str
    _stopper: Stopper = field(default_factory=Stopper)

    def answer(self) -> TargetAnswer:
        return self.target._ask(self.adql, self._stopper)

    def cancel(self) -> bool:
        self._stopper.stop()
        return True


def _has_row(document: bytearray) -> bool:
    """Whether a byte of the rows is there."""
    begin = STREAM_BEGIN.search(document, 0, _HEAD_BYTES)
    return begin is not None and len(document) > begin.end() and document[begin.end() : begin.end() + 1] != b"<"
