"""A real ``skyshard serve`` process: started, waited for, ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Served:
    """The process, what it has said, and where its doors are: name → address."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def doors(self) -> dict[str, str]:
        words = [line.removeprefix("skyshard: ").split(" is ready at ") for line in self.said]
        return {one[0]: one[1] for one in words if len(one) == 2}

    def wait_open(self) -> None:
        """Read what it says until all doors are open; fails where it ends before."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if line.endswith("all doors are open\n"):
                return
        raise AssertionError(f"it ended with {self.process.wait()}: {self.said}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, read the rest; its exit code."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=200)
        self.said += rest.splitlines()
        return self.process.returncode


@contextlib.contextmanager
def served(cluster: Path, *options: str) -> Iterator[Served]:
    """A process with all doors open; killed at the end if it still runs."""
    command = [sys.executable, "-m", "skyshard.cli.app", "serve", "--cluster", str(cluster), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    made = Served(process)
    try:
        made.wait_open()
        yield made
    finally:
        process.kill()
        process.communicate()
