"""The runtime on Ray: an actor process for each node, tasks on the other cores. The one file that imports Ray.

Rules: the Ray cluster is private (never one that happens to run), listens on loopback, opens no dashboard, reports no
usage, writes nothing to stdout, keeps its files in a short folder that only its owner may enter (sockets) and is gone
after ``close``, and after a kill of this process as well (``keeper``). One per process, as Ray has it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from weakref import WeakSet

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux: listen on loopback only
}
os.environ.update(ENVIRONMENT)  # Ray reads some of these while it is imported

import ray  # noqa: E402
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError  # noqa: E402

from skyshard.basics.errors import Bug, ClusterError, UserError  # noqa: E402
from skyshard.log.event_log import ONLY_LOGGED  # noqa: E402
from skyshard.log.events import RAY_STARTED, RAY_STOPPED  # noqa: E402
from skyshard.log.line_output import write_logs_of_environment  # noqa: E402
from skyshard.runtime.base import Runtime, died, require_open  # noqa: E402
from skyshard.runtime.keeper import Keeper  # noqa: E402

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

LOGGER = logging.getLogger(__name__)
OBJECT_STORE_BYTES = 1 << 30
SHARE_OF_MEMORY = 0.2
ACTOR_CPUS = 0  # a share of a core here would keep a task off that whole core
NODE_SHARE = 0.001


class RayFuture(Future[T]):
    """A future that knows the object that it is for, so that it can be handed on without fetching it."""

    def __init__(self, reference: Any, what: str, lost: Callable[[], None] | None = None) -> None:
        """``lost`` is called when the actor that was asked is gone for good, before the result is there."""
        super().__init__()
        self.reference = reference
        self._what = what
        self._lost = lost
        self.set_running_or_notify_cancel()
        reference.future().add_done_callback(self._settle)

    def give_up(self) -> None:
        """No one will bring the result any more."""
        with contextlib.suppress(InvalidStateError):
            self.set_exception(CancelledError())

    def _settle(self, outcome: Future[Any]) -> None:
        error = outcome.exception()
        if self._lost is not None and isinstance(error, RayActorError) and not isinstance(error, ActorUnavailableError):
            self._lost()
        with contextlib.suppress(InvalidStateError):
            if error is None:
                self.set_result(outcome.result())
            else:
                self.set_exception(mapped(error, self._what))


class RayHandle(Generic[A]):
    """An actor on Ray."""

    def __init__(self, name: str, actor: Any, pending: WeakSet[RayFuture[Any]], closed: threading.Event) -> None:
        self._name = name
        self._actor = actor
        self._pending = pending
        self._closed = closed
        self.is_dead = False

    def call(self, method: Callable[Concatenate[A, P], T], *args: P.args, **kwargs: P.kwargs) -> RayFuture[T]:
        require_open(self._closed)
        given = {name: _reference(arg) for name, arg in kwargs.items()}
        called = self._actor.call.remote(method.__name__, *map(_reference, args), **given)
        future: RayFuture[T] = RayFuture(called, f"actor {self._name}", self._note_death)
        self._pending.add(future)
        return future

    def _note_death(self) -> None:
        self.is_dead = True


class RayRuntime(Runtime):
    """See ``base.Runtime``. ``log_to_driver`` shows what actors and tasks print."""

    def __init__(self, nodes: Sequence[str], *, cpus: int | None = None, log_to_driver: bool = False) -> None:
        super().__init__(nodes)
        if ray.is_initialized():
            raise UserError("Ray runs already in this process", remedy="close the other runtime first")
        self._folder = tempfile.mkdtemp(prefix="skyshard-ray-", dir="/tmp")
        self._keeper = Keeper(self._folder)
        self._handles: list[RayHandle[Any]] = []
        self._pending: WeakSet[RayFuture[Any]] = WeakSet()
        self._old_handler = signal.getsignal(signal.SIGTERM)
        try:
            self._open(cpus, log_to_driver)
        except BaseException:
            self.close()
            raise

    def actor(self, name: str, factory: Callable[[], A], *, node: str = "") -> RayHandle[A]:
        self._require_node(node)
        require_open(self._closed)
        resources = {_resource(node): NODE_SHARE} if node else {}
        options = {"num_cpus": ACTOR_CPUS, "resources": resources, "max_restarts": 0}
        actor = ray.remote(**options)(_Host).remote(factory)
        handle: RayHandle[A] = RayHandle(name, actor, self._pending, self._closed)
        self._handles.append(handle)
        return handle

    def submit(self, function: Callable[..., T], *args: Any) -> RayFuture[T]:
        require_open(self._closed)  # Ray would open another cluster
        name = getattr(function, "__qualname__", repr(function))
        future: RayFuture[T] = RayFuture(self._task.remote(function, *map(_reference, args)), f"task {name}")
        self._pending.add(future)
        return future

    def share(self, value: T) -> RayFuture[T]:
        require_open(self._closed)
        return RayFuture(ray.put(value), "a shared value")

    def close(self) -> None:
        self._closed.set()
        self._handles.clear()
        ray.shutdown()
        for future in list(self._pending):
            future.give_up()
        _handle_sigterm(self._old_handler)
        self._keeper.end()
        ONLY_LOGGED.tell(RAY_STOPPED)

    def _open(self, cpus: int | None, log_to_driver: bool) -> None:
        _quieten(log_to_driver)
        begun = time.monotonic()
        try:
            ray.init(
                address="local",
                num_cpus=cpus or os.cpu_count() or 1,
                resources={_resource(node): 1 for node in self._nodes},
                object_store_memory=_object_store_bytes(),
                include_dashboard=False,
                log_to_driver=log_to_driver,
                logging_level=logging.ERROR,
                _temp_dir=os.path.join(self._folder, "r"),  # Ray opens this one to everybody
            )
        except (RayError, OSError, RuntimeError, ValueError) as error:
            raise ClusterError(f"Ray does not start: {_first_line(error)}", remedy="use --runtime inline") from error
        is_default = self._old_handler in (signal.SIG_DFL, None)
        _handle_sigterm(signal.getsignal(signal.SIGTERM) if is_default else self._old_handler)
        self._task = ray.remote(num_cpus=1, max_retries=0)(_run)
        ONLY_LOGGED.tell(RAY_STARTED, elapsed_s=time.monotonic() - begun, cpus=cpus or os.cpu_count() or 1)


class _Host:
    """The process of an actor: keeps the error of a failed factory for the calls."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self._actor: Any = None
        self._failure: Exception | None = None
        write_logs_of_environment()
        try:
            self._actor = factory()
        except Exception as error:
            self._failure = error

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self._failure is not None:
            raise self._failure
        return getattr(self._actor, method)(*args, **kwargs)


