"""An actor that is made when it is first called: one that nobody calls costs no process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate, Generic, ParamSpec, TypeVar

from skyshard.runtime.base import Handle

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class LateActor(Generic[A]):
    """A ``Handle``; what making the actor raises comes out of its calls, each of which tries again.

    >>> from skyshard.runtime import open_runtime
    >>> with open_runtime("inline") as runtime:
    ...     letters = LateActor(lambda: runtime.actor("letters", list[str]))
    ...     _ = letters.call(list.append, "a")
    ...     letters.call(list.copy).result()
    ['a']
    """

    def __init__(self, make: Callable[[], Handle[A]]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: Handle[A] | None = None

    def call(self, method: Callable[Concatenate[A, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made.call(method, *args, **kwargs)

    @property
    def is_dead(self) -> bool:
        return self._made is not None and self._made.is_dead
