"""A Ray that runs on several hosts, joined: actors beside its nodes, tasks on any of its hosts. Ray is not imported.

Rules: it never starts a Ray; it always brings a token; work for a node whose host has not joined is refused at once; a
host that leaves, a head that falls silent and a driver process that ends settle what waits for them with a
ClusterError; large results stay where they were made until somebody asks for them; actors end with this process.
"""

from __future__ import annotations

import pickle
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from itertools import count
from typing import Any, TypeVar

from skyshard.basics.errors import ClusterError
from skyshard.host.secret_files import read_secret
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import RAY_JOINED, RAY_STOPPED
from skyshard.runtime.base import Runtime, require_open, work_name
from skyshard.runtime.driver_link import DriverLink
from skyshard.runtime.driver_messages import (
    AskHead,
    ForgetActor,
    MakeActor,
    Members,
    NotOpened,
    Report,
    RunTask,
    Share,
    packed,
)
from skyshard.runtime.head_watch import HeadWatch
from skyshard.runtime.joined_calls import JoinedFuture, JoinedHandle, Pending, lost, places
from skyshard.runtime.ray_address import RayAddress
from skyshard.runtime.unheard_hosts import UnheardHosts

T = TypeVar("T")
A = TypeVar("A")

TASK_RETRIES = 3
OPEN_TIMEOUT_S = 90.0
"""A driver imports Ray and joins it: a second where the cores are free, half a minute where they are not."""
FRESH_TIMEOUT_S = 3.0


