"""Statements of processes that are gone: a server goes on with them, since no one asked it to stop.

Rules: every statement carries the name of its process in front, one within another behind its first word
(``db.connection``); whoever opens a cluster ends what the gone ones left. Ending is soft: a statement whose end would
damage a table (a repair) is left to finish.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import SkyshardError, UserError
from skyshard.db.connection import MARK, Account, Connection, Endpoint, connect
from skyshard.host.processes import is_left
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import STATEMENTS_ENDED

THREADS = 32
ANSWER_TIMEOUT_S = 5.0
_IN_FRONT = re.compile(r"(?:\(*\w+ )?")
"""Of the mark."""
OFF_HOST_S = 1.0
"""So long a command that has done its work waits for other hosts: what is left there, the next command ends."""


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
    return bool(mark) and _IN_FRONT.fullmatch(before) is not None and is_left(rest.partition("*/")[0])


class Ending:
    """Ends what is left on several servers, beside other work; a server that does not answer is passed over."""

    def __init__(self, endpoints: Iterable[Endpoint], events: EventLog = ONLY_LOGGED) -> None:
        work = {endpoint: partial(_end_on, endpoint, events) for endpoint in endpoints}
        self._here, self._elsewhere = (
            AskedAtOnce({str(one): end for one, end in work.items() if one.is_off_host is off_host}, at_once=THREADS)
            for off_host in (False, True)
        )

    def wait(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Wait until all is ended, but no longer than this; for servers of other hosts only ``OFF_HOST_S``."""
        begun = time.monotonic()
        self._here.answers(timeout_s)
        self._elsewhere.answers(max(0.0, min(OFF_HOST_S, timeout_s) - (time.monotonic() - begun)))


def _end_on(endpoint: Endpoint, events: EventLog) -> None:
    with (
        contextlib.suppress(SkyshardError),
        connect(
            endpoint, Account.ADMIN, connect_timeout_s=ANSWER_TIMEOUT_S, answer_timeout_s=ANSWER_TIMEOUT_S
        ) as connection,
    ):
        end_left(connection, events)
