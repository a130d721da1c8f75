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

HASHED_BYTES = 2 << 20
COPIED_BYTES = 16 << 20
WRITTEN_BYTES = 1 << 20
PIECES = 5
"""Times that each piece of work is done; the median counts, so that a single hiccup does not."""
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
    """Hashing, on every processor at the same time, until the last is done; the median piece."""
    memory_s: float
    """Copying from memory to memory, on every processor, at most eight, at the same time; the median piece."""
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
        copied = min(MOST_COPIES, threads)
        with ThreadPoolExecutor(threads) as pool:
            hashed = bytes(HASHED_BYTES)
            cpu_s = _on_all(pool, threads, lambda _: hashlib.sha256(hashed).digest())
            copies = [(np.zeros(COPIED_BYTES, np.uint8), np.ones(COPIED_BYTES, np.uint8)) for _ in range(copied)]
            memory_s = _on_all(pool, copied, lambda number: np.copyto(*copies[number]))
        return MachineReading(when=when, cpu_s=cpu_s, memory_s=memory_s, disk_s=_disk_s(self.folder))


def _on_all(pool: ThreadPoolExecutor, threads: int, work: Callable[[int], object]) -> float:
    """Median seconds until every thread has done a piece of work."""

    def piece_s() -> float:
        begun = time.perf_counter()
        list(pool.map(work, range(threads)))
        return time.perf_counter() - begun

    return float(np.median([piece_s() for _ in range(PIECES)]))


def _disk_s(folder: Path) -> float | None:
    """Median seconds to write a piece to the disk and to read it back from there."""
    content = os.urandom(WRITTEN_BYTES)
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return float(np.median([_write_and_read(file.fileno(), content) for _ in range(PIECES)]))
    except OSError:
        return None


def _write_and_read(file: int, content: bytes) -> float:
    begun = time.perf_counter()
    os.pwrite(file, content, 0)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(file, len(content), 0)
    return time.perf_counter() - begun
