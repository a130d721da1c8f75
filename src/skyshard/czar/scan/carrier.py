"""Carries the data files of scratch tables through SQL sessions, for a server whose files this host does not see.

Rules: an account of its own reads them (``LOAD_FILE``) and may do nothing else; a file comes whole, so tables stay
small (``piece_bytes``); what comes is compared with what the server counts. Safe for threads.
"""

from __future__ import annotations

from skyshard.basics.errors import ClusterError
from skyshard.db.connection import Account, Endpoint
from skyshard.db.sessions import Sessions
from skyshard.db.silence_watch import SilenceWatch
from skyshard.log.event_log import ONLY_LOGGED, EventLog

PIECE_BYTES = 32 << 20
"""So much is carried at once: the driver takes three times as much memory meanwhile."""
SPARE_BYTES = 1 << 20
"""Of the server's longest packet, for what else is in it."""


class Carrier:
    """The carrying sessions of one server.

    ``why_not`` says why it carries nothing; empty where it does, None before anybody has tried
    (``run.carrier_check``).
    """

    def __init__(self, endpoint: Endpoint, silence: SilenceWatch, events: EventLog = ONLY_LOGGED) -> None:
        self.sessions = Sessions(endpoint, Account.CARRIER, silence=silence, events=events)
        self.piece_bytes = PIECE_BYTES
        self.why_not: str | None = None
        self.tried_s = 0.0
        """When ``why_not`` was found, on the clock ``time.monotonic``."""

    def limit_packet(self, longest: int) -> None:
        """The server sends no longer packets than this."""
        self.piece_bytes = max(SPARE_BYTES, min(PIECE_BYTES, longest - SPARE_BYTES))

    def fetch(self, query: str, table: str, file: str, rows: int, size: int) -> bytes:
        """The data file of a table that holds so many rows, in so many bytes.

        Args:
            table: its name, quoted.
            file: its data file below the server's data folder.

        Raises:
            ClusterError: it has other rows, or cannot be read.
        """
        with self.sessions.lease(query) as connection:
            sql = f"SELECT (SELECT COUNT(*) FROM {table}), LOAD_FILE(CONCAT(@@datadir, %s))"
            ((count, found),) = connection.rows(sql, [file])
        if found is None or len(found) != size or count != rows:
            has = "cannot be read" if found is None else f"holds {len(found)} bytes, {count} rows"
            raise ClusterError(
                f"{self.sessions.name}: scratch file {file} {has}; {size} bytes, {rows} rows were written",
                remedy="ask again; see `skyshard cluster check`",
                retryable=True,
            )
        return bytes(found)

    def close(self) -> None:
        self.sessions.close()
