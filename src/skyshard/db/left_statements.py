"""Statements of processes that are gone: a server goes on with them, since no one asked it to stop.

Rules: every statement carries the name of its process in front (``db.connection``); whoever opens a cluster ends what
the gone ones left. Ending is soft: a statement whose end would damage a table (a repair) is left to finish.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterable

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.db.connection import MARK, Account, Connection, Endpoint, connect
from skyshard.host.processes import is_left
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import STATEMENTS_ENDED

THREADS = 8
ANSWER_TIMEOUT_S = 5.0


def end_left(connection: Connection, events: EventLog = ONLY_LOGGED) -> int:
    """End the statements of processes that are gone, as far as the account sees them; returns how many there were."""
    left = [int(row[0]) for row in connection.rows("SHOW PROCESSLIST") if _is_left(str(row[7] or ""))]
    for number in left:
        with contextlib.suppress(UserError):  # it has ended meanwhile
            connection.execute(f"KILL SOFT {number}")
    if left:
        events.tell(STATEMENTS_ENDED, node=connection.endpoint.name, statements=len(left))
    return len(left)


def _is_left(statement: str) -> bool:
    before, mark, rest = statement.partition(MARK)
    return not before and bool(mark) and is_left(rest.partition("*/")[0])


class Ending:
    """Ends what is left on several servers, beside other work; a server that does not answer is passed over."""

    def __init__(self, endpoints: Iterable[Endpoint], events: EventLog = ONLY_LOGGED) -> None:
        self._events = events
        self._todo: queue.SimpleQueue[Endpoint] = queue.SimpleQueue()
        for endpoint in endpoints:
            self._todo.put(endpoint)
        self._threads = [
            threading.Thread(target=self._work, name="ending", daemon=True)
            for _ in range(min(THREADS, self._todo.qsize()))
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Wait until all is ended, but no longer than this."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while True:
            try:
                endpoint = self._todo.get_nowait()
            except queue.Empty:
                return
            with (
                contextlib.suppress(SkyshardError),
                connect(
                    endpoint, Account.ADMIN, connect_timeout_s=ANSWER_TIMEOUT_S, answer_timeout_s=ANSWER_TIMEOUT_S
                ) as connection,
            ):
                end_left(connection, self._events)
