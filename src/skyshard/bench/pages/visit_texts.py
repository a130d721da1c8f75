"""Numbers of visits as rows of tables, for the page and its Markdown. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.basics.readable import binary_bytes, seconds
from skyshard.bench.model.published_visits import PublishedPoint, PublishedVisits
from skyshard.bench.record.beside_actions import BesideEffect
from skyshard.bench.record.visit_summary import FittedLine, PhaseNumbers, RatioInterval, SeriesNumbers
from skyshard.bench.record.visit_times import READ, STORE
from skyshard.bench.record.visit_trial import VisitTrial
from skyshard.pages.page_template import count, probability, share

SERIES_HEADERS = ["work", "visits", "p5", "p25", "median", "p75", "p95", "longest", "history full", "rows a visit",
                  "bytes a visit", "servers' share"]  # fmt: skip
LINE_HEADERS = ["work", "history", "at first", "at last", "more in 1,000 visits", "95 % interval", "p", "plateau ratio",
                "a year"]  # fmt: skip
BESIDE_HEADERS = ["beside", "times", "failed", "mean", "rows", "visits meanwhile", "they took", "those around", "ratio"]
PUBLISHED_HEADERS = ["backend", "machine", "how", "clients", "visits", "visit", "reads", "store", "scaled: visit",
                     "reads", "store", "ours: visit", "reads", "store"]  # fmt: skip

TOGETHER = ("visit", READ, STORE)
"""Kinds of work over all tables."""


def series_rows(numbers: PhaseNumbers) -> list[list[str]]:
    """A row for each kind of work."""
    return [
        [
            one.name, f"{one.visits:,}", *(seconds(value) for value in (*one.quantiles_s, one.max_s, one.level_s)),
            count(one.rows / one.visits), binary_bytes(one.bytes / one.visits), _server_share(one),
        ]
        for one in numbers.series
    ]  # fmt: skip


def _server_share(one: SeriesNumbers) -> str:
    whole = one.server_s + one.client_s
    return share(one.server_s / whole) if whole else "–"


def line_rows(numbers: PhaseNumbers, *, by_table: bool) -> list[list[str]]:
    """A row for each line, before the window's end and after it: of single tables and commits, or of all others."""
    rows = []
    for one in numbers.series:
        if by_table == (not one.table and one.kind in TOGETHER):
            continue
        for text, line in (("fills", one.before), ("full", one.after)):
            if line is not None:
                more = (one.plateau, one.change_a_year) if line is one.after else (None, None)
                rows.append([one.name, text, *_line_cells(line), ratio_text(more[0]), _percent(more[1])])
    return rows


def _line_cells(line: FittedLine) -> list[str]:
    interval = f"{signed(line.low)} to {signed(line.high)}"
    return [seconds(max(0.0, line.at_first)), seconds(max(0.0, line.at_last)), signed(line.slope), interval,
            probability(line.p)]  # fmt: skip


def signed(value: float) -> str:
    """A time that may be negative.

    >>> signed(0.012), signed(-0.5), signed(0.0)
    ('12 ms', '\N{MINUS SIGN}500 ms', '0 s')
    """
    if value == 0:
        return "0 s"
    return f"\N{MINUS SIGN}{seconds(-value)}" if value < 0 else seconds(value)


def ratio_text(one: RatioInterval | None) -> str:
    """A ratio with its interval, where it has one."""
    if one is None:
        return "–"
    ends = f" ({one.low:.2f} to {one.high:.2f})" if one.low is not None and one.high is not None else ""
    return f"{one.value:.2f}{ends}".replace("-", "\N{MINUS SIGN}")


def _percent(one: RatioInterval | None) -> str:
    if one is None:
        return "–"
    ends = f" ({signed_percent(one.low)} to {signed_percent(one.high)})"
    return f"{signed_percent(one.value)}{ends if one.low is not None else ''}"


