"""Does a server still answer? A second session asks while a statement is long without a word.

Rules: a statement may take as long as it likes while its server answers others. A server that gives no answer for
``silence_s`` (a stopped process, a host that is gone) loses the sessions that are watched: whoever waits on one gets a
retryable error that names the server. While it is silent nobody is let in, so that nobody waits for it again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from skyshard.db.connection import CONNECT_TIMEOUT_S, Account, Connection, Endpoint, connect, is_reached
from skyshard.errors import ClusterError

SILENCE_VARIABLE = "SKYSHARD_SILENCE_S"
SILENCE_S = 30.0
"""After so many seconds without any answer a server counts as silent, unless the environment says otherwise."""


def silence_limit() -> float:
    """Seconds from the environment, else the default."""
    with contextlib.suppress(ValueError):
        return max(0.1, float(os.environ.get(SILENCE_VARIABLE, SILENCE_S)))
    return SILENCE_S


class Pulse:
    """Watches the sessions of one server; a thread looks after them every third of the silence that is allowed."""

    def __init__(self, endpoint: Endpoint, account: Account, silence_s: float | None = None) -> None:
        self._endpoint = endpoint
        self._account = account
        self.silence_s = silence_limit() if silence_s is None else silence_s
        self._watched: dict[int, tuple[Connection, float]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_silent = False

    @property
    def connect_timeout_s(self) -> float:
        """How long opening a session may take."""
        return min(CONNECT_TIMEOUT_S, self.silence_s)

    @contextlib.contextmanager
    def watch(self, connection: Connection) -> Iterator[None]:
        """Around statements on a session.

        Raises:
            ClusterError: the server fell silent meanwhile.
        """
        with self._lock:
            self._watched[id(connection)] = (connection, time.monotonic())
            self._start()
        is_cut = False
        try:
            yield
        except BaseException as error:
            is_cut = self._forget(connection)
            if is_cut and isinstance(error, ClusterError):
                raise self.error() from error
            raise
        finally:
            if not is_cut:
                self._forget(connection)

    def _forget(self, connection: Connection) -> bool:
        """No longer watched; True if it was cut off."""
        with self._lock:
            return self._watched.pop(id(connection), None) is None

    def error(self) -> ClusterError:
        return ClusterError(
            f"{self._endpoint}: no answer for {self.silence_s:g} s, nor to a second session",
            remedy="is its process stopped, its host gone? see `skyshard cluster status`; start it again",
            retryable=True,
        )

    def require_answer(self) -> None:
        """Raises ClusterError while the server is silent."""
        if self.is_silent:
            raise self.error()

    def suspect(self) -> None:
        """Somebody could not reach the server: look after it until it answers."""
        with self._lock:
            self.is_silent = True
            self._start()

    def close(self) -> None:
        self._closed.set()
        thread = self._thread
        if thread is not None:
            thread.join(1.0)  # it may be waiting for a silent server

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._closed.clear()
            self._thread = threading.Thread(target=self._look_after, name="pulse", daemon=True)
            self._thread.start()

    def _look_after(self) -> None:
        beat_s = self.silence_s / 3
        while not self._closed.wait(beat_s):
            asked = time.monotonic()
            with self._lock:
                if not (self._watched or self.is_silent):
                    self._thread = None  # the next watch starts one
                    return
                is_long = any(asked - begun >= beat_s for _, begun in self._watched.values())
            if not (is_long or self.is_silent):
                continue
            self.is_silent = not self._answers(2 * beat_s)
            if self.is_silent:
                self._cut(asked)

    def _answers(self, within_s: float) -> bool:
        """A new session gets an answer; a refusal is one, too."""
        try:
            with connect(
                self._endpoint, self._account, connect_timeout_s=within_s, answer_timeout_s=within_s
            ) as connection:
                connection.value("SELECT 1")
        except ClusterError as error:
            return is_reached(error)
        return True

    def _cut(self, before: float) -> None:
        """End the sessions that were busy before this moment; whoever waits on one goes on."""
        with self._lock:
            silent = [key for key, (_, begun) in self._watched.items() if begun < before]
            connections = [self._watched.pop(key)[0] for key in silent]
        for connection in connections:
            connection.cut()
