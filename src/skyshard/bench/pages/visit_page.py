"""The page of a trial of visits, made from its folder alone: what users of ``ap_proto`` look at, and whether it is
right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.readable import binary_bytes, seconds, short_count
from skyshard.bench.model.published_visits import shipped_published_visits
from skyshard.bench.model.visit_forecast import Forecast, forecast_visits
from skyshard.bench.pages.node_machines import machine_rows
from skyshard.bench.pages.visit_figures import (
    FittedSeries,
    above_figure,
    boxes_figure,
    rows_figure,
    scatter_figure,
    tables_figure,
)
from skyshard.bench.pages.visit_texts import (
    BESIDE_HEADERS,
    LINE_HEADERS,
    SERIES_HEADERS,
    beside_rows,
    line_rows,
    published_rows,
    rows_of_tables,
    series_rows,
    signed_percent,
)
from skyshard.bench.record.beside_actions import BesideEffect, beside_effects
from skyshard.bench.record.server_variables import variable_rows
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.bench.record.visit_summary import MOST_DRIVER_SHARE, FittedLine, PhaseNumbers, SeriesNumbers, VisitSummary
from skyshard.bench.record.visit_times import READ, STORE, VisitTimes, visit_times
from skyshard.bench.record.visit_trial import VisitTrial, read_visit_trial
from skyshard.pages.page_template import flatten, markdown_table, render
from skyshard.pages.picture import Picture

SHOWN = 0.05
"""p below which a slope is called shown."""


FILES = ("report.html", "report.md")
"""Of a trial's folder."""


def write_visit_report(folder: Path) -> Path:
    """Write ``report.html`` and ``report.md`` of a trial of visits; returns the path of the page."""
    return write_visit_pages(read_visit_trial(folder), folder)


def write_visit_pages(trial: VisitTrial, folder: Path) -> Path:
    page, text = (folder / name for name in FILES)
    page.write_text(render_visits(trial), encoding="utf-8")
    text.write_text(markdown_visits(trial), encoding="utf-8")
    return page


@dataclass(frozen=True, slots=True)
class PhasePart:
    """What the page shows of one phase."""

    numbers: PhaseNumbers
    pictures: dict[str, Picture]
    series: list[list[str]]
    lines: list[list[str]]
    """Of whole visits, all reads and the store."""
    table_lines: list[list[str]]
    tables: list[list[str]]
    beside: list[list[str]]
    forecast: Forecast | None
    sentences: list[str]


def render_visits(trial: VisitTrial) -> str:
    """The page as text."""
    manifest, summary = trial.manifest, trial.summary
    published = shipped_published_visits()
    content = {
        "m": manifest,
        "s": summary,
        "status": _status(summary),
        "verdict": verdict_of_visits(trial),
        "facts": _facts(trial),
        "driver": _driver_caution(summary),
        "parts": [_part(trial, one) for one in summary.phases],
        "series_headers": SERIES_HEADERS,
        "line_headers": LINE_HEADERS,
        "beside_headers": BESIDE_HEADERS,
        "published": published,
        "published_rows": published_rows(published, summary.phases),
        "environment": _environment_rows(manifest),
        "target_facts": flatten(manifest.target_facts),
        "catalog": flatten(manifest.catalog),
        "servers": variable_rows(manifest.servers),
    }
    return render("skyshard.bench", "visits.html.j2", content)


def _part(trial: VisitTrial, numbers: PhaseNumbers) -> PhasePart:
    times = visit_times(trial.samples, numbers.phase)
    effects = beside_effects(trial.beside, times)
    return PhasePart(
        numbers, _pictures(numbers, times), series_rows(numbers), line_rows(numbers, by_table=False),
        line_rows(numbers, by_table=True), rows_of_tables(trial, numbers),
        beside_rows(effects), _forecast(trial, numbers), phase_sentences(numbers, effects),
    )  # fmt: skip


def _forecast(trial: VisitTrial, numbers: PhaseNumbers) -> Forecast | None:
    times = visit_times(trial.samples, numbers.phase)
    return forecast_visits(numbers, times, shipped_published_visits(), trial.manifest.environment.cores)