class JoinedRay(Runtime):
    """See ``base.Runtime``."""

    def __init__(self, nodes: Sequence[str], address: RayAddress) -> None:
        super().__init__(nodes)
        self._address = address
        self._numbers = count(1)
        self._gone: Exception | None = None
        self._unheard = UnheardHosts()
        self._opened = threading.Event()
        read_secret(address.token, "token")
        begun = time.monotonic()
        self._watch = HeadWatch(self._note_members, self._note_silence)
        self._link = DriverLink(address, sorted(self._nodes), self._note, self._note_end)
        self._pending = Pending(self._link.send, self._link.send_later, self._why_none)
        self._link.listen()
        if not self._opened.wait(OPEN_TIMEOUT_S):
            self._note_silence(OPEN_TIMEOUT_S)
        if self._gone is not None:
            self.close()
            raise self._gone
        members, elapsed_s = self._watch.members, time.monotonic() - begun
        ONLY_LOGGED.tell(
            RAY_JOINED, elapsed_s=elapsed_s, address=str(address), nodes=len(members.nodes), cpus=members.cpus
        )

    @property
    def cpus(self) -> int:
        return self._watch.members.cpus

    @property
    def is_lost(self) -> bool:
        return self._gone is not None

    def joined(self) -> frozenset[str]:
        self._require_head()
        return frozenset(self._fresh_members().nodes)

    def actor(self, name: str, factory: Callable[[], A], *, node: str = "") -> JoinedHandle[A]:
        self._require_place(node)
        number = next(self._numbers)
        self._link.send(MakeActor(number, pickle.dumps(factory, protocol=5), node))
        handle: JoinedHandle[A] = JoinedHandle(number, name, node, self._pending, self._numbers, self._require_head)
        weakref.finalize(handle, self._link.send_later, ForgetActor(number)).atexit = False
        return handle

    def submit(self, function: Callable[..., T], *args: Any, node: str = "") -> JoinedFuture[T]:
        self._require_place(node, is_task=True)
        given, numbers = places(args)
        number, retries = next(self._numbers), 0 if node else TASK_RETRIES
        what = work_name(f"task {getattr(function, '__qualname__', repr(function))}", node)
        order = RunTask(number, packed(function, args, {}, numbers), given, what, node, retries)
        return self._pending.ordered(order, JoinedFuture(self._pending, number, what, node))

    def share(self, value: T) -> Future[T]:
        self._require_head()
        number = next(self._numbers)
        future: JoinedFuture[T] = JoinedFuture(self._pending, number, "a shared value", "")
        future.set_result(value)
        self._link.send(Share(number, pickle.dumps(value, protocol=5)))
        return future

    def close(self) -> None:
        self._closed.set()
        self._watch.end()
        self._link.end()
        self._pending.give_up()
        ONLY_LOGGED.tell(RAY_STOPPED)

    def _require_place(self, node: str, *, is_task: bool = False) -> None:
        self._require_node(node)
        self._require_head()
        is_there = node in self._watch.members.nodes if node else self._watch.members.cpus
        if is_there or not (node or is_task):
            return
        members = self._fresh_members()  # it may have come a moment ago
        if not (node in members.nodes if node else members.cpus):
            what = f"{node} has" if node else "no node has"
            raise ClusterError(
                f"{what} not joined the Ray of {self._address}",
                remedy=f"start `skyshard node run {node or 'NAME'}` on its host",
                retryable=True,
            )

    def _require_head(self) -> None:
        """ClusterError when there is no head any more; a Bug when the runtime is closed."""
        require_open(self._closed)
        if self._gone is not None:
            raise self._gone

    def _why_none(self, future: JoinedFuture[Any]) -> BaseException | None:
        """The error of a future that is ordered or asked for now, when what it takes was lost a moment ago."""
        if self._closed.is_set():
            return CancelledError()
        if self._gone is not None:
            return lost(_text(self._gone), future.what)
        members, has_place = self._watch.members, future.done() or future.handle is not None
        if future.node and not future.done() and future.node not in members.nodes:
            return lost(f"{future.node} left the Ray of {self._address}", future.what)
        if not future.node and not has_place and not members.cpus:
            return lost(f"all nodes left the Ray of {self._address}", future.what)
        return self._why_unheard(future)

    def _fresh_members(self) -> Members:
        self._link.send(AskHead())
        return self._watch.next_members(FRESH_TIMEOUT_S)

    def _note(self, report: Report) -> None:
        match report:
            case Members():
                self._watch.hear(report)
                self._opened.set()
            case NotOpened():
                self._end_with(pickle.loads(report.error))
            case _:
                if node := self._pending.settle(report):
                    self._note_unheard(node)

    def _note_unheard(self, node: str) -> None:
        """Nothing is heard of a host in the middle of a call: whatever else waits for it need not wait longer."""
        self._unheard.note(node)
        self._pending.fail(self._why_unheard, frozenset())

    def _why_unheard(self, future: JoinedFuture[Any]) -> Exception | None:
        unheard = [node for node in (future.node, *future.needs) if node in self._unheard]
        return lost(f"the host of {unheard[0]} does not answer", future.what) if unheard and not future.done() else None

    def _note_members(self, members: Members, gone: frozenset[str]) -> None:
        def error(future: JoinedFuture[Any]) -> Exception | None:
            if future.node and (future.node in gone or future.node not in members.nodes):
                return lost(f"{future.node} left the Ray of {self._address}", future.what)
            if not future.node and not members.cpus:
                return lost(f"all nodes left the Ray of {self._address}", future.what)
            return None

        self._pending.fail(error, gone)
        for node in gone:
            self._unheard.forget(node)

    def _note_silence(self, silent_s: float) -> None:
        what = f"the Ray head at {self._address} has given no answer for {silent_s:.0f} s"
        self._end_with(ClusterError(what, remedy="see `skyshard head run` on the czar's host", retryable=True))
        self._link.kill()

    def _note_end(self, last_words: str) -> None:
        what = f"the driver process of the Ray of {self._address} ended: {last_words}"
        self._end_with(ClusterError(what, remedy="try again", retryable=True))

    def _end_with(self, error: Exception) -> None:
        if self._gone is None:
            self._gone = error
        self._watch.end()
        self._opened.set()
        self._pending.fail(lambda future: lost(_text(error), future.what), frozenset(self._nodes) | {""})


def _text(error: Exception) -> str:
    return error.what if isinstance(error, ClusterError) else str(error)
