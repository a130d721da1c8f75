"""Asks many servers at once, each in a thread, and waits for none longer than for all."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 256
"""So many that those that are silent do not keep the others waiting."""


class AskedAtOnce(Generic[T]):
    """Questions under way, by name; they must not raise. A thread that nobody waits for keeps no process alive."""

    def __init__(self, questions: Mapping[str, Callable[[], T]], *, at_once: int = AT_ONCE) -> None:
        self._waiting = queue.SimpleQueue[tuple[str, Callable[[], T]]]()
        self._answered = queue.SimpleQueue[tuple[str, T]]()
        self._found: dict[str, T] = {}
        self._count = len(questions)
        for question in questions.items():
            self._waiting.put(question)
        for number in range(min(at_once, self._count)):
            threading.Thread(target=self._work, name=f"ask-{number}", daemon=True).start()

    def answers(self, within_s: float) -> dict[str, T]:
        """The answers that come within so many seconds from now, and those that came before.

        >>> AskedAtOnce({"a": lambda: 1, "b": lambda: time.sleep(60)}).answers(within_s=0.2)
        {'a': 1}
        """
        deadline = time.monotonic() + within_s
        while len(self._found) < self._count:
            try:
                name, answer = self._answered.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            self._found[name] = answer
        return dict(self._found)

    def _work(self) -> None:
        while True:
            try:
                name, question = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._answered.put((name, question()))
