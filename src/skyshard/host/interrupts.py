"""Ctrl-C, SIGTERM and SIGHUP in long commands: they raise KeyboardInterrupt, and never interrupt a clean-up.

Signal handlers belong to the main thread; in any other thread these contexts change nothing.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, so that ``finally`` clauses run."""
    with _handling(_interrupt):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Inside, Ctrl-C, SIGTERM and SIGHUP are ignored; for clean-ups that take seconds at most."""
    with _handling(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """The signal behind a KeyboardInterrupt; SIGINT for Python's own."""
    name = str(error.args[0]) if error.args else ""
    return next((number for number in ENDING_SIGNALS if number.name == name), signal.SIGINT)
