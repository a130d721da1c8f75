"""The driver process of a joined Ray: carries out orders that come through a socket, and reports.

    python -m skyshard.runtime.on_ray.driver FILE HOST PORT TOKEN NODE...

``FILE`` is the number of the open socket. The environment is set by whoever starts it (``ray_settings``). It ends when
the other end of the socket is closed, and may be ended by Ray at any time: what it holds can be lost.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.runtime.driver_messages import (
    AskHead,
    CallActor,
    Done,
    Failed,
    Fetch,
    Fetched,
    Forget,
    ForgetActor,
    MakeActor,
    NotOpened,
    Order,
    Report,
    RunTask,
    Share,
    pickled_error,
    small,
    unpacked,
)
from skyshard.runtime.on_ray.calls import ActorProcess, first_line, mapped, run_task
from skyshard.runtime.on_ray.head_client import HeadClient
from skyshard.runtime.on_ray.quiet import quieten
from skyshard.runtime.ray_address import RayAddress
from skyshard.runtime.ray_settings import ACTOR_CPUS, ASK_EVERY_S, share_of

SHUT_DOWN_S = 5.0


class RemoteActor:
    """An actor on its host: gives each result twice, whole, and as a receipt that is small."""

    def __init__(self, factory: bytes) -> None:
        self._process = ActorProcess(partial(_made, factory))

    def call(self, work: bytes, *given: Any) -> tuple[bytes | None, Any]:
        method, args, kwargs = unpacked(work, given)
        result = self._process.call(method, *args, **kwargs)
        return small(result), result


class Driver:
    """Orders to Ray, and what became of them."""

    def __init__(self, connection: Connection, head: HeadClient, nodes: frozenset[str]) -> None:
        self._connection = connection
        self._head = head
        self._nodes = nodes
        self._sending = threading.Lock()
        self._actors: dict[int, Any] = {}
        self._results: dict[int, Any] = {}
        self._ask = threading.Event()
        self._carry_out: dict[type, Callable[[Any], None]] = {
            MakeActor: self._make_actor,
            CallActor: self._call_actor,
            RunTask: self._run_task,
            Share: lambda order: self._results.__setitem__(order.number, ray.put(pickle.loads(order.value))),
            Fetch: lambda order: _when_done(self._results[order.number], partial(self._fetched, order.number)),
            Forget: lambda order: self._results.pop(order.number, None),
            ForgetActor: lambda order: self._actors.pop(order.actor, None),
            AskHead: lambda _: self._ask.set(),
        }
        self._remote_task = ray.remote(_task)

    def report(self, report: Report) -> None:
        with self._sending:
            self._connection.send_bytes(pickle.dumps(report, protocol=5))

    def ask_head(self) -> None:
        """Report which hosts there are, again and again; a head that does not answer is silence."""
        while True:
            try:
                self.report(self._head.members(self._nodes))
            except ClusterError:
                continue
            except OSError:
                return
            self._ask.wait(ASK_EVERY_S)
            self._ask.clear()

    def work(self) -> None:
        """Carry out orders until there will be no more."""
        while True:
            try:
                order: Order = pickle.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                self._carry_out[type(order)](order)
            except Exception as error:
                number = getattr(order, "number", None)
                if number is not None:
                    self._failed(number, getattr(order, "what", "a value"), error)

    def _make_actor(self, order: MakeActor) -> None:
        options = {"num_cpus": ACTOR_CPUS, "resources": share_of(order.node), "max_restarts": 0}
        self._actors[order.actor] = ray.remote(**options)(RemoteActor).remote(order.factory)

    def _call_actor(self, order: CallActor) -> None:
        call = self._actors[order.actor].call.options(num_returns=2)
        self._follow(order, call.remote(order.work, *(self._results[number] for number in order.given)))

    def _run_task(self, order: RunTask) -> None:
        task = self._remote_task.options(
            num_cpus=1, num_returns=2, resources=share_of(order.node), max_retries=order.retries
        )
        self._follow(order, task.remote(order.work, *(self._results[number] for number in order.given)))

    def _follow(self, order: CallActor | RunTask, references: Any) -> None:
        receipt, self._results[order.number] = references
        _when_done(receipt, partial(self._done, order.number, order.what))

    def _done(self, number: int, what: str, receipt: bytes | None, error: BaseException | None) -> None:
        if error is None:
            self.report(Done(number, receipt))
        else:
            self._failed(number, what, error)

    def _fetched(self, number: int, result: Any, error: BaseException | None) -> None:
        if error is None:
            self.report(Fetched(number, pickle.dumps(result, protocol=5)))
        else:
            self._failed(number, "a result", error)

    def _failed(self, number: int, what: str, error: BaseException) -> None:
        is_own = isinstance(error, RayActorError) and not isinstance(error, RayTaskError)  # not of an argument's host
        is_unheard = is_own and isinstance(error, ActorUnavailableError)
        is_lost = is_own and not is_unheard
        self.report(Failed(number, pickled_error(mapped(error, what), what), is_lost, is_unheard))


def _made(factory: bytes) -> Any:
    return pickle.loads(factory)()


def _task(work: bytes, *given: Any) -> tuple[bytes | None, Any]:
    function, args, kwargs = unpacked(work, given)
    result = run_task(function, *args, **kwargs)
    return small(result), result


def _when_done(reference: Any, then: Callable[[Any, BaseException | None], None]) -> None:
    def settle(outcome: Any) -> None:
        error = outcome.exception()
        then(None if error else outcome.result(), error)

    reference.future().add_done_callback(settle)


def _join(address: RayAddress) -> HeadClient:
    head = HeadClient(address)
    head.require_raylet_here()
    quieten()
    try:
        where = f"{socket.gethostbyname(address.host)}:{address.port}"  # Ray compares texts
        ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except (RayError, OSError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"the Ray of {address} cannot be joined: {first_line(error)}", remedy="try again", retryable=True
        ) from error
    return head


def main() -> None:
    """Join, work, leave. Whatever of Ray does not end is ended with this process."""
    connection = Connection(int(sys.argv[1]))
    try:
        head = _join(RayAddress(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
    except SkyshardError as error:
        connection.send_bytes(pickle.dumps(NotOpened(pickle.dumps(error))))
        os._exit(1)
    driver = Driver(connection, head, frozenset(sys.argv[5:]))
    threading.Thread(target=driver.ask_head, daemon=True).start()
    driver.work()
    ending = threading.Thread(target=ray.shutdown, daemon=True)
    ending.start()
    ending.join(SHUT_DOWN_S)
    os._exit(0)


if __name__ == "__main__":
    main()
