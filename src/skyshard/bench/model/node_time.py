"""How long a statement takes on a cluster: the slowest of processor, memory and disk of a node, and what comes on top.

    time      = overhead + nodes * node_s + chunks * chunk_s + node + fan-in
    node      = max(processor, memory, disk)
    processor = n * (rows * row_s + pairs * pair_s) / nodes / (lanes * core_speed)
    memory    = n * bytes / nodes / memory_rate
    disk      = streams * (1 - cached) * bytes / nodes / (disk_rate * efficiency)
                + (1 - cached) * look-ups * read_s + (1 - held) * matches / nodes / iops
    cached    = min(1, memory for data / data of a node)
    held      = min(1, memory for data / (lanes * the chunk of the director that a join looks up))
    fan-in    = max(answer / network_rate, answer * answer_s / core_speed)

The bound of a machine by the slower of its resources is the roofline of Williams, Waterman and Patterson (2009); the
share of a scan that memory serves follows from the sizes alone. Scans of one table read it once for all
(Wang et al. 2011, shared scans), so ``n`` queries cost ``n`` times the processor and once the disk. ``streams`` counts
the tables that are read at the same time, which share the disk. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.work import Demand


class Regime(StrEnum):
    """What decides the time of a statement."""

    PROCESSOR = "processor"
    MEMORY = "memory"
    DISK = "disk"
    FAN_IN = "fan-in"
    OVERHEAD = "overhead"


@dataclass(frozen=True, slots=True)
class Costs:
    """What one statement's work costs, in seconds of a core of the trials' machine."""

    overhead_s: float
    """Once for each query."""
    row_s: float
    pair_s: float = 0.0
    chunk_s: float = 0.0
    """For each chunk; the czar pays it, so that more nodes do not lessen it."""
    node_s: float = 0.0
    """For each node that is asked."""
    answer_s: float = 0.0
    """For each byte of the answer, at the czar."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What else runs."""

    queries: float = 1.0
    """Queries that share the processor."""
    streams: float = 1.0
    """Tables that are read at the same time, and share the disk."""


ALONE = Crowd()


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster that holds a catalog."""

    hardware: Hardware
    nodes: int
    data_bytes: float
    """Bytes that compete for the memory, all nodes together."""
    disk_efficiency: float = 1.0
    """Share of the disk's rate that scans reach."""
    is_cold: bool = False
    """Nothing is in memory when the statement comes, however much there is of it."""

    @property
    def cached(self) -> float:
        """Share of the data that memory holds."""
        if self.is_cold:
            return 0.0
        return min(1.0, self.hardware.cache_bytes / max(self.data_bytes / self.nodes, 1.0))


@dataclass(frozen=True, slots=True)
class Time:
    """A predicted time, and its parts."""

    total_s: float
    processor_s: float
    memory_s: float
    disk_s: float
    fan_in_s: float
    overhead_s: float
    cached: float

    @property
    def regime(self) -> Regime:
        """The largest part."""
        parts = {
            Regime.PROCESSOR: self.processor_s, Regime.MEMORY: self.memory_s, Regime.DISK: self.disk_s,
            Regime.FAN_IN: self.fan_in_s, Regime.OVERHEAD: self.overhead_s,
        }  # fmt: skip
        return max(parts, key=lambda one: parts[one])


def time_on(demand: Demand, costs: Costs, place: Place, crowd: Crowd = ALONE) -> Time:
    """The time of a statement on a cluster."""
    hardware, speed = place.hardware, place.hardware.core_speed
    busy = min(float(place.nodes), demand.chunks)
    lanes = max(1.0, min(hardware.cores, demand.chunks / busy))
    work_s = (demand.rows * costs.row_s + demand.pairs * costs.pair_s) / busy / speed
    # Other queries take their share of the cores once all are in use.
    processor = work_s / lanes * max(1.0, crowd.queries * lanes / hardware.cores)
    memory = demand.bytes / busy / (hardware.memory_mb_per_s * 1e6) * max(1.0, crowd.queries * lanes / hardware.cores)
    disk = _disk_s(demand, place, busy, lanes, crowd)
    answer = demand.answer_bytes
    fan_in = max(answer / (hardware.network_mb_per_s * 1e6), answer * costs.answer_s / speed)
    overhead = (costs.overhead_s + place.nodes * costs.node_s + demand.chunks * costs.chunk_s) / speed
    total = overhead + max(processor, memory, disk) + fan_in
    return Time(total, processor, memory, disk, fan_in, overhead, place.cached)


def _disk_s(demand: Demand, place: Place, busy: float, lanes: float, crowd: Crowd) -> float:
    """Reads in order, look-ups, and the look-ups of a join whose other side no longer fits into memory."""
    hardware, missed = place.hardware, 1.0 - place.cached
    rate = hardware.disk_mb_per_s * 1e6 * place.disk_efficiency
    in_order = crowd.streams * missed * demand.bytes / busy / rate
    waits = missed * demand.key_reads / busy * hardware.disk_read_ms / 1000
    matches = 0.0
    if demand.partner_bytes:
        held = min(1.0, hardware.cache_bytes / (lanes * demand.partner_bytes))
        matches = (1.0 - held) * demand.answer_rows / busy
    return in_order + waits + matches / hardware.disk_iops
