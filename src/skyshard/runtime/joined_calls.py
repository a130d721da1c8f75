"""Calls of actors and tasks on a joined Ray: futures, handles, and the book of what is not settled yet."""

from __future__ import annotations

import contextlib
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError
from queue import SimpleQueue
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from skyshard.basics.errors import Bug, ClusterError
from skyshard.runtime.base import work_name
from skyshard.runtime.driver_messages import (
    CallActor,
    Done,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Order,
    Report,
    RunTask,
    packed,
)

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class _Elsewhere:
    """Stands for a large result that is where it was made."""


class JoinedFuture(Future[T]):
    """A future whose result, if it is large, comes here only when somebody asks for it."""

    def __init__(self, pending: Pending, number: int, what: str, node: str) -> None:
        """``node``: where it has to be carried out; empty for anywhere."""
        super().__init__()
        self.number = number
        self.what = what
        self.node = node
        self.handle: JoinedHandle[Any] | None = None
        self.needs: frozenset[str] = frozenset()
        """Other nodes, on which its arguments are."""
        self._pending = pending
        self._fetching = threading.Lock()
        self._fetched: Future[T] | None = None
        self.set_running_or_notify_cancel()
        weakref.finalize(self, pending.send_later, Forget(number)).atexit = False

    def result(self, timeout: float | None = None) -> T:
        found = super().result(timeout)
        return self._fetch(timeout) if isinstance(found, _Elsewhere) else found

    def _fetch(self, timeout: float | None) -> T:
        with self._fetching:
            if self._fetched is None or (self._fetched.done() and self._fetched.exception() is not None):
                self._fetched = Future()
                self._pending.fetch(self)
        return self._fetched.result(timeout)

    def settle(self, report: Done | Fetched | Failed) -> None:
        """Take what became of it."""
        awaited: Future[Any] = self if self._fetched is None else self._fetched
        content = report.error if isinstance(report, Failed) else report.result
        if content is None:
            _put(awaited, _Elsewhere())
            return
        try:
            found = pickle.loads(content)
        except Exception as error:  # whatever a class of another release raises
            self.fail(Bug(f"{self.what} gave what cannot be read here: {error}"))
            return
        if isinstance(report, Failed):
            self.fail(found)
        else:
            _put(awaited, found)

    def fail(self, error: BaseException) -> None:
        """There will be no result; no-op when it is here."""
        awaited: Future[Any] = self if self._fetched is None else self._fetched
        with contextlib.suppress(InvalidStateError):
            awaited.set_exception(error)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody may wait for it now."""
        return not self.done() or (self._fetched is not None and not self._fetched.done())


class Pending:
    """What was ordered and is not settled. Futures are settled on one thread, whatever their callbacks do."""

    def __init__(
        self,
        send: Callable[[Order], None],
        send_later: Callable[[Order], None],
        why_none: Callable[[JoinedFuture[Any]], BaseException | None],
    ) -> None:
        """
        Args:
            send_later: takes orders of finalizers, which run anywhere and so may not wait.
            why_none: the error of a future that nobody would settle, as things are now; None for any other. What it
                knows of has to be so before :meth:`fail` is called for it.
        """
        self._send = send
        self.send_later = send_later
        self._why_none = why_none
        self._lock = threading.Lock()
        self._futures: weakref.WeakValueDictionary[int, JoinedFuture[Any]] = weakref.WeakValueDictionary()
        self._awaited: dict[int, JoinedFuture[Any]] = {}
        self._handles: dict[int, weakref.ReferenceType[JoinedHandle[Any]]] = {}
        self._settling: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._settle, name="ray-futures", daemon=True).start()

    def ordered(self, order: CallActor | RunTask, future: JoinedFuture[T]) -> JoinedFuture[T]:
        """Give an order and note its future, or settle it at once where nobody would."""
        with self._lock:
            self._futures[future.number] = self._awaited[future.number] = future
        if not self._is_refused(future):  # asked only now: whoever was told of a loss before has not seen this future
            self._send(order)
        return future

    def fetch(self, future: JoinedFuture[Any]) -> None:
        """Have the large result of a future brought, which has noted that it waits for it."""
        if not self._is_refused(future):
            self._send(Fetch(future.number))

    def add(self, handle: JoinedHandle[Any]) -> None:
        """Note an actor."""
        with self._lock:
            self._handles[handle.number] = weakref.ref(handle)

    def settle(self, report: Report) -> str:
        """Take a report of the driver; returns the node of whose host nothing is heard, as it says, or nothing."""
        if not isinstance(report, Done | Fetched | Failed):
            return ""
        with self._lock:
            self._awaited.pop(report.number, None)
            future = self._futures.get(report.number)
        if future is not None:
            if isinstance(report, Failed) and report.is_lost and future.handle is not None:
                future.handle.is_dead = True
            self._settling.put(lambda: future.settle(report))
            if isinstance(report, Failed) and report.is_unheard:
                return future.node
        return ""

    def fail(self, error_of: Callable[[JoinedFuture[Any]], BaseException | None], gone: frozenset[str]) -> None:
        """Settle those that an error is given for; actors on nodes that are gone are dead."""
        with self._lock:
            handles = [handle for one in self._handles.values() if (handle := one()) is not None]
            futures = [future for future in self._futures.values() if future.is_awaited]
        for handle in handles:
            handle.is_dead = handle.is_dead or handle.node in gone
        for future in futures:
            error = error_of(future)
            if error is not None:
                with self._lock:
                    self._awaited.pop(future.number, None)
                self._settling.put(lambda future=future, error=error: future.fail(error))  # type: ignore[misc]

    def give_up(self) -> None:
        """No one will bring a result any more."""
        self._settling.put(None)
        with self._lock:
            futures, self._awaited = list(self._futures.values()), {}
        for future in futures:
            future.fail(CancelledError())

    def _is_refused(self, future: JoinedFuture[Any]) -> bool:
        error = self._why_none(future)
        if error is None:
            return False
        with self._lock:
            self._awaited.pop(future.number, None)
        future.fail(error)
        return True

    def _settle(self) -> None:
        while (settle := self._settling.get()) is not None:
            settle()


class JoinedHandle(Generic[A]):
    """An actor on a joined Ray."""

    def __init__(
        self,
        number: int,
        name: str,
        node: str,
        pending: Pending,
        numbers: Iterator[int],
        require_head: Callable[[], None],
    ) -> None:
        self.number = number
        self.node = node
        self.is_dead = False
        self._what = work_name(f"actor {name}", node)
        self._pending = pending
        self._numbers = numbers
        self._require_head = require_head
        pending.add(self)

    def call(self, method: Callable[Concatenate[A, P], T], *args: P.args, **kwargs: P.kwargs) -> JoinedFuture[T]:
        self._require_head()
        given, numbers = places(args, kwargs)
        work = packed(method.__name__, args, kwargs, numbers)
        future: JoinedFuture[T] = JoinedFuture(self._pending, next(self._numbers), self._what, self.node)
        future.handle = self
        future.needs = frozenset(one.node for one in (*args, *kwargs.values()) if isinstance(one, JoinedFuture))
        return self._pending.ordered(CallActor(future.number, self.number, work, given, self._what), future)


def places(args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> tuple[tuple[int, ...], dict[int, int]]:
    """The numbers of the futures among arguments, and ``id`` of such an argument → its place among them."""
    found = {id(arg): arg.number for arg in (*args, *(kwargs or {}).values()) if isinstance(arg, JoinedFuture)}
    return tuple(found.values()), {key: place for place, key in enumerate(found)}


def lost(what: str, work: str) -> ClusterError:
    """The error of work that may go on where nobody hears of it."""
    return ClusterError(f"{what}: {work} may or may not have been done", remedy="try again", retryable=True)


def _put(future: Future[Any], value: Any) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)
