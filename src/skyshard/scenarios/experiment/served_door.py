"""A front door as what a cell's queries go through: ``skyshard serve`` in a process of its own, for one trial.

The process has the doors' options of ``--open`` on loopback, with ports of its own, and ends with the one that
experiments, however that ends.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from skyshard.basics.errors import ClusterError
from skyshard.bench.experiment.cells import CZAR

END_S = 30.0
"""What is under way has 10 s; then the process is killed."""
_READY = re.compile(r"(http|mysql) is ready at (?:http|mysql)://([^/\s]+)")
_ALL_OPEN = "all doors are open"


@contextmanager
def served_door(kind: str, cluster: Path, database: str) -> Iterator[str]:
    """The target of ``bench run`` for a level of the factor ``target``: the czar, or a door that is open inside.

    Raises:
        ClusterError: the process ends before its doors are open; with what it said last.
    """
    if kind == CZAR:
        yield CZAR
        return
    process = subprocess.Popen(_command(cluster), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        http, mysql = opened_doors(process)
        yield {
            "mysql": f"mysql://{mysql}/{database}",
            "tap": f"tap:http://{http}/tap",
            "qserv": f"qserv:http://{http}",
        }[kind]
    finally:
        _end(process)


def _command(cluster: Path) -> list[str]:
    bound = shutil.which("setpriv")
    own = [bound, "--pdeathsig", "TERM"] if bound else []
    doors = ["--http", "127.0.0.1:0", "--mysql", "127.0.0.1:0", "--open"]
    return [*own, sys.executable, "-m", "skyshard.cli.app", "serve", "--cluster", str(cluster), *doors]


def opened_doors(process: subprocess.Popen[str]) -> tuple[str, str]:
    """HOST:PORT of the HTTP and of the MySQL door, once all are open; what the process says later is read and dropped.

    It would wait for a reader when the pipe is full, and all queries with it.
    """
    assert process.stderr is not None
    found: dict[str, str] = {}
    last = ""
    for line in process.stderr:
        last = line.strip() or last
        if match := _READY.search(line):
            found[match[1]] = match[2]
        if _ALL_OPEN in line:
            threading.Thread(target=_drop, args=(process.stderr,), daemon=True).start()
            return found["http"], found["mysql"]
    process.stderr.close()
    raise ClusterError(f"`skyshard serve` ended with exit code {process.wait()}: {last}")


def _drop(said: IO[str]) -> None:
    with said:
        deque(said, 0)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
