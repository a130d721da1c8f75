"""The stream of snapshots to browsers (server-sent events).

Rules: nothing is asked of the cluster while nobody looks; one snapshot a second is made for all who do. Parts are read
in threads, each group in its own time, so that what is slow comes in a later snapshot and delays none; what was read is
put into a snapshot on the event loop only. A slow reader misses snapshots, and gets what changed in all of them.
Streams end when the process is told to, and when a token goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.lanes import Lanes
from skyshard.serve.page.snapshot import Part, Read, Seen, Snapshots, read_all

EACH_S = 1.0
CHECKED_EVERY = 10
"""Events after which it is asked again whether the reader may look."""
FAILED = "the server failed, its log says why"
RETRY_MS = 2000
"""So long a browser waits before it connects again."""


class Live:
    """Makes snapshots for its readers."""

    def __init__(
        self, snapshots: Snapshots, lanes: Lanes, *, each_s: float = EACH_S, patience_s: float = EACH_S
    ) -> None:
        """``patience_s``: so long the first snapshot waits for parts that are slow."""
        self._snapshots = snapshots
        self._lanes = lanes
        self._each_s, self._patience_s = each_s, patience_s
        self._readers = 0
        self._news = asyncio.Condition()
        self._making: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def readers(self) -> int:
        return self._readers

    async def events(
        self, seen: Seen, may_look: Callable[[], Awaitable[bool]], *, is_whole: bool = True
    ) -> AsyncGenerator[str, None]:
        """One event a snapshot, as the browser reads it; ``seen`` is the last one that it knows; ``is_whole``: with
        statements."""
        self._readers += 1
        try:
            fresh = 0
            if self._making is None:
                fresh = self._snapshots.number
                self._snapshots.forget()
                self._making = asyncio.get_running_loop().create_task(self._make(), name="page")
            yield f"retry: {RETRY_MS}\n\n"
            told = 0
            while await self._wait_after(seen, fresh):
                text = self._snapshots.since(seen, time.time(), is_whole=is_whole)
                seen = self._snapshots.seen
                yield f"id: {seen}\ndata: {text}\n\n"
                told += 1
                if told % CHECKED_EVERY == 0 and not await may_look():
                    yield "event: out\ndata: {}\n\n"
                    return
            yield "event: closing\ndata: {}\n\n"
        finally:
            self._readers -= 1

    async def close(self) -> None:
        """End all streams, and make nothing more."""
        self._is_closed = True
        async with self._news:
            self._news.notify_all()
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])

    async def _wait_after(self, seen: Seen, fresh: int) -> bool:
        """Until there is a snapshot after that one, and after number ``fresh``; False: there will be none."""

        def is_news() -> bool:
            made = self._snapshots
            return made.number > fresh and (seen.maker != made.maker or made.number > seen.number)

        async with self._news:
            await self._news.wait_for(lambda: self._is_closed or is_news())
        return not self._is_closed

    async def _make(self) -> None:
        """Snapshots, as long as somebody looks."""
        try:
            while self._readers and not self._is_closed:
                await self._watch()
        finally:
            self._making = None

    async def _watch(self) -> None:
        """One a second until nobody looks."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        groups = self._snapshots.groups
        firsts = [loop.create_task(self._ask(group), name="page-part") for group in groups]
        keepers = [
            loop.create_task(self._keep(group, first, over), name="page-part")
            for group, first in zip(groups, firsts, strict=True)
        ]
        try:
            await asyncio.wait(firsts, timeout=self._patience_s)
            while self._readers and not self._is_closed:
                self._snapshots.publish()
                async with self._news:
                    self._news.notify_all()
                await asyncio.sleep(self._each_s)
            over.set()
            await asyncio.wait(keepers)
        finally:
            for one in (*firsts, *keepers):
                one.cancel()
            await asyncio.gather(*firsts, *keepers, return_exceptions=True)

    async def _keep(self, group: Sequence[Part], first: asyncio.Task[None], over: asyncio.Event) -> None:
        """Ask for a group again whenever one of its parts is due, until it is over."""
        await first
        while not over.is_set():
            due_s = min(part.due_s for part in group) - time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), max(self._each_s, due_s))
                return
            await self._ask(group)

    async def _ask(self, group: Sequence[Part]) -> None:
        """A bug in what is asked is logged, and those who look are told."""
        try:
            found = await self._lanes.look(read_all, group, time.monotonic())
        except Exception as error:
            ONLY_LOGGED.tell(DOOR_FAILED, door="page", error=f"{type(error).__name__}: {error}")
            found = [(part, Read(error=FAILED)) for part in group]
        self._snapshots.put(found)
