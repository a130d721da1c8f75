"""The first processes of a switch and of hosts, each in namespaces of its own, and the network of the test's thread."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from tests.support.host_script import READY, switch_script

PACKAGES = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}
SPACES = ("--net", "--mount", "--pid", "--uts", "--fork", "--kill-child")
SIGNAL_TIMEOUT_S = 60.0
_CAP_SYS_ADMIN = 21


class NoHostsHere(Exception):
    """This machine, or this user, cannot have hosts; says why."""


class FirstProcess:
    """A first process in namespaces of its own, and all that runs there; it ends when this object's process ends."""

    def __init__(self, command: list[str]) -> None:
        self._popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._popen.stdout is not None
        word, _, pid = self._popen.stdout.readline().partition(" ")
        if word != READY:
            raise NoHostsHere(_reason(self._popen.communicate()[1]))
        self.pid = int(pid)
        self._space = os.readlink(f"/proc/{self.pid}/ns/pid")

    def processes(self) -> list[int]:
        """All that run in it, and those outside that wait for one of them; the latter first."""
        outer: list[int] = []
        inner: list[int] = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid_for_children") == self._space:
                    is_inner = os.readlink(f"/proc/{pid}/ns/pid") == self._space
                    (inner if is_inner else outer).append(pid)
        return [*outer, *inner]

    def stop_all(self) -> None:
        """SIGSTOP to every process, also to those just born."""
        self._until(signal.SIGSTOP, ("stopped", "zombie", "dead"))

    def continue_all(self) -> None:
        """SIGCONT to every stopped process, those that wait for another one last: they would stop again with it."""
        self._until(signal.SIGCONT, ("running", "sleeping", "disk-sleep", "idle", "zombie", "dead"))

    def kill(self) -> None:
        """Kill all; when this returns, nothing of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._popen.communicate()

    def leave(self) -> None:
        """Let it do its last lines, and wait for its end."""
        self._popen.communicate()

    def _until(self, number: signal.Signals, wanted: tuple[str, ...]) -> None:
        deadline = time.monotonic() + SIGNAL_TIMEOUT_S
        while pids := [pid for pid in self.processes() if _status(pid) not in wanted]:
            for pid in pids if number is signal.SIGSTOP else reversed(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            assert time.monotonic() < deadline, f"processes {pids} do not take {number.name}"


class Switch:
    """A network with a bridge that hosts are plugged into; ``folder`` is removed when it has ended.

    Raises:
        NoHostsHere: no namespaces, no virtual cables, or no commands for them.
    """

    def __init__(self, folder: Path) -> None:
        for command, package in PACKAGES.items():
            if not shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
                raise NoHostsHere(f"no hosts here: install {package}")
        self._is_root = is_privileged()
        user = [] if self._is_root else ["--user", "--map-root-user"]
        script = folder / "switch.sh"
        script.write_text(switch_script(folder))
        self._first = FirstProcess(["unshare", *user, *SPACES, "sh", str(script)])

    def new_host(self, script: Path) -> FirstProcess:
        """Namespaces of a host, in the user namespace of this switch where there is one."""
        return FirstProcess([*self._enter(), "unshare", *SPACES, "sh", str(script)])

    def entering(self, host: FirstProcess) -> list[str]:
        """Begins a command that runs in a host, in its folder ``/tmp``."""
        enter = self._enter(host.pid) or ["nsenter", "--target", str(host.pid)]
        return [*enter, "--net", "--mount", "--pid", "--uts", "env", "-C", "/tmp"]

    def ip(self, *commands: str) -> None:
        """Run commands of ip in the switch."""
        enter = self._enter() or ["nsenter", "--target", str(self._first.pid)]
        command = [*enter, "--net", "ip", "-batch", "-"]
        found = subprocess.run(command, input="\n".join(commands), text=True, capture_output=True)
        assert found.returncode == 0, f"{commands}: {found.stderr}"

    def end(self) -> None:
        self._first.leave()

    def _enter(self, pid: int = 0) -> list[str]:
        """Begins a command in the user namespace; empty for root, who needs none."""
        target = str(pid or self._first.pid)
        return [] if self._is_root else ["nsenter", "--target", target, "--user", "--preserve-credentials"]


@contextlib.contextmanager
def on_network_of(pid: int) -> Iterator[None]:
    """Put this thread, and what it starts, on the network of another process.

    Raises:
        NoHostsHere: only root may.
    """
    handles = [os.open(f"/proc/{one}/ns/net", os.O_RDONLY) for one in ("thread-self", pid)]
    try:
        _set_space(handles[1])
        try:
            yield
        finally:
            _set_space(handles[0])
    finally:
        for handle in handles:
            os.close(handle)


def enter(pid: int) -> None:
    """Put this process into the network, the disk and the name of another one, and what it forks into its processes.

    Raises:
        NoHostsHere: only root may.
    """
    handles = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("net", "uts", "pid", "mnt")]
    for handle in handles:
        _set_space(handle)
        os.close(handle)


def is_privileged() -> bool:
    """True with the capability that makes namespaces; root in a container may lack it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


def _set_space(handle: int) -> None:
    """To the namespace of this file, of whatever kind."""
    if ctypes.CDLL(None, use_errno=True).setns(handle, 0):
        raise NoHostsHere(f"only root enters a host: {errno.errorcode[ctypes.get_errno()]}")


def _status(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "dead"


def _reason(words: str) -> str:
    """Why there are no hosts, with the name of the system's error."""
    names = [name for number, name in errno.errorcode.items() if os.strerror(number) in words]
    said = " ".join(words.split()) or "the first process ended"
    return f"no namespaces here: {', '.join(names) or 'no errno'} ({said}); run as root or allow user namespaces"
