"""Samples of what processes of this host execute, by Linux's ``perf``, where it is there and allowed."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLES_A_SECOND = 999
BEGIN_S = 30.0
"""So long perf may take until it looks."""
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*|\[[^\]]*\])\)$")
"""An address, a function, and the file that it is in."""

Stacks = Counter[tuple[str, ...]]
"""How often each stack was seen; the outermost function first."""


@dataclass(slots=True)
class Samples:
    """What was sampled; complete when the recording has ended."""

    stacks: Stacks = field(default_factory=Counter)
    fault: str = ""
    """Why there are none, in words of perf."""


def why_not(pids: Sequence[int]) -> str:
    """Why these processes cannot be sampled, and what to do about it; empty when they can."""
    program = shutil.which("perf")
    if program is None:
        return "perf is not installed; install it (Debian: apt install linux-perf)"
    with tempfile.TemporaryDirectory() as folder:
        tried = [program, "record", "-q", "-o", f"{folder}/perf.data", "-p", _joined(pids), "--", "sleep", "0.01"]
        done = subprocess.run(tried, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), f"exit code {done.returncode}")
    return f"perf may not sample the servers ({said.rstrip(':')}; {_paranoia()})"


def _paranoia() -> str:
    try:
        level = PARANOID.read_text().strip()
    except OSError:
        return f"{PARANOID} cannot be read"
    return f"kernel.perf_event_paranoid is {level}; sudo sysctl kernel.perf_event_paranoid=1, or ask who runs this host"


@contextlib.contextmanager
def sampled(pids: Sequence[int]) -> Iterator[Samples]:
    """Sample processes while the block runs, from its first instruction; the stacks are there after it."""
    found = Samples()
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        words = ["perf", "record", "-q", "-F", str(SAMPLES_A_SECOND), "--call-graph", "fp", "-o", data]
        with _recording([*words, "-p", _joined(pids)]) as process:
            try:
                yield found
            finally:
                process.send_signal(signal.SIGINT)
                _, said = process.communicate()
        script = ["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        found.stacks = read_stacks(done.stdout)
        if not found.stacks:
            found.fault = " ".join((said or done.stderr).split())[:200] or "the servers did not run while it looked"


@contextlib.contextmanager
def _recording(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """``perf record`` that looks already: it attaches with its events off, and says when they are on.

    On a busy host it takes seconds to attach; a short recording had ended before it began.
    """
    control, orders = os.pipe()
    said, answers = os.pipe()
    try:
        option = ["--delay", "-1", "--control", f"fd:{control},{answers}"]
        process = subprocess.Popen([*words, *option], stderr=subprocess.PIPE, text=True, pass_fds=(control, answers))
        os.write(orders, b"enable\n")
        _await(said, process)
        yield process
    finally:
        for descriptor in (control, orders, said, answers):
            os.close(descriptor)


def _await(said: int, process: subprocess.Popen[str]) -> None:
    """Return when perf has answered, has ended, or has said nothing for a while."""
    deadline = time.monotonic() + BEGIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([said], [], [], 0.05)[0]:
            return


def _joined(pids: Sequence[int]) -> str:
    return ",".join(map(str, pids))


def read_stacks(script: str) -> Stacks:
    """The stacks of ``perf script``, with the process's name first.

    >>> read_stacks("mariadbd \\n\\t  8b0 read_row (/usr/sbin/mariadbd)\\n\\t  8af main (/usr/sbin/mariadbd)\\n\\n")
    Counter({('mariadbd', 'main', 'read_row'): 1})
    """
    stacks: Stacks = Counter()
    for block in script.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        frames = [_function(match[1], match[2]) for line in lines[1:] if (match := _FRAME.match(line))]
        if frames:
            stacks[lines[0].strip(), *reversed(frames)] += 1
    return stacks


def _function(name: str, file: str) -> str:
    """The function; where it has no name, the file it is in."""
    return f"[{Path(file).name.strip('[]')}]" if name == "[unknown]" else name


def folded(stacks: Stacks) -> str:
    """Stacks as lines ``outer;inner count``, which other flame graph programs read."""
    lines = [f"{';'.join(name.replace(';', ':') for name in stack)} {count}" for stack, count in stacks.items()]
    return "".join(f"{line}\n" for line in sorted(lines))
