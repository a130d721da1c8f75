"""What a visit of the whole survey would take on N nodes, from a trial at a small part of its size. No I/O.

The model, fitted on the visits while the history fills:

- a tile's read of a table takes a fixed time and a time for each row; a store grows along its line;
- rows of sources and forced sources grow until the history is full, then are level; rows of DiaObjectLast grow on.

**Held out**: visits after the window are not fitted; what the model says of them stands beside what they took.

**Scaled**: rows a detector are those published (``queries/published/apdb.yaml``). Tiles shared the cores of this
machine, so a tile's time counts as processor time for at most its share of them; the clients of the survey have cores
of their own, the servers' part is divided over the nodes' cores. Stores are in proportion to the sources of a tile. The
range is the error of the held-out visits or the interval of the fit, whichever is wider; its upper end also reads every
byte from the nodes' disks once. Contention for locks and the network is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.special import stdtrit

from skyshard.bench.model.hardware import Hardware, read_hardware
from skyshard.bench.model.published_visits import PublishedVisits
from skyshard.bench.record.trend_line import Floats
from skyshard.bench.record.visit_summary import PhaseNumbers
from skyshard.bench.record.visit_times import READ, VisitSeries, VisitTimes
from skyshard.catalog.strict_files import Strict

DETECTORS = 189
NODES = (1, 3, 6, 12)
VISITS_A_NIGHT = 1000
HARDWARE = "nvme-2026"
LEAST_BLOCKS = 8
GROWING = "DiaObjectLast"
"""The table whose rows are never too old to be read."""


class HeldOut(Strict):
    """What was forecast of visits that were not fitted, and what they took: medians."""

    what: str
    visits: int
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        return self.predicted_s / self.measured_s - 1


class NodeForecast(Strict):
    """A visit of all detectors on so many nodes, in the twelfth month."""

    nodes: Annotated[int, Field(ge=1)]
    select_s: float
    store_s: float
    low_s: float
    """Of reads and store together."""
    high_s: float

    @property
    def visit_s(self) -> float:
        return self.select_s + self.store_s


class Forecast(Strict):
    """The forecast of one phase."""

    detectors: int
    visits: int
    """In twelve months."""
    visits_a_night: int
    hardware: str
    rows_a_detector: int
    """That are read."""
    error: float
    """Half the range, as a share."""
    held_out: list[HeldOut]
    nodes: list[NodeForecast]


@dataclass(frozen=True, slots=True)
class RowCost:
    """What a tile's reads of one table take."""

    table: str
    fixed_s: float
    row_s: float
    row_error_s: float
    """Half of the 95 % interval."""
    server_share: float
    bytes_a_row: float

    def seconds(self, rows: float) -> float:
        return self.fixed_s + self.row_s * rows


def forecast_visits(
    numbers: PhaseNumbers,
    times: VisitTimes,
    published: PublishedVisits,
    cores: int,
    hardware: Hardware | None = None,
) -> Forecast | None:
    """The forecast of a phase; None where it has too few visits, or rows that do not vary, to tell what a row costs."""
    filling = _filling(numbers, times)
    costs = [row_cost(one, times.tiles, filling) for one in _reads(times)]
    found = [one for one in costs if one is not None]
    if not found or len(found) < len(costs) or numbers.of("", "store") is None:
        return None
    machine = hardware or read_hardware(HARDWARE)
    held_out = check_held_out(numbers, times)
    visits = published.window_visits
    rows = dict(zip(("DiaObjectLast", "DiaSource", "DiaForcedSource"), published.rows_after(visits), strict=True))
    error = max(_interval_share(found, rows), *(abs(one.error) for one in held_out), 0.0)
    part = min(cores, times.tiles) / times.tiles
    store_s, store_server = _store(numbers, times, published)
    nodes = [_on_nodes(count, found, rows, (store_s * part, store_server), part, error, machine) for count in NODES]
    return Forecast(
        detectors=DETECTORS, visits=visits, visits_a_night=VISITS_A_NIGHT, hardware=machine.name,
        rows_a_detector=int(sum(rows.get(one.table, 0.0) for one in found)), error=error, held_out=held_out,
        nodes=nodes, )  # fmt: skip


def _on_nodes(
    nodes: int, costs: Sequence[RowCost], rows: dict[str, float], store: tuple[float, float], part: float, error: float,
    machine: Hardware,
) -> NodeForecast:  # fmt: skip
    waiting = [(one.seconds(rows.get(one.table, 0.0)) * part, one.server_share) for one in costs]
    select = sum(_shared(took, server, nodes, machine) for took, server in waiting)
    stored = _shared(*store, nodes, machine)
    read = DETECTORS * sum(rows.get(one.table, 0.0) * one.bytes_a_row for one in costs)
    disk = read / (1e6 * machine.disk_mb_per_s * nodes)
    whole = select + stored
    return NodeForecast(
        nodes=nodes, select_s=select, store_s=stored, low_s=whole / (1 + error), high_s=whole * (1 + error) + disk
    )


def _shared(took_s: float, server_share: float, nodes: int, machine: Hardware) -> float:
    """A tile's time where all detectors ask at once: clients side by side, servers' work over the nodes' cores."""
    work = took_s * server_share / machine.core_speed
    return took_s * (1 - server_share) + work * max(1.0, DETECTORS / (nodes * machine.cores))


