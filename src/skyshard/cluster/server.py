"""One private MariaDB server: its data folder, its process, its log.

Rules: a server is known by the data folder in its command line, never by a number alone, so that a stale pid file can
not point at another process; it runs in a session of its own, so that Ctrl-C in a terminal does not reach it.

A server's folder holds ``data/`` (datadir), ``tmp/`` (sorts), ``server.log`` and, while it runs, ``server.pid``.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.cluster.accounts import account_statements
from skyshard.cluster.installation import Installation
from skyshard.cluster.server_options import OPEN_FILES, PRIVATE, Tuning, server_options
from skyshard.cluster.settings import AT_CREATION
from skyshard.cluster.storage_plugins import ROCKS_SETTINGS
from skyshard.db.connection import Account, Endpoint, connect

SOCKET_PATH_BYTES = 107
POLL_S = 0.01
START_TIMEOUT_S = 180.0
"""Of a server that goes on starting; one that dies is seen at once."""
STOP_TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10.0
PROC = Path("/proc")
STARTED: dict[int, Path] = {}
"""Process and data folder of the servers that this very process started: when they end, it has to collect them."""


class Server:
    """A server below ``folder`` that listens on the Unix socket ``socket``; constructing one touches nothing.

    ``settings`` are a user's, name → value; they win over the options that ``tuning`` stands for.
    """

    def __init__(
        self, folder: Path, socket: Path, tuning: Tuning | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        if len(os.fsencode(socket)) > SOCKET_PATH_BYTES:
            raise ClusterError(f"socket path {socket} is longer than {SOCKET_PATH_BYTES} bytes")
        self.folder = folder
        self.socket = socket
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.pid_file = folder / "server.pid"
        self._last_pid: int | None = None
        self._log_begun = 0
        self._tuning = tuning or Tuning()
        self.settings = dict(settings or {})

    variables: Mapping[str, str] = {}
    """Of the environment of its process, besides those of this one."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def is_node(self) -> bool:
        """Whether it holds chunk tables, so that it needs the engines of plugins."""
        return self.name.startswith("node")

    def reach_options(self) -> list[str]:
        """Options of how the running server is reached, and what files it may read."""
        return [*PRIVATE]

    @property
    def kept_settings(self) -> frozenset[tuple[str, str]]:
        """The chosen settings that the data folder keeps: servers that differ in them cannot share a template."""
        return frozenset((name, value) for name, value in self.settings.items() if name in AT_CREATION)

    @property
    def own_options(self) -> dict[str, str]:
        """Skyshard's own options of this server, by the name of the variable, without what a user chose."""
        options = (option.partition("=") for option in server_options(self._tuning, open_files=_open_files()))
        return {name.replace("-", "_"): value for name, _, value in options}

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(socket=str(self.socket))

    @property
    def is_initialised(self) -> bool:
        return self.data.is_dir()

    def initialise(self, installation: Installation, template: Path | None = None) -> None:
        """Make the data folder with system tables and accounts, or copy that of a stopped, initialised server.

        All or nothing: the data folder appears under its name when it is complete. No-op when it is there.
        """
        if self.is_initialised:
            return
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if template:
            shutil.copytree(template, draft)
        else:
            draft.mkdir(mode=0o700)
            self._bootstrap(installation, draft)
        draft.rename(self.data)

    def start(self, installation: Installation) -> None:
        """Start the process and return at once (see :meth:`wait_ready`); no-op when it runs."""
        if self.is_running():
            return
        self.socket.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        places = [f"socket={self.socket}", f"pid-file={self.pid_file}", f"tmpdir={self._empty_tmp()}"]
        places += installation.plugin_options if self.is_node else []
        command = self._command(installation, self.data, *places, *self.reach_options())
        write_log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._log_begun = self.log.stat().st_size if self.log.exists() else 0
        pid = os.posix_spawn(
            command[0],
            command,
            {**installation.environment, **self.variables},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), write_log, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_CLOSE, handle) for handle in _inheritable_files()),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )
        STARTED[pid] = self.data

    def _empty_tmp(self) -> Path:
        """A folder of this server's own: each removes the temporary tables that it finds there when it begins."""
        tmp = self.folder / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir()
        return tmp

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when the server answers; ClusterError with the log's reason when it died or is too slow."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_running():
                raise ClusterError(
                    f"server {self.name} died while starting: {self._reason()}", remedy=f"see {self.log}"
                )
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"server {self.name} does not answer after {timeout_s:.0f} s", remedy=f"see {self.log}"
                )
            time.sleep(POLL_S)

    def is_ready(self) -> bool:
        """True when the server accepts a session."""
        if not self.socket.exists():
            return False
        try:
            with connect(self.endpoint, Account.ADMIN):
                return True
        except ClusterError:
            return False

    def pid(self) -> int | None:
        """The process that serves this data folder, however it was started; None when there is none."""
        _collect_ended()
        found = next((pid for pid in self._suspects() if self._serves(pid)), None)
        self._last_pid = found or self._last_pid
        return found

    def is_running(self) -> bool:
        return self.pid() is not None

    def settle(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Whether it runs, once it is no more on its way up or down, where a killed command has left it."""
        deadline = time.monotonic() + timeout_s
        while self.is_running() and not (self.socket.exists() and self.pid_file.exists()) and not self.is_ready():
            if time.monotonic() > deadline:
                break  # its socket is lost: who asks it says so
            time.sleep(POLL_S)
        return self.is_running()

    @property
    def is_crashed(self) -> bool:
        """True when the server ended without a proper stop."""
        return self.pid_file.exists() and not self.is_running()

    def request_stop(self) -> None:
        """Ask the server to stop (SIGTERM) and return at once; one that is frozen goes on for that."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def freeze(self) -> None:
        """Stop the process (SIGSTOP), as a frozen host does: sessions stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Stop the server and remove its socket; False when it had to be killed after ``timeout_s``."""
        self.request_stop()
        is_clean = self._wait_gone(timeout_s)
        if not is_clean:
            self.kill()
        self._sweep()
        return is_clean

    def kill(self) -> None:
        """End the process without a proper stop; ClusterError when even that does not help."""
        self._signal(signal.SIGKILL)
        if not self._wait_gone(KILL_TIMEOUT_S):
            raise ClusterError(f"server {self.name} (process {self.pid()}) does not die", remedy="kill it as its owner")

    def _bootstrap(self, installation: Installation, data: Path) -> None:
        system_tables = installation.system_tables.read_text(encoding="utf-8")
        accounts = "".join(f"{statement};\n" for statement in ("FLUSH PRIVILEGES", *account_statements()))
        script = f"CREATE DATABASE mysql;\nUSE mysql;\n{system_tables}\n{accounts}"
        with self.log.open("ab") as log:
            outcome = subprocess.run(
                self._command(installation, data, f"tmpdir={self._empty_tmp()}", *PRIVATE, "bootstrap"),
                input=script.encode(),
                stdout=log,
                stderr=log,
                env=installation.environment,
            )
        if outcome.returncode != 0:
            raise ClusterError(f"server {self.name} cannot be initialised: {self._reason()}", remedy=f"see {self.log}")

    def _command(self, installation: Installation, data: Path, *more: str) -> list[str]:
        places = [
            f"basedir={installation.base}",
            f"lc-messages-dir={installation.share}",
            f"character-sets-dir={installation.share / 'charsets'}",
            f"plugin-dir={installation.plugins}",
            f"datadir={data}",
        ]
        root = ["user=root"] if os.geteuid() == 0 else []
        chosen = [_chosen_option(name, value) for name, value in self.settings.items()]
        own = server_options(self._tuning, open_files=_open_files())
        options = [*places, *root, *own, *chosen, *more]
        return [str(installation.binary), "--no-defaults", *(f"--{option}" for option in options)]

    def _suspects(self) -> Iterator[int]:
        """Process ids worth a look: our own children and the one of the pid file first, then all others."""
        yield from tuple(STARTED)
        with contextlib.suppress(OSError, ValueError):
            yield int(self.pid_file.read_text())
        for entry in os.listdir(PROC):
            if entry.isdigit():
                yield int(entry)

    def _serves(self, pid: int) -> bool:
        """True when this process has our data folder in its command line; a child just born has no such line yet."""
        return STARTED.get(pid) == self.data or os.fsencode(f"--datadir={self.data}") in _command_line(pid)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait_gone(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.is_running() or _is_ending(self._last_pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _sweep(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)

    def _reason(self) -> str:
        """The last error that the server wrote to its log since this process started it."""
        written = self.log.read_bytes()[self._log_begun :] if self.log.exists() else b""
        lines = written.decode(errors="replace").splitlines()
        errors = [line for line in lines if "ERROR" in line and not line.endswith("Aborting")]
        return (errors or lines or ["it wrote nothing"])[-1].strip()


def _chosen_option(name: str, value: str) -> str:
    """A setting as a word of the command line; one of a plugin is passed over where this is not loaded."""
    loose = "loose-" if name.startswith(ROCKS_SETTINGS) else ""
    return f"{loose}{name.replace('_', '-')}={value}"


def _open_files() -> int:
    """How many files a server may open at once."""
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if hard_limit == resource.RLIM_INFINITY else min(OPEN_FILES, hard_limit)


def _inheritable_files() -> list[int]:
    """Open files of this process that a child would inherit: libraries open some, and a server outlives them.

    Ray does: a server that held a log of Ray would be ended with Ray's own processes (``runtime/keeper.py``).
    """
    found = []
    for entry in os.listdir(PROC / "self" / "fd"):
        with contextlib.suppress(OSError):  # the one that lists the folder is closed again
            if int(entry) > 2 and os.get_inheritable(int(entry)):
                found.append(int(entry))
    return found


def end_orphans(folder: Path) -> int:
    """Kill the servers that go on although their data folders below this one were removed; returns their number."""
    option, found = os.fsencode(f"--datadir={folder}/"), []
    for entry in os.listdir(PROC):
        places = [word for word in _command_line(int(entry)) if word.startswith(option)] if entry.isdigit() else []
        if places and not os.path.isdir(places[0].partition(b"=")[2]):
            found.append(int(entry))
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while any(_is_there(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return len(found)


def _is_there(pid: int) -> bool:
    _collect_ended()
    return pid in STARTED or bool(_command_line(pid)) or _is_ending(pid)


def _command_line(pid: int) -> list[bytes]:
    """The words of a process; none when it has ended, even while its last threads still hold files and locks."""
    try:
        with open(f"{PROC}/{pid}/cmdline", "rb", buffering=0) as file:  # of hundreds of processes, one after another
            return [word for word in file.read().split(b"\0") if word]
    except OSError:
        return []


def _is_ending(pid: int | None) -> bool:
    """True while a process that has ended still has threads, and with them its files and locks."""
    try:
        return pid is not None and not _command_line(pid) and len(os.listdir(PROC / str(pid) / "task")) > 1
    except OSError:
        return False


def _collect_ended() -> None:
    for pid in tuple(STARTED):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
        STARTED.pop(pid, None)
