"""What the nodes did while a trial ran: counters of every server and of the driver, once a second.

Counters are recorded as read: they grow from the server's start, so nothing is lost between readings, and rates are
differences. A probe knows the servers; the recorder calls it once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.clock import Clock

PERIOD_S = 1.0
DRIVER = "driver"

TELEMETRY_SCHEMA = pa.schema(
    [
        pa.field("t_s", pa.float64(), nullable=False),  # on the trial's clock
        pa.field("node", pa.string(), nullable=False),  # a server, or "driver"
        pa.field("cpu_s", pa.float64()),  # seconds of processor used so far
        pa.field("memory_bytes", pa.int64()),  # resident
        pa.field("read_bytes", pa.int64()),  # from the disk so far
        pa.field("written_bytes", pa.int64()),
        pa.field("key_read_requests", pa.int64()),  # MyISAM key cache: asked, and missed
        pa.field("key_reads", pa.int64()),
        pa.field("buffer_read_requests", pa.int64()),  # InnoDB buffer pool: asked, and missed
        pa.field("buffer_reads", pa.int64()),
        pa.field("rows_scanned", pa.int64()),  # Handler_read_rnd_next
        pa.field("threads_running", pa.int64()),
    ],
    metadata={b"skyshard.telemetry.version": b"1"},
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of one server at one time; None where they cannot be read, such as on another host."""

    node: str
    cpu_s: float | None = None
    memory_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    key_read_requests: int | None = None
    key_reads: int | None = None
    buffer_read_requests: int | None = None
    buffer_reads: int | None = None
    rows_scanned: int | None = None
    threads_running: int | None = None


class Probe(Protocol):
    """Reads all servers once."""

    def read(self) -> Sequence[Reading]: ...

    def close(self) -> None: ...


class NoProbe:
    """Reads no server; the driver is recorded all the same."""

    def read(self) -> Sequence[Reading]:
        return []

    def close(self) -> None:
        pass


def process_reading(node: str, process: psutil.Process) -> Reading:
    """The operating system's counters of a process; empty when it has ended."""
    try:
        times, memory = process.cpu_times(), process.memory_info()
    except psutil.Error:
        return Reading(node)
    moved: tuple[int | None, int | None]
    try:
        io = process.io_counters()
        moved = (io.read_bytes, io.write_bytes)
    except (psutil.Error, AttributeError, OSError):  # another user's process
        moved = (None, None)
    return Reading(node, times.user + times.system, memory.rss, *moved)


class TelemetryRecorder:
    """A thread that reads a probe once a second while the ``with`` block runs."""

    def __init__(self, probe: Probe, clock: Clock, period_s: float = PERIOD_S) -> None:
        self._probe, self._clock, self._period_s = probe, clock, period_s
        self._rows: list[dict[str, object]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="telemetry")
        self._driver = psutil.Process()

    def __enter__(self) -> TelemetryRecorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._read()

    def _run(self) -> None:
        self._read()
        while not self._over.wait(self._period_s):
            self._read()

    def _read(self) -> None:
        now = self._clock.now()
        try:
            readings = [*self._probe.read(), process_reading(DRIVER, self._driver)]
        except Exception:  # a server that does not answer leaves a gap; it must not end the trial
            return
        self._rows += [{"t_s": now, **asdict(reading)} for reading in readings]

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_pylist(self._rows, schema=TELEMETRY_SCHEMA)


def node_names(telemetry: pa.Table) -> list[str]:
    """Names of the servers, sorted, with the driver last."""
    names = sorted(set(telemetry["node"].to_pylist()))
    return [name for name in names if name != DRIVER] + [name for name in names if name == DRIVER]


def rates(telemetry: pa.Table, node: str, counter: str) -> tuple[np.ndarray, np.ndarray]:
    """(moments, growth per second) of a counter between readings; empty where it was not read."""
    rows = telemetry.filter(pc.and_(pc.equal(telemetry["node"], node), pc.is_valid(telemetry[counter]))).sort_by("t_s")
    moments, values = rows["t_s"].to_numpy(), rows[counter].to_numpy().astype(np.float64)
    if len(moments) < 2:
        return np.empty(0), np.empty(0)
    gaps, grown = np.maximum(np.diff(moments), 1e-9), np.diff(values)
    return moments[1:], np.where(grown < 0, values[1:], grown) / gaps  # a server that was started again counts from 0
