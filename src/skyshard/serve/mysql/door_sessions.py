"""The sessions of a door by their numbers, and the catalog statements that they run. On the event loop only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from skyshard.serve.access import Identity
from skyshard.serve.page_services import RunningQuery
from skyshard.serve.services import PastQuery


class OpenSession(Protocol):
    """A session as its door knows it."""

    @property
    def who(self) -> Identity: ...
    @property
    def thread(self) -> int: ...
    @property
    def is_busy(self) -> bool: ...

    def stop(self) -> None:
        """End it."""

    def stop_statement(self) -> bool:
        """End the statement that the door is answering; False if there is none."""


@dataclass(slots=True)
class StatementNow:
    """A statement under way; ``query``: its name at the czar, empty until that has begun."""

    thread: int
    owner: str
    database: str
    text: str
    begun_s: float
    query: str = ""

    def listed(self, running: RunningQuery | None) -> PastQuery:
        """As the lists have it, by the number of its session; ``running``: what the czar counts of it."""
        chunks, done, rows = (running.chunks, running.chunks_done, running.rows) if running else (0, 0, 0)
        lane = running.lane if running else ""
        return PastQuery(
            self.thread, False, self.database, self.text, "executing", "", lane, self.begun_s, self.begun_s, None,
            chunks, done, rows, 0, "", self.owner,
        )  # fmt: skip


class DoorSessions:
    """Of one process: its MySQL door adds and removes them, its monitoring counts them."""

    def __init__(self) -> None:
        self.open: dict[int, OpenSession] = {}
        self._statements: dict[int, StatementNow] = {}

    def __len__(self) -> int:
        return len(self.open)

    @contextlib.contextmanager
    def entered(self, session: OpenSession) -> Iterator[None]:
        """One session, as long as it is open."""
        self.open[session.thread] = session
        try:
            yield
        finally:
            del self.open[session.thread]

    @contextlib.contextmanager
    def running(self, who: Identity, thread: int, text: str, database: str) -> Iterator[StatementNow]:
        """A statement, as long as it is answered."""
        made = StatementNow(thread, who.name, database, text, time.time())
        self._statements[thread] = made
        try:
            yield made
        finally:
            del self._statements[thread]

    def listed(self, running: Mapping[str, RunningQuery]) -> list[PastQuery]:
        """Statements of sessions, and those of other doors, which have no number; ``running``: what the czar answers
        at once, by its names."""
        mine = [one.listed(running.get(one.query)) for one in self._statements.values()]
        named = {one.query for one in self._statements.values()}
        return [*mine, *(_of_other_doors(one) for key, one in running.items() if key not in named)]


def _of_other_doors(one: RunningQuery) -> PastQuery:
    return PastQuery(
        0, False, one.database, one.statement, "executing", "", one.lane, one.submitted_s, one.begun_s, None,
        one.chunks, one.chunks_done, one.rows, one.bytes, "",
    )  # fmt: skip