def _interval_share(costs: Sequence[RowCost], rows: dict[str, float]) -> float:
    whole = sum(one.seconds(rows.get(one.table, 0.0)) for one in costs)
    half = np.sqrt(sum((one.row_error_s * rows.get(one.table, 0.0)) ** 2 for one in costs))
    return float(half / whole) if whole else 0.0


def _store(numbers: PhaseNumbers, times: VisitTimes, published: PublishedVisits) -> tuple[float, float]:
    """Seconds of a detector's store with as many sources as it has in the survey, and the servers' share of it."""
    store, sources = numbers.of("", "store"), numbers.of("DiaSource", "insert")
    assert store is not None
    level = store.level_s if store.level_s is not None else store.median_s
    mine = sources.rows / sources.visits / times.tiles if sources else published.sources_a_visit / DETECTORS
    server = store.server_s / max(1e-12, store.server_s + store.client_s)
    return level * published.sources_a_visit / DETECTORS / max(mine, 1e-12), server


def check_held_out(numbers: PhaseNumbers, times: VisitTimes) -> list[HeldOut]:
    """Reads, stores and whole visits after the window: forecast from those before it, and as they were."""
    filling = _filling(numbers, times)
    whole = times.whole
    late = whole.visit[whole.visit >= filling]
    if len(late) < LEAST_BLOCKS:
        return []
    at = float(np.median(late))
    reads, store = _predicted_reads(times, filling, at), _line_at(times.store, filling, at)
    if reads is None or store is None:
        return []
    found = [("reads", reads, times.read), ("stores", store, times.store)]
    early = whole.visit < filling
    known = np.isin(whole.visit, times.read.visit) & np.isin(whole.visit, times.store.visit)
    asked = np.isin(times.read.visit, whole.visit[known & early])
    stored = np.isin(times.store.visit, whole.visit[known & early])
    parts = times.read.real_s[asked] + times.store.real_s[stored]
    if len(parts):
        scale = float(np.median(whole.real_s[known & early] / np.maximum(parts, 1e-12)))
        found.append(("whole visits", scale * (reads + store), whole))
    return [
        HeldOut(
            what=what, visits=int(mask.sum()), predicted_s=float(predicted),
            measured_s=float(np.median(one.real_s[mask])),
        )
        for what, predicted, one in found
        if (mask := one.visit >= filling).any()
    ]  # fmt: skip


def _predicted_reads(times: VisitTimes, filling: int, at: float) -> float | None:
    """All reads of a visit whose history is full: the cost of rows at the rows that are forecast."""
    total = 0.0
    for one in _reads(times):
        cost = row_cost(one, times.tiles, filling)
        rows = _line_at(one, filling, at if one.table == GROWING else float(filling), of_rows=True)
        if cost is None or rows is None:
            return None
        total += cost.seconds(rows / times.tiles)
    part = times.read.visit < filling
    summed = sum(float(np.median(one.real_s[one.visit < filling])) for one in _reads(times))
    slowest = float(np.median(times.read.real_s[part])) / summed if summed else 1.0
    return total * slowest


def _line_at(one: VisitSeries, filling: int, at: float, *, of_rows: bool = False) -> float | None:
    part = one.visit < filling
    values = (one.rows.astype(np.float64) if of_rows else one.real_s)[part]
    found = _blocks(one.visit[part].astype(np.float64), values)
    if found is None:
        return None
    slope, _, middle = _least_squares(*found)
    return max(0.0, middle[1] + slope * (at - middle[0]))


def row_cost(one: VisitSeries, tiles: int, until: int) -> RowCost | None:
    """What a tile's reads of a table take, from the visits before ``until``; None where the rows hardly vary."""
    part = one.visit < until
    found = _blocks(one.rows[part] / tiles, one.real_s[part])
    if found is None:
        return None
    rows, took = found
    if np.ptp(rows) <= 0.05 * float(rows.max()):
        return None
    slope, error, middle = _least_squares(rows, took)
    slope = max(slope, 0.0)
    fixed = middle[1] - slope * middle[0]
    if fixed < 0:
        slope, fixed = float(rows @ took / (rows @ rows)), 0.0
    half = float(stdtrit(len(rows) - 2, 0.975)) * error
    server, client = float(one.server_s.sum()), float(one.client_s.sum())
    return RowCost(
        one.table, fixed, slope, half, server / max(1e-12, server + client),
        float(one.bytes.sum()) / max(1, int(one.rows.sum())),
    )  # fmt: skip


def _blocks(x: Floats, y: Floats) -> tuple[Floats, Floats] | None:
    """Medians of consecutive blocks; None where there are too few."""
    count = min(24, len(y) // 5)
    if count < LEAST_BLOCKS:
        return None
    xs, ys = (np.array([float(np.median(part)) for part in np.array_split(one, count)]) for one in (x, y))
    return xs, ys


def _least_squares(x: Floats, y: Floats) -> tuple[float, float, tuple[float, float]]:
    """Slope, its standard error, and the point that the line goes through."""
    centred = x - x.mean()
    squares = float(centred @ centred)
    slope = float(centred @ y) / squares if squares else 0.0
    rest = y - y.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / squares)) if squares else 0.0
    return slope, error, (float(x.mean()), float(y.mean()))


def _reads(times: VisitTimes) -> list[VisitSeries]:
    return [one for one in times.parts if one.kind == READ and len(one.visit)]


def _filling(numbers: PhaseNumbers, times: VisitTimes) -> int:
    """The first visit whose history is full."""
    first = int(times.whole.visit[0]) if len(times.whole.visit) else 0
    return first + numbers.facts.window_visits
