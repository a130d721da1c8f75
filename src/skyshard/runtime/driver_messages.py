"""What a process that works on a joined Ray and its driver process tell each other. Values only.

Ray ends a driver whose head or whose host's Ray is gone, in the middle of whatever it does, or lets it wait for ever.
So the driver is a process of its own (``on_ray/driver.py``), and may be lost. Work travels as pickled bytes, which only
the host that carries it out reads.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skyshard.basics.errors import Bug

SMALL_BYTES = 1 << 16
"""A result up to this size comes back at once; a larger one stays where it was made until somebody asks for it."""


@dataclass(frozen=True, slots=True)
class Members:
    """What the head said: the hosts that belong to its Ray now."""

    nodes: Mapping[str, str] = field(default_factory=dict)
    """Node → Ray's number of its host, another one when Ray was started there again."""
    cpus: int = 0
    """Tasks that can run at a time, on all hosts together."""

    def gone_since(self, before: Members) -> frozenset[str]:
        """Nodes whose hosts belonged to it before, and do no more, or are there anew.

        >>> before = Members({"node1": "a", "node2": "b", "node3": "d"})
        >>> sorted(Members({"node2": "c", "node3": "d"}).gone_since(before))
        ['node1', 'node2']
        """
        return frozenset(name for name, host in before.nodes.items() if self.nodes.get(name) != host)


@dataclass(frozen=True, slots=True)
class MakeActor:
    """Order: an actor, made by the pickled factory, on a node's host or anywhere."""

    actor: int
    factory: bytes
    node: str


@dataclass(frozen=True, slots=True)
class CallActor:
    """Order: a call of an actor; ``work`` is :func:`packed`, ``given`` the numbers of results that it takes."""

    number: int
    actor: int
    work: bytes
    given: tuple[int, ...]
    what: str
    """How errors name it."""


@dataclass(frozen=True, slots=True)
class RunTask:
    """Order: a task on a node's host or, tried again where that is lost, anywhere."""

    number: int
    work: bytes
    given: tuple[int, ...]
    what: str
    node: str
    retries: int


@dataclass(frozen=True, slots=True)
class Share:
    """Order: keep this pickled value for calls that take it."""

    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """Order: bring a result that stayed where it was made."""

    number: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Order: nobody will ask for this result any more."""

    number: int


@dataclass(frozen=True, slots=True)
class ForgetActor:
    """Order: nobody will call this actor any more."""

    actor: int


@dataclass(frozen=True, slots=True)
class AskHead:
    """Order: ask the head at once which hosts belong to it."""


Order = MakeActor | CallActor | RunTask | Share | Fetch | Forget | ForgetActor | AskHead


@dataclass(frozen=True, slots=True)
class Done:
    """A result, pickled; None for one that is large."""

    number: int
    result: bytes | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A large result, pickled."""

    number: int
    result: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A call or a task that ended with an error, pickled; ``is_lost``: the actor is gone for good."""

    number: int
    error: bytes
    is_lost: bool
    is_unheard: bool = False
    """Nothing is heard of its host: Ray will know in some seconds whether that is gone."""


@dataclass(frozen=True, slots=True)
class NotOpened:
    """Ray could not be joined; the driver ends."""

    error: bytes


Report = Members | Done | Fetched | Failed | NotOpened


@dataclass(frozen=True, slots=True)
class _Given:
    """Stands for a result among the arguments of work."""

    place: int


def packed(what: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], numbers: Mapping[int, int]) -> bytes:
    """A function or a method's name with its arguments.

    Args:
        numbers: ``id`` of an argument → its place among the results that are given.
    """

    def stand_in(arg: Any) -> Any:
        return _Given(numbers[id(arg)]) if id(arg) in numbers else arg

    content = (what, [stand_in(arg) for arg in args], {name: stand_in(arg) for name, arg in kwargs.items()})
    return pickle.dumps(content, protocol=5)


def unpacked(work: bytes, given: tuple[Any, ...]) -> tuple[Any, list[Any], dict[str, Any]]:
    """What was packed, with the results in their places."""
    what, args, kwargs = pickle.loads(work)

    def filled(arg: Any) -> Any:
        return given[arg.place] if isinstance(arg, _Given) else arg

    return what, [filled(arg) for arg in args], {name: filled(arg) for name, arg in kwargs.items()}


def small(value: Any) -> bytes | None:
    """A value, pickled, if that takes few bytes.

    >>> small([1, 2]) is None, small(b"x" * 1_000_000) is None
    (False, True)
    """
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    if len(head) + sum(buffer.raw().nbytes for buffer in buffers) > SMALL_BYTES:
        return None
    return pickle.dumps(value, protocol=5) if buffers else head


def pickled_error(error: BaseException, what: str) -> bytes:
    """An error of work, pickled; of one that cannot be, its words.

    >>> from threading import Lock
    >>> print(pickle.loads(pickled_error(KeyError(7), "task add")))
    7
    >>> print(str(pickle.loads(pickled_error(KeyError(Lock()), "task add")))[:40])
    task add failed: KeyError: <unlocked _th
    """
    try:
        return pickle.dumps(error)
    except Exception:  # it holds a lock, a socket or the like
        return pickle.dumps(Bug(f"{what} failed: {type(error).__name__}: {error}"))