def _pictures(numbers: PhaseNumbers, times: VisitTimes) -> dict[str, Picture]:
    whole = numbers.whole
    if whole is None:
        return {}
    prefix = "".join(one if one.isalnum() else "-" for one in numbers.phase)
    end = int(times.whole.visit[0]) + numbers.facts.window_visits
    lines = [line for line in (whole.before, whole.after) if line is not None]
    fitted = FittedSeries(times.whole.visit, times.whole.real_s, lines, end)
    reads = [one for one in times.parts if one.kind == READ]
    writes = [one for one in times.parts if one.kind != READ]
    limits = [one.limit_s for one in numbers.above]
    pictures = {
        "boxes": boxes_figure(f"boxes-{prefix}", fitted),
        "scatter": scatter_figure(f"scatter-{prefix}", fitted, numbers.facts.target_s),
        "above": above_figure(f"above-{prefix}", fitted, limits),
    }
    if reads:
        pictures["reads"] = tables_figure(f"reads-{prefix}", reads, end, "reads")
        pictures["rows"] = rows_figure(f"rows-{prefix}", reads, end)
    if writes:
        pictures["writes"] = tables_figure(f"writes-{prefix}", writes, end, "stores")
    return pictures


def _status(summary: VisitSummary) -> str:
    if summary.is_partial:
        return "partial"
    return "failed" if summary.failures else "passed" if summary.is_trustworthy else "partial"


def verdict_of_visits(trial: VisitTrial) -> str:
    """The verdict as a sentence, for the top of the page and the end of the command."""
    summary = trial.summary
    visits = sum(one.visits for one in summary.phases)
    counted = f"{visits:,} {'visit' if visits == 1 else 'visits'}"
    if summary.is_partial:
        return f"Stopped early: {counted} of an unfinished run; give --resume to go on with it."
    if summary.failures:
        return f"Failed: {'; '.join(summary.failures)}."
    compared = sum(one.compared for one in summary.phases)
    answers = f"answers of {compared:,} tiles equal to the truth" if compared else "answers not compared"
    tries = sum(one.tries for one in summary.phases)
    again = f"; {tries:,} {'try' if tries == 1 else 'tries'} failed and {'was' if tries == 1 else 'were'} repeated"
    return f"Passed: {counted}, {answers}{again if tries else ''}."


def _driver_caution(summary: VisitSummary) -> str:
    named = [f"{one.phase} {one.driver_share:.0%}" for one in summary.phases if one.driver_share > MOST_DRIVER_SHARE]
    if not named:
        return ""
    return (
        f"The driver's own work was more than {MOST_DRIVER_SHARE:.0%} of the tiles' time ({', '.join(named)}): "
        "whole visits are partly its own; reads and stores by table are not."
    ).replace("%", "\N{NO-BREAK SPACE}%")


def _facts(trial: VisitTrial) -> list[tuple[str, str]]:
    manifest, phases = trial.manifest, trial.summary.phases
    facts = [("visits", f"{sum(one.visits for one in phases):,}")]
    if len(phases) == 1 and (whole := phases[0].whole):
        facts += [("median visit", seconds(whole.median_s))]
        if whole.level_s is not None:
            facts += [("with a full history", seconds(whole.level_s))]
    facts += [("tiles compared", f"{sum(one.compared for one in phases):,}")]
    facts += [("rows stored", short_count(float(sum(one.whole.rows for one in phases if one.whole))))]
    facts += [("run time", seconds((manifest.stopped - manifest.started).total_seconds()))]
    return facts


SAID = (("", READ), ("DiaSource", READ), ("DiaForcedSource", READ), ("DiaObjectLast", READ), ("", STORE))
"""Tables and kinds that the page has a sentence about."""


def phase_sentences(numbers: PhaseNumbers, effects: Sequence[BesideEffect]) -> list[str]:
    """What the figures of a phase say, as sentences."""
    series = [one for key in SAID if (one := numbers.of(*key)) is not None]
    found = [_growth_sentence(one, one.before) for one in series if one.before is not None]
    last = numbers.of("DiaObjectLast", READ)
    if last and last.rows_after and last.rows_after.p < SHOWN and last.rows_after.slope > 0:
        found.append(
            f"DiaObjectLast still grows with a full history: {last.rows_after.slope:,.0f} rows a visit more after each "
            "thousand visits; objects of noise are never purged."
        )
    found += [
        f"Beside {effect.name} a visit took {effect.ratio:.2f} times as long as around it."
        for effect in effects
        if effect.ratio is not None
    ]
    return [one.replace(" %", "\N{NO-BREAK SPACE}%") for one in found]


