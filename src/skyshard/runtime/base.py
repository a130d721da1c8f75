"""Where work runs: actors, one for each node, and tasks, anywhere. What every runtime promises, tested by one suite:

- calls to one actor run one after the other, in the order of the calls; different actors run at the same time;
- a call or a task answers with a future; its error is the very error that the work raised, and an actor or a process
  that died is a retryable ClusterError;
- a future that was cancelled is never carried out; one that cannot be cancelled any more says so, and answers;
- a future of the same runtime may be an argument of a later call: the value goes to where it is needed;
- a large result stays where it was made until somebody asks for it (on this host it is not copied anyway);
- functions, factories, arguments and results can be pickled: plain functions and classes of importable modules;
- ``close`` leaves no thread and no process behind, and no caller waiting; calls and tasks that come after it are a Bug.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from skyshard.basics.errors import Bug, ClusterError, UserError

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Handle(Protocol[A_co]):
    """An actor somewhere: an object that lives as long as the runtime.

    Its methods are called by naming them, so that a type checker sees name, arguments and result:

    >>> from skyshard.runtime import open_runtime
    >>> with open_runtime("inline") as runtime:
    ...     letters = runtime.actor("letters", list[str])
    ...     _ = letters.call(list.append, "a")
    ...     letters.call(list.copy).result()
    ['a']
    """

    def call(self, method: Callable[Concatenate[A_co, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call the actor's own method of this name; an error of its factory comes out of every call."""
        ...

    @property
    def is_dead(self) -> bool:
        """True once a call has found that the actor is gone: every later one fails, too."""
        ...


class Runtime(ABC):
    """Runs actors and tasks; a context manager that closes itself."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = frozenset(nodes)
        self._closed = threading.Event()

    @abstractmethod
    def actor(self, name: str, factory: Callable[[], A], *, node: str = "") -> Handle[A]:
        """Make ``factory()`` live somewhere, beside the node ``node`` if one is named; does not wait for it.

        Raises:
            UserError: a node that the runtime was not opened for.
            ClusterError: the node's host has not joined.
        """

    @abstractmethod
    def submit(self, function: Callable[..., T], *args: Any, node: str = "") -> Future[T]:
        """Run ``function(*args)`` where there is room, on the host of ``node`` if one is named.

        Raises:
            UserError: a node that the runtime was not opened for.
            ClusterError: there is no such place now.
        """

    @abstractmethod
    def share(self, value: T) -> Future[T]:
        """A value that many calls take: it is handed over once, and the calls get its future as an argument."""

    @property
    @abstractmethod
    def cpus(self) -> int:
        """How many tasks run at a time, on all hosts together."""

    @abstractmethod
    def joined(self) -> frozenset[str]:
        """The nodes whose hosts take actors and tasks now, of those that the runtime was opened for."""

    @property
    def is_lost(self) -> bool:
        """True once what it runs on is gone: all it is asked from then on fails, and another one may be opened."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Give up what still waits and end all actors."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_node(self, node: str) -> None:
        if node and node not in self._nodes:
            known = ", ".join(sorted(self._nodes)) or "none"
            raise UserError(f"the runtime knows no node {node!r}", remedy=f"it has {known}")


def require_open(closed: threading.Event) -> None:
    if closed.is_set():
        raise Bug("the runtime is closed")


def work_name(what: str, node: str) -> str:
    """How errors name an actor or a task.

    >>> work_name("actor loader-3", "node3"), work_name("task add", "")
    ('actor loader-3 on node3', 'task add')
    """
    return f"{what} on {node}" if node else what


def died(what: str, reason: str) -> ClusterError:
    """The error of a call to something that is gone."""
    return ClusterError(f"{what} died: {reason}", remedy="try again", retryable=True)
