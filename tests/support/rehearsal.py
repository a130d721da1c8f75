"""A rehearsal of the scan lane: the same schedule, with made-up times in place of servers. No I/O, no clock.

A node has ``threads``, and a memory that holds the chunks read last; reading a chunk that is not in it takes
``disk_s``, working on it ``work_s``. One unit is one chunk.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from skyshard.czar.scan.scan_schedule import Done, JobEnded, Length, Run, Schedule, ScheduleEvent, Submit, Unit


@dataclass(frozen=True, slots=True)
class Scan:
    """A full scan that comes at a time."""

    name: str
    at_s: float
    length: Length


@dataclass(slots=True)
class Told:
    """What a rehearsal came to: chunks read from disk, the end, and how long each scan took from its coming."""

    disk_reads: int = 0
    elapsed_s: float = 0.0
    took_s: dict[str, float] = field(default_factory=dict)


class _Memory:
    """The chunks read last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[int, None] = OrderedDict()

    def touch(self, chunk: int) -> bool:
        """True when the chunk had to be read."""
        is_new = chunk not in self._held
        self._held[chunk] = None
        self._held.move_to_end(chunk)
        if len(self._held) > self._size:
            self._held.popitem(last=False)
        return is_new


def rehearse(
    scans: Sequence[Scan], *, chunks: int, threads: int, memory_chunks: int, disk_s: float, work_s: float
) -> Told:
    """Let scans of all chunks run on one node."""
    schedule, memory, told = Schedule(threads), _Memory(memory_chunks), Told()
    walk = tuple(Unit((chunk,)) for chunk in range(1, chunks + 1))
    came = {scan.name: scan.at_s for scan in scans}
    future: list[tuple[float, int, ScheduleEvent]] = []
    for number, scan in enumerate(scans):
        heapq.heappush(future, (scan.at_s, number, Submit(scan.name, scan.length, walk)))
    count = len(scans)
    while future:
        now, _, event = heapq.heappop(future)
        for instruction in schedule.step(event):
            if isinstance(instruction, Run):
                is_read = memory.touch(instruction.unit.chunks[0])
                told.disk_reads += is_read
                takes = work_s + (disk_s if is_read else 0.0)
                heapq.heappush(future, (now + takes, count, Done(instruction.thread, takes)))
                count += 1
            elif isinstance(instruction, JobEnded):
                told.took_s[instruction.job] = now - came[instruction.job]
        told.elapsed_s = now
    return told
