"""Where work runs: actors, one for each node, and tasks, anywhere. Only protocols here.

Rules that every runtime keeps, tested by one suite:

- calls to one actor run one after the other, in the order of the calls; different actors run at the same time;
- a call or a task answers with a future; its error is the very error that the work raised, and a process that died is a
  retryable ClusterError;
- a future of the same runtime may be an argument of a later call: the value goes to where it is needed;
- functions, factories, arguments and results can be pickled: plain functions and classes of importable modules;
- ``close`` leaves no thread and no process behind.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self


class Handle(Protocol):
    """An actor somewhere: an object that lives as long as the runtime."""

    def call(self, method: str, *args: Any) -> Future[Any]:
        """Call a method of the actor; an error of its factory comes out of every call."""
        ...


class Runtime(Protocol):
    """Runs actors and tasks."""

    def actor(self, name: str, factory: Callable[..., Any], *args: Any, node: str = "") -> Handle:
        """Make ``factory(*args)`` live somewhere, beside the node ``node`` if one is named; does not wait for it."""
        ...

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run ``function(*args)`` where there is room."""
        ...

    def share(self, value: Any) -> Future[Any]:
        """A value that many calls take: it is handed over once, and the calls get its future as an argument."""
        ...

    def close(self) -> None:
        """Give up what still waits and end all actors."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
