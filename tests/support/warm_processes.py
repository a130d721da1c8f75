"""Processes that need not read the program anew: each is forked from one that has, which no test changes.

A command has its own arguments, environment, working folder, standard streams and exit code, as one that a shell
starts. How the installed program is found and read is shown elsewhere (``test_packaging``, ``test_cluster``).
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from tests.support.namespaces import enter

import skyshard
from skyshard.cli.app import main

NOT_READ = ("skyshard.runtime.on_ray", "skyshard.bench.targets")
"""Rooms whose packages start threads, or may be absent: commands that need them import them."""
_COLLECTING = Lock()
"""Who starts a process looks which others have ended; an exit code can be read once."""


def run_warm(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    *,
    host: int = 0,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``skyshard`` with these arguments to its end, in this folder if any; its standard input is empty.

    Args:
        host: the first process of a host (``hosts.py``) that it runs in, for root; 0: this machine.
    """
    return _run(_skyshard, ["skyshard", *words], environment, folder or Path.cwd(), host, timeout_s)


def run_program(
    file: Path,
    environment: Mapping[str, str],
    folder: Path,
    arguments: Sequence[str] = (),
    *,
    host: int = 0,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program in Python to its end, in this folder; its standard input is empty. ``host``: as ``run_warm``."""
    return _run(_program, [str(file), *arguments], environment, folder, host, timeout_s)


def _run(
    work: Callable[[Sequence[str]], object],
    words: list[str],
    environment: Mapping[str, str],
    folder: Path,
    host: int = 0,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory() as streams:
        out, error = Path(streams, "out"), Path(streams, "error")
        given = (work, words, dict(environment), folder, out, error, host)
        code = warm_exit_code(_begun, *given, timeout_s=timeout_s)
        return subprocess.CompletedProcess(words, code, out.read_text(), error.read_text())


def warm_exit_code(work: Callable[..., object], *arguments: object, timeout_s: float | None = None) -> int:
    """Call a function of a module in a process of its own; its exit code, negative if a signal ended it."""
    process = _forking().Process(target=work, args=arguments)
    with _COLLECTING:
        process.start()
    has_ended = wait([process.sentinel], timeout_s)
    with _COLLECTING:
        if not has_ended:
            process.kill()
        process.join()
    assert has_ended, f"{arguments} did not end in {timeout_s} s"
    assert process.exitcode is not None
    return process.exitcode


class WarmProcess:
    """A function of a module at work in a process of its own, which may be killed; as ``subprocess.Popen`` has it."""

    def __init__(
        self, log: Path, environment: Mapping[str, str], work: Callable[..., int | None], *arguments: object
    ) -> None:
        """What it returns is its exit code, 0 for None; what it prints goes to ``log``."""
        given = (log, dict(environment), work, arguments)
        self._process = _forking().Process(target=_logged, args=given, daemon=True)
        with _COLLECTING:
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        with _COLLECTING:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        if not wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0.0)
        with _COLLECTING:
            self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def start_warm(words: Sequence[str], log: Path) -> WarmProcess:
    """Start ``skyshard`` with these arguments; what it prints is added to ``log``."""
    return WarmProcess(log, os.environ, _skyshard, ["skyshard", *words])


def warm_up() -> None:
    """Start reading the program, on the network of this thread: commands of this machine will be on it."""
    _forking()
    forkserver.ensure_running()


@cache
def _forking() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    names = (module.name for module in pkgutil.walk_packages(skyshard.__path__, "skyshard."))
    context.set_forkserver_preload([name for name in names if not name.startswith(NOT_READ)])
    return context


def _logged(
    log: Path, environment: dict[str, str], work: Callable[..., int | None], arguments: tuple[object, ...]
) -> None:
    _print_to({1: log, 2: log})
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(work(*arguments))


def _print_to(files: Mapping[int, Path]) -> None:
    """Let standard streams be files."""
    for number, path in files.items():
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)


def _begun(
    work: Callable[[Sequence[str]], object],
    words: list[str],
    environment: dict[str, str],
    folder: Path,
    out: Path,
    error: Path,
    host: int,
) -> None:
    _print_to({1: out, 2: error})
    if host:
        _go_to(host)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    work(words)


def _program(words: Sequence[str]) -> None:
    sys.argv = list(words)
    sys.path.insert(0, str(Path(words[0]).parent))
    try:
        runpy.run_path(words[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()


def _skyshard(words: Sequence[str]) -> int:
    sys.argv = list(words)
    try:
        main()
    finally:
        atexit._run_exitfuncs()
    return 0


def _go_to(host: int) -> None:
    """Go on as a process of a host; this one waits for it, and ends as it does."""
    enter(host)
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code)
