"""The numbers of a trial of visits (``summary.json``): strict models, and their making from the samples. No I/O.

Times grow while the history fills, for ``window_visits`` visits, and should stay level afterwards. A line is laid
through both parts (``trend_line``). Which lines say what is theirs alone: p and intervals are of each line by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from skyshard.bench.record.odd_tiles import OddTiles
from skyshard.bench.record.trend_line import Floats, TrendLine, line_through, ratio_interval
from skyshard.bench.record.visit_times import VisitSeries, VisitTimes, phases_of, visit_times
from skyshard.catalog.strict_files import Strict

LIMIT_S = 10.0
"""The share of visits above so many seconds is what published runs of LSST's prototype tell."""
MOST_DRIVER_SHARE = 0.10
"""Share of the tiles' time above which the driver's own work clouds the figures."""
QUARTERS = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL_NEEDS = 20


class VisitFacts(Strict):
    """What has to be known of a phase to read its numbers."""

    window_visits: Annotated[int, Field(ge=1)]
    """Visits after which the history that is read is as long as it will ever be."""
    visits_per_month: Annotated[int, Field(ge=1)]
    fields: Annotated[int, Field(ge=1)] = 1
    """Fields that take turns."""
    target_s: Annotated[float, Field(gt=0)] | None = None
    """The time that a visit should stay below."""


class FittedLine(Strict):
    """A line through times or rows against the visit number; its slope for a thousand visits, with a 95 % interval."""

    visits: int
    blocks: int
    """Blocks of consecutive visits whose medians the line goes through."""
    slope: float
    low: float
    high: float
    p: float
    """Two-sided, of a slope of 0."""
    first_visit: int
    last_visit: int
    at_first: float
    at_last: float
    shared: float
    """Autocorrelation of neighbouring blocks that widened the interval."""

    @classmethod
    def of(cls, line: TrendLine) -> FittedLine:
        return cls(
            visits=line.n, blocks=line.blocks, slope=1e3 * line.slope, low=1e3 * line.low, high=1e3 * line.high,
            p=line.p, first_visit=int(line.first), last_visit=int(line.last), at_first=line.at_first,
            at_last=line.at_last, shared=line.shared,
        )  # fmt: skip


class RatioInterval(Strict):
    """A ratio with its 95 % interval; None where the data do not bound it."""

    value: float
    low: float | None
    high: float | None


class SeriesNumbers(Strict):
    """One kind of work over the visits of a phase."""

    table: str
    """Empty: all tables together."""
    kind: str
    """``visit``, ``select``, ``store``, ``insert``, ``upsert``, ``delete`` or ``commit``."""
    visits: int
    quantiles_s: list[float]
    """5, 25, 50, 75, 95 % of the real time of a visit; the outer two repeat the next ones below 20 visits."""
    mean_s: float
    max_s: float
    level_s: float | None
    """Median real time after the window; None without visits there."""
    rows: int
    bytes: int
    server_s: float
    client_s: float
    before: FittedLine | None
    """Real time while the history fills; None with too few visits."""
    after: FittedLine | None
    """Real time when it is full."""
    plateau: RatioInterval | None
    """Slope after the window over the slope before it: 0 is a level line, 1 that the window changed nothing."""
    change_a_year: RatioInterval | None
    """Growth in a year at the slope after the window, as a share of the level there: 0.05 is 5 %."""
    rows_after: FittedLine | None
    """Rows a visit after the window."""
    rows_before: FittedLine | None = None

    @property
    def name(self) -> str:
        return f"{self.table} {self.kind}".strip()

    @property
    def median_s(self) -> float:
        return self.quantiles_s[2]


class AboveLimit(Strict):
    """Visits that took longer than a limit."""

    limit_s: float
    visits: int
    share: float


class PhaseNumbers(Strict):
    """One phase of visits."""

    phase: str
    facts: VisitFacts
    visits: int
    """That ended whole."""
    lost: int
    """That did not: a tile failed for good."""
    tries: int
    """Failed tries of tiles."""
    compared: int
    """Tiles whose answers were compared."""
    wrong: int
    driver_share: float
    """Of the tiles' time: in which no operation ran, and in which the driver drew rows and compared answers."""
    server_share: float
    """Of the time of servers and client together."""
    span_s: float
    """From the first visit's due time to the last one's end."""
    above: list[AboveLimit]
    series: list[SeriesNumbers]
    """The whole visit, all reads, the store, then tables and kinds."""

    def of(self, table: str, kind: str) -> SeriesNumbers | None:
        return next((one for one in self.series if (one.table, one.kind) == (table, kind)), None)

    @property
    def whole(self) -> SeriesNumbers | None:
        return self.of("", "visit")


class VisitSummary(Strict):
    """``summary.json`` of a trial of visits."""

    version: Literal[1] = 1
    kind: Literal["visits"] = "visits"
    is_partial: bool = False
    phases: list[PhaseNumbers]
    failures: list[str]
    """Why the trial failed, as sentences; empty: it passed."""
    odd: list[OddTiles] = Field(default_factory=list)
    """Tiles that were given up, sent again, or stored out of order."""

    @property
    def is_trustworthy(self) -> bool:
        return not self.is_partial and all(one.driver_share <= MOST_DRIVER_SHARE for one in self.phases)


