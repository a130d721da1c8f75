"""The driver process of a joined Ray, seen from the process that it works for: orders go, reports come."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue

from skyshard.runtime.driver_messages import Order, Report
from skyshard.runtime.ray_address import RayAddress
from skyshard.runtime.ray_settings import joining_environment

MAIN = "from skyshard.runtime.on_ray.driver import main; main()"
END_TIMEOUT_S = 8.0


class DriverLink:
    """A driver process: it ends with ``end``, and when this process is gone, however it went."""

    def __init__(
        self,
        address: RayAddress,
        nodes: Sequence[str],
        on_report: Callable[[Report], None],
        on_end: Callable[[str], None],
    ) -> None:
        """``on_end`` gets the last words of a driver that ended before it was told to."""
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._connection = Connection(ours.detach())
        self._sending = threading.Lock()
        self._later: SimpleQueue[Order | None] = SimpleQueue()
        self._is_ending = False
        self._on_report = on_report
        self._on_end = on_end
        with theirs:
            place = [str(theirs.fileno()), address.host, str(address.port), address.token]
            self._process = subprocess.Popen(
                [sys.executable, "-c", MAIN, *place, *nodes],
                pass_fds=(theirs.fileno(),),
                env=joining_environment(os.environ, address.token),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                start_new_session=True,
            )

    def listen(self) -> None:
        """Take reports from now on, and give orders that came meanwhile."""
        threading.Thread(target=self._send_later, name="ray-orders", daemon=True).start()
        threading.Thread(target=self._listen, name="ray-driver", daemon=True).start()

    def send(self, order: Order) -> None:
        """Give an order; no-op when the driver is gone, which ``on_end`` is told."""
        content = pickle.dumps(order, protocol=5)
        with self._sending, contextlib.suppress(OSError):
            self._connection.send_bytes(content)

    def send_later(self, order: Order) -> None:
        """Give an order soon. Waits for nothing: a finalizer may run on a thread that is just sending."""
        self._later.put(order)

    def end(self) -> None:
        """Let the driver leave Ray, and wait for its end; its actors end with it. Safe to call twice."""
        self._is_ending = True
        self._hang_up()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def kill(self) -> None:
        """End it at once: Ray does not answer."""
        self._is_ending = True
        self._process.kill()
        self._hang_up()
        self._log.close()

    def _hang_up(self) -> None:
        """Wakes who sends or listens, here and there."""
        self._later.put(None)
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as both:
            both.shutdown(socket.SHUT_RDWR)

    def _send_later(self) -> None:
        while (order := self._later.get()) is not None:
            self.send(order)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._on_report(pickle.loads(self._connection.recv_bytes()))
        if not self._is_ending:
            self._process.wait()
            self._on_end(self._last_words())

    def _last_words(self) -> str:
        try:
            self._log.seek(0)
            text = self._log.read().decode(errors="replace")
        except ValueError:  # told to end meanwhile, which closed it
            return "it was told to end"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self._process.returncode}"
