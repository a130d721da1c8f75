"""The stream: one snapshot for all who look, none while nobody does, an end when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from tests.support.played_services import PlayedOverview, PlayedQueries, played_services

from skyshard.serve.lanes import Lanes
from skyshard.serve.page.live import CHECKED_EVERY, Live
from skyshard.serve.page.snapshot import Seen, Snapshots, parts_of

NOTHING = Seen("", 0)


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def looked_at(overview: PlayedOverview, look: Callable[[Live], Awaitable[None]]) -> None:
    """A stream of short seconds, over a played cluster."""
    services = replace(played_services(PlayedQueries({})), overview=overview)
    lanes = Lanes(services.queries)

    async def run() -> None:
        live = Live(Snapshots(parts_of(services)), lanes, each_s=0.01)
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
        while [task for task in asyncio.all_tasks() if task.get_name() == "page"]:
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
