"""A private Ray: an actor process for each node, tasks on the other cores, all on this host.

Rules: it is never one that happens to run, listens on loopback and asks for a token, opens no dashboard, reports no
usage, writes nothing to stdout, keeps its files in a short folder that only its owner may enter (sockets) and is gone
after ``close``, and after a kill of this process as well (``keeper``).
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import ray

from skyshard.basics.errors import ClusterError, UserError
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import RAY_STARTED, RAY_STOPPED
from skyshard.runtime.base import Runtime, require_open, work_name
from skyshard.runtime.keeper import Keeper
from skyshard.runtime.on_ray.calls import ActorProcess, RayFuture, RayHandle, as_reference, first_line, run_task
from skyshard.runtime.on_ray.quiet import quieten
from skyshard.runtime.on_ray.settings_in_force import SettingsInForce, make_token
from skyshard.runtime.ray_settings import ACTOR_CPUS, LOOPBACK_ONLY, object_store_bytes, resource_of, share_of

T = TypeVar("T")
A = TypeVar("A")


class PrivateRay(Runtime):
    """See ``base.Runtime``; one per process. ``log_to_driver`` shows what actors and tasks print."""

    def __init__(self, nodes: Sequence[str], *, cpus: int | None = None, log_to_driver: bool = False) -> None:
        super().__init__(nodes)
        if ray.is_initialized():
            raise UserError("Ray runs already in this process", remedy="close the other runtime first")
        self._pending: WeakSet[RayFuture[Any]] = WeakSet()
        self._old_handler = signal.getsignal(signal.SIGTERM)
        self._cpus = cpus or os.cpu_count() or 1
        self._folder = tempfile.mkdtemp(prefix="skyshard-ray-", dir="/tmp")
        self._keeper = Keeper(self._folder)
        self._settings = SettingsInForce(LOOPBACK_ONLY, make_token(Path(self._folder) / "auth_token"))
        try:
            self._open(log_to_driver)
        except BaseException:
            self.close()
            raise

    def actor(self, name: str, factory: Callable[[], A], *, node: str = "") -> RayHandle[A]:
        self._require_place(node)
        options = {"num_cpus": ACTOR_CPUS, "resources": share_of(node), "max_restarts": 0}
        actor = ray.remote(**options)(ActorProcess).remote(factory)
        return RayHandle(work_name(f"actor {name}", node), actor, self._pending, self._closed)

    def submit(self, function: Callable[..., T], *args: Any, node: str = "") -> RayFuture[T]:
        self._require_place(node)
        name = getattr(function, "__qualname__", repr(function))
        called = self._task.options(resources=share_of(node)).remote(function, *map(as_reference, args))
        future: RayFuture[T] = RayFuture(called, work_name(f"task {name}", node))
        self._pending.add(future)
        return future

    def share(self, value: T) -> RayFuture[T]:
        require_open(self._closed)
        return RayFuture(ray.put(value), "a shared value")

    @property
    def cpus(self) -> int:
        return self._cpus

    def joined(self) -> frozenset[str]:
        return self._nodes

    def close(self) -> None:
        self._closed.set()
        self._give_up()  # before their workers are gone: that would look like a loss
        ray.shutdown()
        self._give_up()  # what was asked for just now
        self._settings.end()
        self._keeper.end()
        _handle_sigterm(self._old_handler)
        ONLY_LOGGED.tell(RAY_STOPPED)

    def _give_up(self) -> None:
        for future in list(self._pending):
            future.give_up()

    def _require_place(self, node: str) -> None:
        """UserError for a node that is not known; a Bug when the runtime is closed: Ray would open another cluster."""
        self._require_node(node)
        require_open(self._closed)

    def _open(self, log_to_driver: bool) -> None:
        quieten(log_to_driver)
        begun = time.monotonic()
        try:
            ray.init(
                address="local",
                num_cpus=self._cpus,
                resources={resource_of(node): 1 for node in self._nodes},
                object_store_memory=object_store_bytes(),
                include_dashboard=False,
                log_to_driver=log_to_driver,
                logging_level=logging.ERROR,
                _temp_dir=os.path.join(self._folder, "r"),  # Ray opens this one to everybody
            )
        except Exception as error:  # on a busy machine Ray gives up with a bare one
            raise ClusterError(f"Ray does not start: {first_line(error)}", remedy="use --runtime inline") from error
        is_default = self._old_handler in (signal.SIG_DFL, None)
        _handle_sigterm(signal.getsignal(signal.SIGTERM) if is_default else self._old_handler)
        self._task = ray.remote(num_cpus=1, max_retries=0)(run_task)
        ONLY_LOGGED.tell(RAY_STARTED, elapsed_s=time.monotonic() - begun, cpus=self._cpus)


def _handle_sigterm(handler: Any) -> None:
    """Undo what Ray did to SIGTERM: its own handler aborts the process, and nothing is tidied up."""
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
