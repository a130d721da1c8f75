"""The runtime inside this process: a thread for each actor, a small pool for tasks; it is there at once.

Arguments and results are handed over as they are; who keeps one must not change it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from skyshard.runtime.base import Runtime, died, require_open, work_name

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class InlineHandle(Generic[A]):
    """An actor and its thread."""

    def __init__(self, name: str, node: str, factory: Callable[[], A], closed: threading.Event) -> None:
        self._what = work_name(f"actor {name}", node)
        self._closed = closed
        self.is_dead = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._actor = self._thread.submit(factory)

    def call(self, method: Callable[Concatenate[A, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        require_open(self._closed)
        return self._thread.submit(self._call, method.__name__, args, kwargs)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _call(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """An actor that ends itself is dead from then on, as its process would be."""
        if self.is_dead:
            raise died(self._what, "it has ended")
        try:
            return _run(getattr(self._actor.result(), method), args, kwargs)
        except SystemExit as error:
            self.is_dead = True
            raise died(self._what, f"it ended with {error.code}") from None


class InlineRuntime(Runtime):
    """See ``base.Runtime``. Futures wait for futures only of earlier calls, so that no two wait for each other."""

    def __init__(self, nodes: Sequence[str], *, cpus: int | None = None) -> None:
        super().__init__(nodes)
        self._cpus = cpus or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(max_workers=self._cpus, thread_name_prefix="task")
        self._handles: list[InlineHandle[Any]] = []

    def actor(self, name: str, factory: Callable[[], A], *, node: str = "") -> InlineHandle[A]:
        self._require_node(node)
        require_open(self._closed)
        handle = InlineHandle(name, node, factory, self._closed)
        self._handles.append(handle)
        return handle

    def submit(self, function: Callable[..., T], *args: Any, node: str = "") -> Future[T]:
        self._require_node(node)
        require_open(self._closed)
        return self._pool.submit(_run, function, args, {})

    def share(self, value: T) -> Future[T]:
        shared: Future[T] = Future()
        shared.set_result(value)
        return shared

    @property
    def cpus(self) -> int:
        return self._cpus

    def joined(self) -> frozenset[str]:
        return self._nodes

    def close(self) -> None:
        self._closed.set()
        for handle in self._handles:
            handle.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _run(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return function(*map(_value, args), **{name: _value(arg) for name, arg in kwargs.items()})


def _value(arg: Any) -> Any:
    return arg.result() if isinstance(arg, Future) else arg
