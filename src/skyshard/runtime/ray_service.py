"""Ray on this host as a service: ``ray start --block``, with nothing left of it when it ends, however that comes."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.runtime.keeper import Keeper
from skyshard.runtime.ray_commands import RayStart
from skyshard.runtime.ray_settings import ASK_EVERY_S, CONNECT_TIMEOUT_S

STOP_TIMEOUT_S = 10.0
PREFIX = "skyshard-ray-"
STARTED = "Ray runtime started"
PREFIXES = ("Traceback", "File ", "-----")
"""Of lines of its log that say nothing alone."""


class RayService:
    """See ``host.supervise.Service``. Each start has a folder of its own below /tmp, which ends with it."""

    name = "Ray"

    def __init__(self, start_in: Callable[[Path], RayStart], log: Path, head: tuple[str, int] | None = None) -> None:
        """``start_in`` gives the command for a folder; ``log`` holds what it says, since the last start.

        ``head``: host and port of the head that is joined. When nothing listens there any more, it has ended, and this
        Ray with it, though it would not notice for a minute.
        """
        self._start_in = start_in
        self._log = log
        self._head = head
        self._looked_s = 0.0
        self._look: Future[bool] | None = None
        self._is_head_gone = False
        self._keeper: Keeper | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        if self._process is not None:
            self._look_at_head()
        if self._is_head_gone:
            return None
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        self._look = None  # whatever it finds was before
        self._is_head_gone = self._head_refuses()
        if self._is_head_gone and self._head is not None:
            raise ClusterError(f"no Ray head answers at {self._head[0]}:{self._head[1]}", retryable=True)
        folder = self._new_folder()
        self._keeper = Keeper(str(folder))
        start = self._start_in(folder / "r")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                start.command,
                env=start.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _new_folder(self) -> Path:
        """A folder below /tmp; the one before, which a host without power could not remove, goes.

        Which one that was is written beside the log, whose place is one supervisor's alone.
        """
        note = self._log.with_suffix(".folder")
        with contextlib.suppress(OSError):
            left = Path(note.read_text())
            if left.name.startswith(PREFIX) and left.parent == Path("/tmp"):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
        note.write_text(str(folder))
        return folder

    def is_ready(self) -> bool:
        return STARTED in self._log.read_text(errors="replace")

    def reason(self) -> str:
        if self._is_head_gone:
            return "the Ray head has ended"
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if " ERR " in line or " E " in line or "Error" in line]
        said = (errors or lines or ["it wrote nothing"])[-1][:300]
        return f"{said} (see {self._log})"

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._keeper is not None:
            self._keeper.end()
        self._process = self._keeper = None

    def _look_at_head(self) -> None:
        """Take what the last look found, and look again now and then: on a thread, as no answer takes seconds."""
        if self._look is not None and self._look.done():
            self._is_head_gone, self._look = self._look.result(), None
        if self._look is None and self._head is not None and time.monotonic() - self._looked_s > ASK_EVERY_S:
            self._looked_s = time.monotonic()
            look = self._look = Future[bool]()
            threading.Thread(target=lambda: look.set_result(self._head_refuses()), name="head", daemon=True).start()

    def _head_refuses(self) -> bool:
        """Whether its host answers that nothing listens; no answer means nothing."""
        if self._head is None:
            return False
        try:
            socket.create_connection(self._head, CONNECT_TIMEOUT_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
        return False
