"""The stream: one snapshot for all who look, none while nobody does, an end when it is told to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tests.support.played_services import PlayedOverview, PlayedQueries, played_services

from skyshard.serve.lanes import Lanes
from skyshard.serve.page.live import CHECKED_EVERY, Live
from skyshard.serve.page.snapshot import Seen, Snapshots, parts_of
from skyshard.serve.page_services import CatalogNow, RunningQuery

T = TypeVar("T")
QUERY = RunningQuery("q_1", None, "sky", "SELECT 1", "executing", "scan", 1.0, 1.0, 4, 2, 5, 80, 1.0, True)
NOTHING = Seen("", 0)


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def looked_at(overview: PlayedOverview, look: Callable[[Live], Awaitable[None]], *, patience_s: float = 60.0) -> None:
    """A stream of short seconds, over a played cluster."""
    services = replace(played_services(PlayedQueries({})), overview=overview)
    lanes = Lanes(services.queries)

    async def run() -> None:
        live = Live(Snapshots(parts_of(services)), lanes, each_s=0.01, patience_s=patience_s)
        try:
            await look(live)
        finally:
            await live.close()

    asyncio.run(run())
    lanes.close()


async def next_data(events: AsyncIterator[str]) -> tuple[str, dict[str, object]]:
    """Id and content of the next snapshot."""
    async for event in events:
        if event.startswith("id: "):
            first, second, *_ = event.splitlines()
            return first.removeprefix("id: "), json.loads(second.removeprefix("data: "))
    raise AssertionError("the stream has ended")


def test_all_readers_share_one_snapshot_and_each_gets_all_at_first() -> None:
    """The cluster is asked once for both."""
    overview = PlayedOverview()

    async def look(live: Live) -> None:
        readers = [live.events(NOTHING, yes) for _ in range(2)]
        found = await asyncio.gather(*map(next_data, readers))
        assert [set(data) >= {"queries", "nodes"} for _, data in found] == [True, True]
        assert live.readers == 2
        assert overview.asked == 1
        for reader in readers:
            await reader.aclose()

    looked_at(overview, look)


def test_nothing_is_asked_while_nobody_looks() -> None:
    """The task that asks has ended soon after the last reader."""
    overview = PlayedOverview()

    async def look(live: Live) -> None:
        assert overview.asked == 0
        reader = live.events(NOTHING, yes)
        await next_data(reader)
        await reader.aclose()
        assert live.readers == 0
        while [task for task in asyncio.all_tasks() if task.get_name().startswith("page")]:
            await asyncio.sleep(0.01)

    looked_at(overview, look)


def test_a_reader_that_comes_again_gets_only_news() -> None:
    """By the id that its browser sends."""

    async def look(live: Live) -> None:
        reader = live.events(NOTHING, yes)
        seen, _ = await next_data(reader)
        again = live.events(Seen.of(seen), yes)
        _, data = await next_data(again)
        assert set(data) == {"now_s", "error"}
        for one in (reader, again):
            await one.aclose()

    looked_at(PlayedOverview(), look)


@dataclass
class SlowOverview(PlayedOverview):
    """Its catalogs, or its queries, are read when a gate is open; ``waiting`` is set where one waits for it."""

    slow: str = "catalogs"
    gate: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)

    def running(self) -> list[RunningQuery]:
        return self._when_open("queries", super().running)

    def catalogs(self) -> list[CatalogNow]:
        return self._when_open("catalogs", super().catalogs)

    def _when_open(self, name: str, ask: Callable[[], list[T]]) -> list[T]:
        if name == self.slow:
            if not self.gate.is_set():
                self.waiting.set()
            assert self.gate.wait(60)
        return ask()


def test_what_is_slow_delays_no_other_part_and_comes_when_it_is_there() -> None:
    """Queries are shown while catalogs are still read."""
    overview = SlowOverview()

    async def look(live: Live) -> None:
        reader = live.events(NOTHING, yes)
        try:
            seen: set[str] = set()
            while "queries" not in seen:
                seen |= set((await next_data(reader))[1])
            assert "catalogs" not in seen
        finally:
            overview.gate.set()
        while "catalogs" not in (await next_data(reader))[1]:
            pass
        await reader.aclose()

    looked_at(overview, look, patience_s=0.01)


def test_a_change_that_is_read_while_a_snapshot_is_given_comes_with_a_later_one() -> None:
    """Whoever takes snapshots meanwhile has not seen it."""
    overview = SlowOverview(slow="queries")
    overview.gate.set()

    async def look(live: Live) -> None:
        reader = live.events(NOTHING, yes)
        await next_data(reader)
        overview.gate.clear()
        assert await asyncio.to_thread(overview.waiting.wait, 60)
        overview.queries = [QUERY]
        try:
            for _ in range(3):
                assert "queries" not in (await next_data(reader))[1]
        finally:
            overview.gate.set()
        while "queries" not in (found := (await next_data(reader))[1]):
            pass
        assert [one["key"] for one in found["queries"]] == ["q_1"]  # type: ignore[attr-defined]
        await reader.aclose()

    looked_at(overview, look)


def test_a_reader_whose_token_goes_is_sent_away() -> None:
    """After some snapshots at most."""

    async def look(live: Live) -> None:
        events = [event async for event in live.events(NOTHING, no)]
        assert events[-1].startswith("event: out")
        assert len(events) == CHECKED_EVERY + 2

    looked_at(PlayedOverview(), look)


def test_streams_end_when_the_process_is_told_to_end() -> None:
    """Draining does not wait for who looks."""

    async def look(live: Live) -> None:
        reader = live.events(NOTHING, yes)
        await next_data(reader)
        await live.close()
        assert [event async for event in reader][-1].startswith("event: closing")

    looked_at(PlayedOverview(), look)
