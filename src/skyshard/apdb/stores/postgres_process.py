"""One private PostgreSQL server: found, made, started, stopped; never a service of the system.

PostgreSQL does not run as root. Where this process is root, the server runs in a user namespace in which root has
another number: its files stay those of this user, nothing is chowned, and no other account is needed. It listens on a
Unix socket in a folder that only its owner may enter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster_folder import socket_folder

SEARCH = Path("/usr/lib/postgresql")
"""Debian keeps the programs of each version here, outside of the PATH."""
USER = "skyshard"
START_TIMEOUT_S, STOP_TIMEOUT_S, POLL_S = 120.0, 60.0, 0.02
_AS_ANOTHER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_OPTIONS = {
    "listen_addresses": "", "max_connections": "400", "shared_buffers": "256MB", "max_wal_size": "1GB", "jit": "off",
    "logging_collector": "off", "log_min_messages": "warning",
}  # fmt: skip


def find_postgres() -> Path:
    """The folder with ``initdb`` and ``postgres``, of the newest version that is installed.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get("SKYSHARD_POSTGRESQL")
    places = [Path(named)] if named else sorted(SEARCH.glob("*/bin"), key=_version, reverse=True)
    for place in places:
        if (place / "postgres").is_file() and (place / "initdb").is_file():
            return place
    where = f"'{named}'" if named else f"{SEARCH}/*/bin"
    raise UserError(f"no PostgreSQL in {where}", remedy="`make postgresql`, or name its folder in $SKYSHARD_POSTGRESQL")


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdigit() else 0


def outside_of_root() -> list[str]:
    """The words before a command that must not be root's; none where this process is not.

    Raises:
        UserError: it is, and this system lets it make no user namespace.
    """
    if os.geteuid() != 0:
        return []
    tried = shutil.which("unshare") and subprocess.run([*_AS_ANOTHER, "true"], capture_output=True).returncode == 0
    if not tried:
        raise UserError(
            "PostgreSQL does not run as root, and this system gives no user namespace", remedy="run as another user"
        )
    return [*_AS_ANOTHER]


class PostgresProcess:
    """The server below a folder: ``data/``, ``server.log``."""

    def __init__(self, folder: Path) -> None:
        self._programs, self._before = find_postgres(), outside_of_root()
        self._data, self._log = folder / "data", folder / "server.log"
        self._sockets = socket_folder(folder, create=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self._sockets}"

    @property
    def version(self) -> str:
        said = subprocess.run([self._programs / "postgres", "--version"], capture_output=True, text=True).stdout
        return said.split()[2] if len(said.split()) > 2 else ""

    def initialise(self) -> None:
        """Make the data folder, whole or not at all; a no-op when it is there."""
        if self._data.is_dir():
            return
        draft = self._data.with_name("data.draft")
        shutil.rmtree(draft, ignore_errors=True)
        words = [self._programs / "initdb", "-D", draft, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C"]
        with self._log.open("ab") as log:
            made = subprocess.run([*self._before, *map(str, words)], stdout=log, stderr=log)
        if made.returncode != 0:
            raise ClusterError("PostgreSQL cannot be initialised", remedy=f"see {self._log}")
        draft.rename(self._data)

    def start(self) -> None:
        """Start it, and wait until it answers; a no-op while one serves this folder.

        Raises:
            ClusterError: it ends instead, or takes too long.
        """
        if self.pid() is not None:
            return
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        sockets = ["-c", f"unix_socket_directories={self._sockets}"]
        words = [self._programs / "postgres", "-D", self._data, *options, *sockets]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._before, *map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ClusterError("PostgreSQL does not start", remedy=f"see {self._log}")
            time.sleep(POLL_S)

    def pid(self) -> int | None:
        """The process that serves this folder, whoever started it."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            found = int((self._data / "postmaster.pid").read_text().split()[0])
            words = Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(self._data) in words:
                return found
        return None

    def stop(self) -> None:
        """End its sessions and stop it; killed where it does not."""
        for number, wait_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 10.0)):
            found = self.pid()
            if found is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(found, number)
            deadline = time.monotonic() + wait_s
            while self.pid() is not None and time.monotonic() < deadline:
                self._collect()
                time.sleep(POLL_S)
        if self._process is not None:
            self._process.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _collect(self) -> None:
        if self._process is not None:
            self._process.poll()

    def _is_ready(self) -> bool:
        """The last line of its pid file says so."""
        with contextlib.suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False