def summarise_visits(
    samples: pa.Table, facts: Mapping[str, VisitFacts], odd: Sequence[OddTiles] = (), *, is_partial: bool = False
) -> VisitSummary:
    """The numbers of a trial, from a table of ``VISIT_SAMPLES`` and the facts of each phase."""
    phases = [_phase(visit_times(samples, name), facts[name]) for name in phases_of(samples)]
    failures = [sentence for one in phases for sentence in _failures(one)] if phases else ["no tile was sent"]
    return VisitSummary(phases=phases, is_partial=is_partial, failures=failures, odd=list(odd))


def _failures(one: PhaseNumbers) -> list[str]:
    found = []
    if one.wrong:
        found.append(f"phase {one.phase}: {one.wrong:,} of {one.compared:,} tiles were answered wrongly")
    if one.lost:
        found.append(f"phase {one.phase}: {one.lost:,} {'visit' if one.lost == 1 else 'visits'} did not end whole")
    if not one.visits:
        found.append(f"phase {one.phase}: no visit ended whole")
    return found


def _phase(times: VisitTimes, facts: VisitFacts) -> PhaseNumbers:
    whole = times.whole
    first = int(whole.visit[0]) if len(whole.visit) else 0
    everything = [whole, times.read, times.store, *times.parts]
    working = float(whole.server_s.sum() + whole.client_s.sum())
    limits = sorted({LIMIT_S, *([facts.target_s] if facts.target_s else [])})
    return PhaseNumbers(
        phase=times.phase, facts=facts, visits=len(whole.visit), lost=len(times.lost), tries=times.tries,
        compared=times.compared, wrong=times.wrong,
        driver_share=float(times.driver_s.sum() / max(1e-12, times.tiles_s.sum())),
        server_share=float(whole.server_s.sum()) / working if working else 0.0,
        span_s=float((times.begun_s + whole.real_s).max() - times.begun_s.min()) if len(whole.visit) else 0.0,
        above=[_above(whole.real_s, limit) for limit in limits],
        series=[series_numbers(one, facts, first) for one in everything if len(one.visit)],
    )  # fmt: skip


def _above(real_s: Floats, limit_s: float) -> AboveLimit:
    count = int((real_s > limit_s).sum())
    return AboveLimit(limit_s=limit_s, visits=count, share=count / len(real_s) if len(real_s) else 0.0)


def series_numbers(one: VisitSeries, facts: VisitFacts, first_visit: int) -> SeriesNumbers:
    """The numbers of one kind of work; ``first_visit`` is the number of the phase's first visit."""
    (before, after), (rows_before, rows_after) = (
        lines_of(one, values, facts, first_visit) for values in (one.real_s, one.rows.astype(np.float64))
    )
    full = one.visit >= first_visit + facts.window_visits
    return SeriesNumbers(
        table=one.table, kind=one.kind, visits=len(one.visit), quantiles_s=_quantiles(one.real_s),
        mean_s=float(one.real_s.mean()), max_s=float(one.real_s.max()),
        level_s=float(np.median(one.real_s[full])) if full.any() else None,
        rows=int(one.rows.sum()), bytes=int(one.bytes.sum()), server_s=float(one.server_s.sum()),
        client_s=float(one.client_s.sum()), before=_shown(before), after=_shown(after),
        plateau=_plateau(before, after), change_a_year=_change(after, facts), rows_before=_shown(rows_before),
        rows_after=_shown(rows_after),
    )  # fmt: skip


def lines_of(
    one: VisitSeries, values: Floats, facts: VisitFacts, first_visit: int
) -> tuple[TrendLine | None, TrendLine | None]:
    """The lines before and after the end of the window."""
    visit = one.visit.astype(np.float64)
    filling = one.visit < first_visit + facts.window_visits
    return tuple(line_through(visit[part], values[part], facts.fields) for part in (filling, ~filling))  # type: ignore[return-value]


def _quantiles(values: Floats) -> list[float]:
    found = [float(one) for one in np.quantile(values, QUARTERS)]
    return found if len(values) >= TAIL_NEEDS else [found[1], *found[1:4], found[3]]


def _shown(line: TrendLine | None) -> FittedLine | None:
    return None if line is None else FittedLine.of(line)


def _plateau(before: TrendLine | None, after: TrendLine | None) -> RatioInterval | None:
    """Only where time grew at all before the window's end, else there is nothing to become level."""
    if before is None or after is None or before.low <= 0:
        return None
    value, low, high = ratio_interval(after, before)
    return RatioInterval(value=value, low=low, high=high)


def _change(after: TrendLine | None, facts: VisitFacts) -> RatioInterval | None:
    if after is None or after.middle <= 0:
        return None
    scale = 12 * facts.visits_per_month / after.middle
    return RatioInterval(value=scale * after.slope, low=scale * after.low, high=scale * after.high)


def above_over_visits(real_s: Floats, limit_s: float, parts: int) -> Sequence[float]:
    """The share above a limit in consecutive parts of the visits."""
    return [float((part > limit_s).mean()) for part in np.array_split(real_s, parts) if len(part)]
