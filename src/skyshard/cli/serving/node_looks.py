"""What the servers of nodes do now, and how full their disks are, as far as this host can tell."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import SkyshardError
from skyshard.cluster.node import Node
from skyshard.db.connection import Account, Endpoint, connect

ALL_S = 3.0
"""All servers together have so long to answer."""
_ASK = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', 'Questions')"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server works on now, but for the session that asks, and what it has answered."""

    statements: int
    statements_a_second: float | None


class NodeLoads:
    """Asks all servers at once, and keeps what they have said before. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: dict[str, tuple[float, int]] = {}

    def now(self, servers: Mapping[str, Endpoint]) -> dict[str, Load]:
        """Those that answer."""
        asked = AskedAtOnce({name: partial(_ask, endpoint) for name, endpoint in servers.items()})
        answers = {name: found for name, found in asked.answers(ALL_S).items() if found is not None}
        with self._lock:
            loads = {name: self._load(name, *found) for name, found in answers.items()}
            self._before = {name: (at, questions) for name, (at, _, questions) in answers.items()}
        return loads

    def _load(self, name: str, at: float, running: int, questions: int) -> Load:
        before_at, before = self._before.get(name, (at, questions))
        is_known = at > before_at and questions >= before
        return Load(max(0, running - 1), (questions - before) / (at - before_at) if is_known else None)


def disk_of(node: Node) -> tuple[int | None, int | None]:
    """Free bytes and all bytes of the disk of a node's data; None where its files are another host's."""
    with suppress(OSError):
        if node.is_here:
            found = shutil.disk_usage(node.data)
            return found.free, found.total
    return None, None


def _ask(endpoint: Endpoint) -> tuple[float, int, int] | None:
    with (
        suppress(SkyshardError),
        connect(endpoint, Account.READER, connect_timeout_s=ALL_S, answer_timeout_s=ALL_S) as reader,
    ):
        said = {str(name): int(value) for name, value in reader.rows(_ASK)}
        return time.monotonic(), said["Threads_running"], said["Questions"]
    return None