def signed_percent(value: float | None) -> str:
    """A share that may be negative.

    >>> signed_percent(-0.0123), signed_percent(None)
    ('\N{MINUS SIGN}1.2 %', '–')
    """
    return "–" if value is None else f"{100 * value:+.1f} %".replace("-", "\N{MINUS SIGN}")


def rows_of_tables(trial: VisitTrial, numbers: PhaseNumbers) -> list[list[str]]:
    """Rows and bytes read and written, a row for each table; and what the backend says that it holds."""
    sizes = trial.manifest.catalog.get("sizes")
    known = sizes if isinstance(sizes, dict) else {}
    tables = list(dict.fromkeys(one.table for one in numbers.series if one.table))
    found = []
    for table in tables:
        mine = [one for one in numbers.series if one.table == table]
        read = [one for one in mine if one.kind == READ]
        written = [one for one in mine if one.kind in ("insert", "upsert")]
        size = known.get(table)
        held = size if isinstance(size, dict) else {}
        found.append(
            [
                table, *_rows_and_bytes(read), *_rows_and_bytes(written),
                f"{held['rows']:,}" if "rows" in held else "–",
                binary_bytes(held["bytes"]) if "bytes" in held else "–",
            ]
        )  # fmt: skip
    return found


def _rows_and_bytes(series: Sequence[SeriesNumbers]) -> list[str]:
    if not series:
        return ["–", "–"]
    return [f"{sum(one.rows for one in series):,}", binary_bytes(sum(one.bytes for one in series))]


def beside_rows(effects: Sequence[BesideEffect]) -> list[list[str]]:
    """A row for each kind of action."""
    return [
        [
            one.name, f"{one.actions:,}", f"{one.failed:,}", seconds(one.mean_s), f"{one.rows:,}", f"{one.during:,}",
            seconds(one.during_s), seconds(one.around_s), "–" if one.ratio is None else f"{one.ratio:.2f}",
        ]
        for one in effects
    ]  # fmt: skip


def published_rows(published: PublishedVisits, phases: Sequence[PhaseNumbers]) -> list[list[str]]:
    """A row for each published point: as it is, scaled to our visit, and ours at as many visits a field."""
    numbers = next((one for one in phases if one.whole is not None), None)
    if numbers is None:
        return []
    scale = scale_of(published, numbers)
    return [
        [
            run.backend, f"{run.hardware}", run.setup, f"{run.clients}", f"{point.visits:,}",
            *(seconds(value) for value in _times(point)),
            *("–" if value is None or scale is None else seconds(value * scale) for value in _times(point)),
            *(seconds(_ours(numbers, published, point, what)) for what in ("visit", READ, "store")),
        ]
        for run in published.results
        for point in run.points
    ]  # fmt: skip


def scale_of(published: PublishedVisits, numbers: PhaseNumbers) -> float | None:
    """Our sources of a visit over the published ones; None where no sources were stored."""
    sources = numbers.of("DiaSource", "insert")
    return sources.rows / sources.visits / published.sources_a_visit if sources and sources.rows else None


def _times(point: PublishedPoint) -> tuple[float | None, float | None, float | None]:
    return point.visit_s, point.select_s, point.store_s


def _ours(numbers: PhaseNumbers, published: PublishedVisits, point: PublishedPoint, kind: str) -> float | None:
    """Our time when each field had been visited as often, by the lines; None where ours did not come so far."""
    one = numbers.of("", kind)
    if one is None or one.before is None or (kind == "visit" and point.visit_s is None):
        return None
    if (kind == READ and point.select_s is None) or (kind == "store" and point.store_s is None):
        return None
    visit = point.visits / published.fields * numbers.facts.fields
    for line in (one.before, one.after):
        if line is not None and 0 <= visit <= line.last_visit - one.before.first_visit:
            return max(0.0, line.at_first + line.slope / 1e3 * (visit + one.before.first_visit - line.first_visit))
    return None
