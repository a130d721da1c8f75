"""The process behind all doors: opens them, says so, waits for a signal, drains and closes them.

Rules: SIGTERM, SIGHUP and Ctrl-C end it, with exit code 0; a second one ends the draining. Nothing is left, unless what
is under way does not end in ``ENDING_S``, or one more signal comes: then the process is left at once, as if it was
killed, with exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from skyshard.host.interrupts import ENDING_SIGNALS
from skyshard.serve.door import Door, open_all

CLOSING_S = 15.0
"""So long a door may take to end what was cancelled."""
ENDING_S = 60.0
"""So long all of it may take, after draining."""


class Behind(Protocol):
    """What works behind the doors, on their event loop: opened before them, drained beside and closed after them."""

    async def open(self) -> None: ...

    async def drain(self, seconds: float) -> None:
        """Wait so long at most for what is under way."""

    async def close(self) -> None:
        """End what is still under way."""


@dataclass(frozen=True, slots=True)
class House:
    """Doors, and what is behind them."""

    doors: Sequence[Door]
    behind: Behind


def run_doors(
    build: Callable[[], House],
    tell: Callable[[str], None],
    *,
    drain_s: float = 10.0,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Serve until a signal; the house is built within the event loop. ``leave`` ends the process at once.

    Raises:
        UserError: a door cannot listen; none is left open.
    """
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        asyncio.run(_serve(build, tell, drain_s, leave))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _serve(
    build: Callable[[], House], tell: Callable[[str], None], drain_s: float, leave: Callable[[int], None]
) -> None:
    ended, hurried = asyncio.Event(), asyncio.Event()

    def take() -> None:
        (hurried if ended.is_set() else ended).set()

    loop = asyncio.get_running_loop()
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, take)
    house, has_ended = build(), False
    try:
        await house.behind.open()
        for name, address in (await open_all(house.doors)).items():
            tell(f"{name} is ready at {address}")
        tell("all doors are open")
        await ended.wait()
        tell(f"closing: answers that are under way have {drain_s:g} s")
        await _drain([*house.doors, house.behind], hurried, drain_s)
        hurried.clear()
    finally:
        has_ended = await _ended(house, hurried)
        if not has_ended:
            tell("what is under way does not end: it is left as it is")
            leave(1)
    if has_ended:
        tell("all doors are closed")


async def _ended(house: House, hurried: asyncio.Event) -> bool:
    """Close all; False where that takes too long, or somebody is in a hurry."""
    closing, hurry = asyncio.ensure_future(_close(house)), asyncio.ensure_future(hurried.wait())
    await asyncio.wait([closing, hurry], timeout=ENDING_S, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if closing.done():
        closing.result()
        return True
    closing.cancel()
    return False


async def _close(house: House) -> None:
    try:
        for door in house.doors:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(door.close(), CLOSING_S)
    finally:
        await house.behind.close()


async def _drain(parts: Sequence[Door | Behind], hurried: asyncio.Event, drain_s: float) -> None:
    """Until all is answered, the time is over, or a second signal comes."""
    drained = [asyncio.ensure_future(part.drain(drain_s)) for part in parts]
    hurry = asyncio.ensure_future(hurried.wait())
    all_drained: asyncio.Future[Any] = asyncio.gather(*drained, return_exceptions=True)
    waiting: list[asyncio.Future[Any]] = [hurry, all_drained]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in (hurry, *drained):
        task.cancel()
    await asyncio.gather(hurry, *drained, return_exceptions=True)
