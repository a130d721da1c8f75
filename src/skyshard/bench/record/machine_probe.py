"""A fixed piece of work on processor, memory and disk, timed before, between and after what a trial measures.

It is the same in all releases, so that its times say how fast the machine was, whatever was measured on it. A reading
takes about a sixth of a second, all readings of a trial less than one; all processors take part, as they do in a scan.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

HASHED_BYTES = 1 << 20
HASHED_TIMES = 8
COPIED_BYTES = 16 << 20
COPIED_TIMES = 3
WRITTEN_BYTES = 1 << 20
WRITTEN_TIMES = 5
MOST_THREADS = 64
MOST_COPIES = 8
BUDGET_S = 0.6
"""Time spent after which only the reading at the end is still made."""

When = Literal["before", "between", "after"]


class MachineReading(BaseModel):
    """The machine at one moment of a trial, by the time that the fixed work took."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: When
    """Relative to the phases of the trial."""
    cpu_s: float
    """Hashing, on every processor at the same time, until the last is done."""
    memory_s: float
    """Copying from memory to memory, on every processor, at most eight, at the same time."""
    disk_s: float | None
    """Writing to the disk and reading back, the median piece; None where it cannot be written."""


@dataclass(frozen=True, slots=True)
class MachineProbe:
    """Does the work for one trial; files are made in a folder, and removed."""

    folder: Path
    """On the disk that matters; the trial's own."""
    readings: list[MachineReading] = field(default_factory=list)
    """Those of this trial, in order."""
    spent_s: list[float] = field(default_factory=list)

    def read(self, when: When) -> None:
        """Do the work once, unless it is one between phases and enough time was spent."""
        if when == "between" and sum(self.spent_s) > BUDGET_S:
            return
        begun = time.perf_counter()
        self.readings.append(self._reading(when))
        self.spent_s.append(time.perf_counter() - begun)

    def _reading(self, when: When) -> MachineReading:
        threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
        with ThreadPoolExecutor(threads) as pool:
            cpu_s = _on_all(pool, threads, _hash)
            copies = [
                (np.ones(COPIED_BYTES, np.uint8), np.zeros(COPIED_BYTES, np.uint8))
                for _ in range(min(MOST_COPIES, threads))
            ]
            memory_s = _on_all(pool, len(copies), lambda number: _copy(*copies[number]))
        return MachineReading(when=when, cpu_s=cpu_s, memory_s=memory_s, disk_s=_disk_s(self.folder))


def _on_all(pool: ThreadPoolExecutor, threads: int, work: Callable[[int], None]) -> float:
    """Seconds until every thread has done its work."""
    begun = time.perf_counter()
    list(pool.map(work, range(threads)))
    return time.perf_counter() - begun


def _hash(_: int) -> None:
    content = bytes(HASHED_BYTES)
    for _ in range(HASHED_TIMES):
        hashlib.sha256(content).digest()


def _copy(source: np.ndarray, target: np.ndarray) -> None:
    for _ in range(COPIED_TIMES):
        np.copyto(target, source)


def _disk_s(folder: Path) -> float | None:
    """Median seconds to write a piece to the disk and to read it back from there."""
    content = os.urandom(WRITTEN_BYTES)
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return float(np.median([_write_and_read(file.fileno(), content) for _ in range(WRITTEN_TIMES)]))
    except OSError:
        return None


def _write_and_read(file: int, content: bytes) -> float:
    begun = time.perf_counter()
    os.pwrite(file, content, 0)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(file, len(content), 0)
    return time.perf_counter() - begun
