"""Submitted queries that run in this process, in the threads of its scans.

Rules: a query is its owner's and an administrator's; for all others there is none. Whatever was submitted here has
ended, in the registry, when the process ends; what another process of ours noted and did not run, since it was killed,
is run by whoever looks a minute later.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.serve.access import Access, Identity
from skyshard.serve.lanes import Lanes
from skyshard.serve.services import PastQuery, Submissions
from skyshard.serve.user_limits import Meter, require_room

T = TypeVar("T")


class SubmittedRuns:
    """Runs queries, and knows which of them have not ended. A query has a seat of its owner's until it has ended."""

    def __init__(self, submissions: Submissions, lanes: Lanes, access: Access) -> None:
        self._submissions = submissions
        self._lanes = lanes
        self._access = access
        self._submitting = threading.Lock()
        self.kept_elsewhere: Callable[[str], int] = lambda owner: 0
        """Results of somebody that no submitted query holds, such as those of jobs of TAP. May take some time."""
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._taken_over: set[int] = set()
        """Those of other processes that no thread has begun."""
        self._lock = threading.Lock()
        self._is_closed = False

    async def submit(self, sql: str, database: str, owner: str, *, more_rows: int = 0, limit_s: float = 0.0) -> int:
        """Note a statement, and have it answered; returns its number at once.

        Args:
            more_rows: so many may come beyond the owner's quota; the caller cuts them off.
            limit_s: so long it may run; 0: no limit.

        Raises:
            OverQuota: the owner has too many queries under way, or too many results.
        """
        quota = await self._lanes.call(self._access.quota_of, owner)
        self._lanes.seats.take(owner, quota)
        try:
            number = await self._lanes.call(
                self.keep, owner, functools.partial(self._submissions.submit, sql, database, owner, limit_s)
            )
        except BaseException:
            self._lanes.seats.leave(owner)
            raise
        self._begin(number, owner, more_rows)
        return number

    def keep(self, owner: str, made: Callable[[], T]) -> T:
        """What ``made`` makes, which is one result more to be kept; nobody else of this process makes one meanwhile.
        May ask a server.

        Raises:
            OverQuota: its owner keeps as many as they may.
        """
        with self._submitting:  # what is counted is there before the next one counts
            quota = self._access.quota_of(owner)
            if quota.results:
                require_room(owner, quota, self._submissions.kept_of(owner) + self.kept_elsewhere(owner))
            return made()

    async def known(self, number: int, who: Identity) -> PastQuery:
        """A query that somebody may see, end and forget.

        Raises:
            UserError: there is none, or it is somebody else's: in the same words.
        """
        found = await self._lanes.call(self._submissions.status, number)
        if not found.is_of(who):
            raise UserError(f"no query {number}", remedy="queries are those of whose token submitted them")
        return found

    async def resume(self) -> Sequence[int]:
        """Run what was left over, but for what waits here already; returns the numbers of the queries."""
        left = await self._lanes.call(self._submissions.left_over)
        numbers = [number for number in left if number not in self._under_way]
        self._taken_over.update(numbers)
        for number in numbers:
            owner = (await self._lanes.call(self._submissions.status, number)).owner
            self._lanes.seats.take_anyhow(owner)
            self._begin(number, owner, 1)  # one of TAP asks for one row more, to see that there are more
        return numbers

    def _begin(self, number: int, owner: str, more_rows: int) -> None:
        """Answer a query whose seat is taken."""
        running = self._run(number, owner, more_rows)
        task = asyncio.get_running_loop().create_task(running, name=f"query-{number}")
        self._under_way[number] = task
        task.add_done_callback(lambda _: self._ended(number, owner))

    def _ended(self, number: int, owner: str) -> None:
        self._under_way.pop(number, None)
        self._lanes.seats.leave(owner)

    async def _run(self, number: int, owner: str, more_rows: int) -> None:
        with contextlib.suppress(SkyshardError):  # they are in the history
            await self._lanes.work(self._run_now, number, owner, more_rows)

    def _run_now(self, number: int, owner: str, more_rows: int) -> None:
        with self._lock:
            if self._is_closed and number in self._taken_over:
                return
            self._taken_over.discard(number)
        self._submissions.run(number, Meter(owner, self._access.quota_of(owner), more_rows))

    async def drain(self, seconds: float) -> None:
        """Wait so long at most for what is under way."""
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()), timeout=seconds)

    async def close(self) -> None:
        """Cancel what is still under way, and wait until it has ended; what was taken over, and waits, stays queued."""
        with self._lock:
            self._is_closed = True
            waiting = self._taken_over & self._under_way.keys()
        for number in waiting:
            self._under_way.pop(number).cancel()
        numbers = list(self._under_way)
        ended = [self._lanes.call(self._submissions.cancel, number) for number in numbers]
        await asyncio.gather(*ended, return_exceptions=True)
        for task in list(self._under_way.values()):
            await asyncio.wait([task])
