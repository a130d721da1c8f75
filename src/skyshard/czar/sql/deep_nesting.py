"""Work on statements that nest deeper than Python's usual limit: long chains of terms, many parentheses.

Rules: the usual way first, on the caller's thread; only what runs into the limit is done again on a thread with a large
stack. So such work must have no effects but its value. One at a time, as limit and stack size are the process's.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from skyshard.basics.errors import UserError

DEPTH = 400_000
"""Calls within one another on such a thread: enough for 5,000 parentheses, which one server takes."""
STACK_BYTES = 1 << 30
"""Address space, of which only what is used is taken."""
_LOCK = threading.Lock()
Returned = TypeVar("Returned")


def with_room(work: Callable[[], Returned]) -> Returned:
    """The value of some work, with room for deep recursion if it needs it.

    Raises:
        UserError: even that is not enough.

    >>> def depth(n: int) -> int:
    ...     return 0 if n == 0 else 1 + depth(n - 1)
    >>> with_room(lambda: depth(20_000))
    20000
    """
    try:
        return work()
    except RecursionError:
        pass
    try:
        return _on_large_stack(work)
    except RecursionError:
        raise UserError("the statement is nested too deeply", remedy="split it") from None


def _on_large_stack(work: Callable[[], Returned]) -> Returned:
    found: list[Returned] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    if threading.current_thread().name == _on_large_stack.__name__:
        raise RecursionError  # this is such a thread already
    with _LOCK:
        limit, size = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
        sys.setrecursionlimit(DEPTH)
        try:
            thread = threading.Thread(target=run, name=_on_large_stack.__name__, daemon=True)
            thread.start()
            threading.stack_size(size)
            thread.join()
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)
    if failed:
        raise failed[0]
    return found[0]