def _growth_sentence(one: SeriesNumbers, before: FittedLine) -> str:
    grows = "grows" if before.p < SHOWN and before.slope > 0 else "is not shown to grow"
    text = f"{'Reads' if one.name == READ else one.name[0].upper() + one.name[1:]}: {grows} while the history fills"
    if one.after is None or one.change_a_year is None:
        return f"{text}."
    change = one.change_a_year
    if one.after.p < SHOWN:
        return f"{text}, and changes by {signed_percent(change.value)} a year afterwards."
    return f"{text}; afterwards no change is shown, at most {_most(change.low, change.high)} a year."


def _most(low: float | None, high: float | None) -> str:
    return f"±{100 * max(abs(low or 0.0), abs(high or 0.0)):.1f} %"


def markdown_visits(trial: VisitTrial) -> str:
    """The report for an issue, a wiki or a terminal."""
    manifest = trial.manifest
    parts = [
        f"# {manifest.workload.name} on {manifest.target}",
        f"**{verdict_of_visits(trial)}**",
        _driver_caution(trial.summary),
        "\n".join(f"- {name}: {value}" for name, value in _facts(trial)),
    ]
    parts += ["\n".join(f"- {one.sentence}" for one in trial.summary.odd)]
    for one in trial.summary.phases:
        effects = beside_effects(trial.beside, visit_times(trial.samples, one.phase))
        parts += [f"## {one.phase}", markdown_table(SERIES_HEADERS, series_rows(one))]
        parts += [markdown_table(LINE_HEADERS, line_rows(one, by_table=False) + line_rows(one, by_table=True))]
        parts += [markdown_table(BESIDE_HEADERS, beside_rows(effects))] if effects else []
        parts += ["\n".join(f"- {sentence}" for sentence in phase_sentences(one, effects))]
        parts += _forecast_tables(_forecast(trial, one))
    parts += ["## Environment", "\n".join(f"- {name}: {value}" for name, value in _environment_rows(manifest))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _forecast_tables(found: Forecast | None) -> list[str]:
    """The section of the Markdown on the forecast; empty without one."""
    if found is None:
        return []
    nodes = [
        [f"{one.nodes}", *map(seconds, (one.select_s, one.store_s, one.visit_s, one.low_s, one.high_s))]
        for one in found.nodes
    ]
    held = [
        [one.what, f"{one.visits:,}", seconds(one.predicted_s), seconds(one.measured_s), signed_percent(one.error)]
        for one in found.held_out
    ]
    tables = [markdown_table(["nodes", "reads", "store", "visit", "at least", "at most"], nodes)]
    if held:
        tables += [markdown_table(["held out", "visits", "forecast", "measured", "error"], held)]
    else:
        tables += ["No visits with a full history: the forecast is not checked."]
    return [f"## Forecast of {found.visits:,} visits with {found.detectors} detectors", *tables]


def _environment_rows(manifest: TrialManifest) -> list[tuple[str, str]]:
    environment = manifest.environment
    code = f"{environment.skyshard}" + (f", revision {environment.revision}" if environment.revision else "")
    return [
        ("Started", f"{manifest.started:%Y-%m-%d %H:%M:%S} UTC"),
        ("Stopped", f"{manifest.stopped:%Y-%m-%d %H:%M:%S} UTC"),
        ("Workload", f"{manifest.workload.name}, digest {manifest.workload_digest}"),
        ("Seed", str(manifest.seed)),
        ("Target", manifest.target),
        ("Skyshard", code),
        ("Python", environment.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in environment.packages.items())),
        ("Processor", f"{environment.cpu_model}, {environment.cores} cores"),
        ("Memory", binary_bytes(environment.memory_bytes)),
        ("Kernel", environment.kernel),
        *machine_rows(environment),
    ]
