"""Calls of actors and tasks on Ray: futures that know their objects, handles of actors, errors in Skyshard's words."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from weakref import WeakSet

from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError

from skyshard.basics.errors import Bug
from skyshard.log.line_output import write_logs_of_environment
from skyshard.runtime.base import died, require_open

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


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

    def __init__(self, what: str, actor: Any, pending: WeakSet[RayFuture[Any]], closed: threading.Event) -> None:
        """``what``: how errors name it."""
        self._what = what
        self._actor = actor
        self._pending = pending
        self._closed = closed
        self.is_dead = False

    def call(self, method: Callable[Concatenate[A, P], T], *args: P.args, **kwargs: P.kwargs) -> RayFuture[T]:
        require_open(self._closed)
        given = {name: as_reference(arg) for name, arg in kwargs.items()}
        called = self._actor.call.remote(method.__name__, *map(as_reference, args), **given)
        future: RayFuture[T] = RayFuture(called, self._what, self._note_death)
        self._pending.add(future)
        return future

    def _note_death(self) -> None:
        self.is_dead = True


class ActorProcess:
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


def run_task(function: Callable[..., Any], *args: Any) -> Any:
    """What a task's process does."""
    write_logs_of_environment()
    return function(*args)


def as_reference(arg: Any) -> Any:
    """An argument as Ray takes it: the value of a future goes from where it is to where it is needed."""
    return arg.reference if isinstance(arg, RayFuture) else arg


def mapped(error: BaseException, what: str) -> BaseException:
    """The error that the work raised, or a ClusterError for work that Ray lost."""
    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, RayError):  # an argument whose host is gone
            return died(what, first_line(cause))
        return cause if isinstance(cause, Exception) else Bug(f"{what} failed: {first_line(error)}")
    if isinstance(error, ActorUnavailableError):
        return died(what, "its host does not answer")
    if isinstance(error, RayError):
        return died(what, first_line(error))
    return error


def first_line(error: BaseException) -> str:
    """What an error of Ray says first; the rest is for Ray's developers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