def mapped(error: BaseException, what: str) -> BaseException:
    """The error that the work raised, or a ClusterError for work that Ray lost."""
    if isinstance(error, RayTaskError):
        cause = error.cause
        return cause if isinstance(cause, Exception) else Bug(f"{what} failed: {_first_line(error)}")
    if isinstance(error, RayError):
        return died(what, _first_line(error))
    return error


def _run(function: Callable[..., Any], *args: Any) -> Any:
    write_logs_of_environment()
    return function(*args)


def _reference(arg: Any) -> Any:
    return arg.reference if isinstance(arg, RayFuture) else arg


def _resource(node: str) -> str:
    return f"node:{node}"


def _object_store_bytes() -> int:
    """1 GiB, or a fifth of the shared memory where that is less."""
    free_bytes = OBJECT_STORE_BYTES
    with contextlib.suppress(OSError):
        free_bytes = int(shutil.disk_usage("/dev/shm").free * SHARE_OF_MEMORY)
    return max(80 << 20, min(OBJECT_STORE_BYTES, free_bytes))


def _quieten(log_to_driver: bool) -> None:
    """What no option of Ray covers: raylet messages off stdout, no processes for dashboard, autoscaler and logs.

    The processes that are not used take 40 % of the start-up time on two cores. Where a Ray release has no such names,
    nothing is changed.
    """
    node = ray._private.node.Node
    unused = ["start_api_server", "start_monitor"]
    if not log_to_driver:
        ray._private.worker.print_to_stdstream = _log
        unused.append("start_log_monitor")
    for name in unused:
        if hasattr(node, name):
            setattr(node, name, _start_nothing)


def _handle_sigterm(handler: Any) -> None:
    """Undo what Ray did to SIGTERM: its own handler aborts the process, and nothing is tidied up."""
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _start_nothing(*_: Any, **__: Any) -> None:
    pass


def _log(data: dict[str, Any], **_: Any) -> None:
    for line in data["lines"]:
        LOGGER.debug("%s", line)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
