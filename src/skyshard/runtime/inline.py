"""The runtime inside this process: a thread for each actor, a small pool for tasks; it is there at once.

Arguments and results are handed over as they are; whoever keeps one must not change it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from skyshard.errors import UserError


class InlineHandle:
    """An actor and its thread."""

    def __init__(self, name: str, factory: Callable[..., Any], args: Sequence[Any]) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._actor = self._thread.submit(_run, factory, args)

    def call(self, method: str, *args: Any) -> Future[Any]:
        return self._thread.submit(self._call, method, args)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _call(self, method: str, args: Sequence[Any]) -> Any:
        return _run(getattr(self._actor.result(), method), args)


class InlineRuntime:
    """See ``base.Runtime``. Futures wait for futures only of earlier calls, so that no two wait for each other."""

    def __init__(self, nodes: Sequence[str], *, cpus: int | None = None) -> None:
        self._nodes = frozenset(nodes)
        self._pool = ThreadPoolExecutor(max_workers=cpus or os.cpu_count() or 1, thread_name_prefix="task")
        self._handles: list[InlineHandle] = []

    def actor(self, name: str, factory: Callable[..., Any], *args: Any, node: str = "") -> InlineHandle:
        require_node(node, self._nodes)
        handle = InlineHandle(name, factory, args)
        self._handles.append(handle)
        return handle

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._pool.submit(_run, function, args)

    def share(self, value: Any) -> Future[Any]:
        shared: Future[Any] = Future()
        shared.set_result(value)
        return shared

    def close(self) -> None:
        for handle in self._handles:
            handle.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def require_node(node: str, nodes: frozenset[str]) -> None:
    """UserError when an actor is to live beside a node that the runtime was not opened for."""
    if node and node not in nodes:
        raise UserError(f"the runtime knows no node {node!r}", remedy=f"it has {', '.join(sorted(nodes)) or 'none'}")


def _run(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    return function(*[arg.result() if isinstance(arg, Future) else arg for arg in args])
