"""Processes that need not read the program anew: each is forked from one that has, which no test changes.

A command has its own arguments, environment, working folder, standard streams and exit code, as one that a shell
starts. How the installed program is found and read is shown elsewhere (``test_packaging``, ``test_cluster``).
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import skyshard
from skyshard.cli.app import main

NOT_READ = ("skyshard.runtime.on_ray", "skyshard.bench.targets")
"""Rooms whose packages start threads, or may be absent: commands that need them import them."""


def run_warm(
    words: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``skyshard`` with these arguments to its end, in this folder if any; its standard input is empty."""
    with TemporaryDirectory() as streams:
        out, error = Path(streams, "out"), Path(streams, "error")
        code = warm_exit_code(_command, list(words), dict(environment), folder or Path.cwd(), out, error)
        return subprocess.CompletedProcess(["skyshard", *words], code, out.read_text(), error.read_text())


def warm_exit_code(work: Callable[..., object], *arguments: object) -> int:
    """Call a function of a module in a process of its own; its exit code, negative if a signal ended it."""
    process = _forking().Process(target=work, args=arguments)
    process.start()
    process.join()
    code = process.exitcode
    assert code is not None
    return code


@cache
def _forking() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    names = (module.name for module in pkgutil.walk_packages(skyshard.__path__, "skyshard."))
    context.set_forkserver_preload([name for name in names if not name.startswith(NOT_READ)])
    return context


def _command(words: list[str], environment: dict[str, str], folder: Path, out: Path, error: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in {1: out, 2: error}.items():
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["skyshard", *words]
    try:
        main()
    finally:
        atexit._run_exitfuncs()
