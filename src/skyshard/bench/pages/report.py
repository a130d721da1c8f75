"""The report: one self-contained HTML page, made from a trial folder alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.readable import binary_bytes, seconds, short_count
from skyshard.bench.check.true_answers import NAME
from skyshard.bench.pages.fault_figures import AnswersOverTime, faults_over_time
from skyshard.bench.pages.fault_section import (
    EVENT_HEADERS,
    WINDOW_HEADERS,
    event_rows,
    heading,
    sentences,
    window_rows,
)
from skyshard.bench.pages.latency_figures import LatencySeries, latency_by_class, latency_over_run
from skyshard.bench.pages.load_figures import UnderLoad, in_flight, latency_under_load, telemetry_figure
from skyshard.bench.pages.node_machines import machine_rows
from skyshard.bench.pages.sky_figures import occupied_part, times_on_sky, whole_sky
from skyshard.bench.pages.work_table import HEADERS, table_shares, work_rows
from skyshard.bench.record.chunk_map import SkyMap, chunk_of, node_shares
from skyshard.bench.record.class_work import class_work
from skyshard.bench.record.latency_stats import LADDER, MAX_DRIVER_SHARE, ClassSummary, TrialSummary, Verdict
from skyshard.bench.record.server_variables import variable_rows
from skyshard.bench.record.trial_folder import Trial, read_trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.pages.page_template import flatten, markdown_table, render
from skyshard.pages.picture import Picture

SLOWEST = 5
"""Distinct statements shown."""
LOOKED_AT = 1_000
"""Number of slowest samples among which they are searched."""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``report.md`` from the other files of a trial folder; returns the path of the page."""
    return write_pages(read_trial(folder), folder)


def write_pages(trial: Trial, folder: Path) -> Path:
    """Write ``report.html`` and ``report.md`` of a trial; returns the path of the page."""
    path = folder / "report.html"
    path.write_text(render_report(trial), encoding="utf-8")
    (folder / "report.md").write_text(markdown_report(trial), encoding="utf-8")
    return path


def render_report(trial: Trial) -> str:
    """The page as text."""
    return render("skyshard.bench", "report.html.j2", _page(trial))


def _page(trial: Trial) -> dict[str, object]:
    manifest, summary = trial.manifest, trial.summary
    has_phases = len(manifest.workload.phases) > 1
    shares = node_shares(trial.sky) if trial.sky is not None and len(trial.sky) else []
    return {
        "m": manifest,
        "s": summary,
        "has_phases": has_phases,
        "status": _status(summary),
        "verdict": _outcome(trial),
        "facts": _facts(trial),
        "percentile_names": _percentile_names(summary.classes),
        "is_driver_slow": not summary.is_trustworthy,
        "pictures": _pictures(trial),
        "templates": _template_rows(trial),
        "slowest": _slowest(trial),
        "errors": _errors(trial),
        **_faults(trial),
        "work_headers": HEADERS,
        "work": work_rows(class_work(trial.work), has_phases=has_phases),
        "table_shares": table_shares(trial.table_rows),
        "node_shares": shares,
        "most_rows": max((one.rows for one in shares), default=0) or 1,
        "skew": max(one.rows for one in shares) * len(shares) / max(1, sum(one.rows for one in shares))
        if shares
        else 0,
        "stage_total_s": sum(stage.elapsed_s for stage in manifest.ingest) or 1.0,
        "environment": _environment_rows(manifest),
        "target_facts": flatten(manifest.target_facts),
        "servers": variable_rows(manifest.servers),
        "catalog": flatten(manifest.catalog),
    }


def markdown_report(trial: Trial) -> str:
    """The report for an issue, a wiki or a terminal."""
    names = _percentile_names(trial.summary.classes)
    headers = ["class", "phase", "verdict", "load", "n", "errors", "wrong", "good/s", "mean", *names, "max", "target"]
    rows = []
    for one in trial.summary.classes:
        latency = one.latency
        times = [
            latency.mean_s if latency else None,
            *((latency.percentiles.get(n) if latency else None) for n in names),
        ]
        shown = [seconds(value) for value in (*times, latency.max_s if latency else None, one.target_s)]
        counts = [f"{one.n:,}", f"{one.errors:,}", f"{one.wrong:,}", f"{one.goodput_per_s:.3g}"]
        rows.append([one.class_name, one.phase, one.verdict.value, one.load, *counts, *shown])
    facts = "\n".join(f"- {name}: {value}" for name, value in _facts(trial))
    environment = "\n".join(f"- {name}: {value}" for name, value in _environment_rows(trial.manifest))
    parts = [
        f"# {trial.manifest.workload.name} on {trial.manifest.database}, asked of {trial.manifest.target}",
        f"**{verdict_sentence(trial)}**",
        *(f"- {sentence}" for sentence in trial.summary.failures if len(trial.summary.failures) > 1),
        facts,
        markdown_table(headers, rows),
        *_not_answered(trial),
        *_scenario(trial),
        *_work(trial),
        "## Environment",
        environment,
    ]
    return "\n\n".join(parts) + "\n"


def _not_answered(trial: Trial) -> list[str]:
    """The section of the Markdown on templates that were not sent to the target."""
    left_out = trial.summary.not_answered
    rows = [[one.template, one.queries, one.reason] for one in left_out]
    return ["## Not answered", markdown_table(["template", "queries", "reason"], rows)] if rows else []


def _faults(trial: Trial) -> dict[str, object]:
    """The section on a scenario; empty without one."""
    impact = trial.summary.faults
    if impact is None:
        return {}
    return {
        "fault_heading": heading(impact),
        "fault_headers": EVENT_HEADERS,
        "fault_events": event_rows(impact),
        "fault_sentences": sentences(impact),
        "window_headers": WINDOW_HEADERS,
        "fault_windows": window_rows(impact),
    }


def _scenario(trial: Trial) -> list[str]:
    """The section of the Markdown on a scenario."""
    impact = trial.summary.faults
    if impact is None:
        return []
    parts = [f"## {heading(impact)}", markdown_table(EVENT_HEADERS, event_rows(impact))]
    windows = [markdown_table(WINDOW_HEADERS, window_rows(impact))] if impact.windows else []
    return [*parts, "\n".join(f"- {one}" for one in sentences(impact)), *windows]


def _answers_over_time(measured: pa.Table) -> AnswersOverTime:
    last = measured["last_row_s"].to_numpy()
    has_failed = measured["error"].is_valid().to_numpy()
    is_wrong = pc.fill_null(pc.invert(measured["answer_ok"]), False).to_numpy()
    good = last[~has_failed & ~is_wrong]
    first = float(measured["intended_s"].to_numpy().min())
    return AnswersOverTime(good, last[has_failed], last[is_wrong & ~has_failed], first, float(last.max()))


def _work(trial: Trial) -> list[str]:
    """The section of the Markdown on what classes cost the servers."""
    rows = work_rows(class_work(trial.work), has_phases=len(trial.manifest.workload.phases) > 1)
    return ["## Where the time goes", markdown_table(HEADERS, rows)] if rows else []


def verdict_sentence(trial: Trial) -> str:
    """The verdict as a sentence, for the top of the page and the end of the command."""
    return _outcome(trial) + _distrust(trial.summary)


def _distrust(summary: TrialSummary) -> str:
    """The sentence added when the driver itself was too slow; empty when it was not."""
    if summary.is_trustworthy or summary.is_partial:
        return ""
    named = {f"{one.class_name} ({one.phase})": one.driver_share for one in summary.distrusted}
    found = ", ".join(f"{name} {share:.0%}" for name, share in (named or {"all": summary.driver_share}).items())
    allowed = f"{MAX_DRIVER_SHARE:.0%}"
    return f" Not to be trusted are latencies of which the driver's own delay is more than {allowed}: {found}."


def _outcome(trial: Trial) -> str:
    summary, oracle = trial.summary, trial.manifest.oracle
    queries = f"{summary.n:,} {'query' if summary.n == 1 else 'queries'}"
    if summary.is_partial:
        why = f" since {summary.lost}" if summary.lost else ""
        return f"Stopped early{why}: {queries} of an unfinished run; the numbers are not a result."
    if summary.failures:
        return f"Failed: {_failed_sentence(summary)}."
    unchecked = sum(one.unchecked for one in summary.classes)
    answers = f"every answer equal to {oracle}'s" if oracle else "answers not checked"
    if oracle and unchecked:
        answers = f"{summary.n - unchecked:,} answers equal to {oracle}'s, {unchecked:,} not checked"
    if known := trial.manifest.known_answers:
        equal = f"{known:,} equal to what {NAME} knows"
        answers = f"{answers}, {equal}" if oracle else f"{equal}, {unchecked:,} not checked"
    has_targets = any(one.target_s is not None for one in summary.classes)
    within = ", every class within its target" if has_targets else ""
    left_out = sum(one.queries for one in summary.not_answered)
    rest = f"; {left_out:,} of the workload not answered by {trial.manifest.target}" if left_out else ""
    return f"Passed: {queries}, {answers}{within}{rest}."


def _failed_sentence(summary: TrialSummary) -> str:
    """The failure if there is one, else how many there are of each kind."""
    if len(summary.failures) == 1:
        return summary.failures[0]
    missed = sum(one.verdict is Verdict.MISSED for one in summary.classes)
    counts = [
        (sum(one.wrong for one in summary.classes), "wrong answer", "wrong answers"),
        (sum(one.errors for one in summary.classes), "failed query", "failed queries"),
        (missed, "class over its target", "classes over their targets"),
        (sum(not one.is_kept for one in summary.thresholds), "broken threshold", "broken thresholds"),
        (sum(not one.is_checked for one in summary.wrong_answers), "statement unchecked", "statements unchecked"),
    ]
    return ", ".join(f"{number:,} {one if number == 1 else many}" for number, one, many in counts if number)


def _facts(trial: Trial) -> list[tuple[str, str]]:
    """The few numbers under the verdict."""
    manifest, summary = trial.manifest, trial.summary
    checked = sum(one.n - one.errors - one.unchecked for one in summary.classes)
    facts = [
        ("queries measured", f"{summary.n:,}"),
        ("answers checked", f"{checked:,}"),
        ("run time", seconds((manifest.stopped - manifest.started).total_seconds())),
        ("database", manifest.database),
    ]
    if trial.sky is not None and len(trial.sky):
        shares = node_shares(trial.sky)
        facts += [("rows", short_count(float(trial.sky.rows.sum()))), ("chunks", f"{len(trial.sky):,}")]
        facts += [("nodes", str(len(shares)))]
    return facts


def _status(summary: TrialSummary) -> str:
    if summary.is_partial:
        return "partial"
    if summary.failures:
        return "failed"
    return "passed" if summary.is_trustworthy else "partial"


def _percentile_names(classes: Iterable[ClassSummary]) -> list[str]:
    """Percentiles that at least one class has, lowest first."""
    known = {name for one in classes if one.latency for name in one.latency.percentiles}
    return [name for _, share in LADDER if (name := f"p{share:g}") in known]


def _pictures(trial: Trial) -> dict[str, Picture]:
    measured = trial.samples.filter(pc.invert(trial.samples["is_warm_up"]))
    answered = measured.filter(pc.is_null(measured["error"]))
    has_phases = len(trial.manifest.workload.phases) > 1
    series = [_series(answered, one, has_phases) for one in trial.summary.classes]
    phases = [
        (phase.name, float(first))
        for phase in trial.manifest.workload.phases
        if (first := pc.min(trial.samples.filter(pc.equal(trial.samples["phase"], phase.name))["intended_s"]).as_py())
        is not None
    ]
    faults = trial.summary.faults
    marks = [(one.label, one.begun_s) for one in (faults.events if faults else ()) if one.begun_s is not None]
    pictures = {}
    if answered.num_rows:
        marks = [*(phases if has_phases else []), *marks]
        pictures = {"latency": latency_by_class(series), "run": latency_over_run(series, marks)}
    if faults and measured.num_rows:
        shown = faults_over_time(_answers_over_time(measured), faults.events)
        pictures |= {} if shown is None else {"faults": shown}
    if (load := latency_under_load(_under_load(measured, trial.summary.classes, has_phases))) is not None:
        pictures["load"] = load
    if trial.telemetry is not None and (servers := telemetry_figure(trial.telemetry)) is not None:
        pictures["telemetry"] = servers
    if trial.sky is not None and len(trial.sky):
        pictures |= {"sky": whole_sky(trial.sky), "zoom": occupied_part(trial.sky)}
        by_chunk = _seconds_by_chunk(trial.sky, answered, trial.places)
        if np.isfinite(by_chunk).any():
            label = "service time of a query about the chunk"
            pictures["skytime"] = times_on_sky(trial.sky, by_chunk, "skytime", label)
        if trial.sky.scan_s is not None and np.isfinite(trial.sky.scan_s).any():
            pictures["scantime"] = times_on_sky(trial.sky, trial.sky.scan_s, "scantime", "time of a chunk in a scan")
    return pictures


def _under_load(measured: pa.Table, classes: Iterable[ClassSummary], has_phases: bool) -> list[UnderLoad]:
    """Each class with the number of queries in flight at each of its own, including failed ones."""
    if not measured.num_rows:
        return []
    together = in_flight(measured["sent_s"].to_numpy(), measured["last_row_s"].to_numpy())
    counted = measured.append_column("in_flight", pa.array(together)).filter(pc.is_null(measured["error"]))
    shown = []
    for one in classes:
        mask = pc.and_(pc.equal(counted["phase"], one.phase), pc.equal(counted["class"], one.class_name))
        part = counted.filter(mask)
        label = f"{one.class_name}, {one.phase}" if has_phases else one.class_name
        shown.append(UnderLoad(label, part["in_flight"].to_numpy(), part["latency_s"].to_numpy()))
    return shown


def _seconds_by_chunk(sky: SkyMap, answered: pa.Table, places: pa.Table | None) -> NDArray[np.float64]:
    """Median service time of the queries about each chunk; NaN where there was none."""
    found = np.full(len(sky), np.nan)
    if places is None or not answered.num_rows:
        return found
    rows = places.take(answered["statement"])
    ra, decl = (rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in ("ra", "decl"))
    has_place = np.isfinite(ra)
    chunk = np.full(len(ra), -1, np.int64)
    chunk[has_place] = chunk_of(sky, ra[has_place], decl[has_place])
    service = answered["service_s"].to_numpy()
    for number in np.unique(chunk[chunk >= 0]):
        found[number] = np.median(service[chunk == number])
    return found


def _series(answered: pa.Table, one: ClassSummary, has_phases: bool) -> LatencySeries:
    mask = pc.and_(pc.equal(answered["phase"], one.phase), pc.equal(answered["class"], one.class_name))
    samples = answered.filter(mask)
    label = f"{one.class_name}, {one.phase}" if has_phases else one.class_name
    return LatencySeries(label, samples["intended_s"].to_numpy(), samples["latency_s"].to_numpy(), one.target_s)


def _template_rows(trial: Trial) -> list[dict[str, object]]:
    """Each template's numbers over all phases, in the workload's order, without warm-up and failures."""
    samples = trial.samples.filter(pc.and_(pc.invert(trial.samples["is_warm_up"]), pc.is_null(trial.samples["error"])))
    grouped = samples.group_by("template").aggregate(
        [("latency_s", "count"), ("service_s", "mean"), ("service_s", "max"), ("rows", "mean"), ("bytes", "mean")]
    )
    workload = trial.manifest.workload
    loads = [load for phase in workload.phases for load in phase.classes]
    order = [f"{load.class_name}/{name}" for load in loads for name in load.templates]
    known = {key: note.description for key, note in trial.manifest.templates.items()}
    rows = sorted(grouped.to_pylist(), key=lambda row: order.index(row["template"]))
    return [row | {"description": known.get(row["template"], "")} for row in rows]


def _slowest(trial: Trial) -> list[dict[str, object]]:
    measured = trial.samples.filter(pc.invert(trial.samples["is_warm_up"]))
    longest = measured.sort_by([("service_s", "descending")])
    first = {number: row for row, number in reversed(list(enumerate(longest["statement"].to_pylist()[:LOOKED_AT])))}
    rows = longest.take(pa.array(sorted(first.values())[:SLOWEST], pa.int64())).to_pylist()
    plans = trial.plans or {}
    asked = [row | {"sql": trial.statements[row["statement"]]} for row in rows]
    return [row | {"plan": plans.get(str(row["sql"]), "")} for row in asked]


def _errors(trial: Trial) -> list[dict[str, object]]:
    """Failed queries by class, error and template, with one example each."""
    failed = trial.samples.filter(pc.is_valid(trial.samples["error"]))
    seen: dict[tuple[str, str, str], dict[str, object]] = {}
    for row in failed.select(["class", "template", "error", "error_text", "statement"]).to_pylist():
        key = (row["class"], row["template"], row["error"])
        entry = seen.setdefault(key, row | {"samples": 0, "sql": trial.statements[row["statement"]]})
        entry["samples"] = int(str(entry["samples"])) + 1
    return list(seen.values())


def _environment_rows(manifest: TrialManifest) -> list[tuple[str, str]]:
    environment = manifest.environment
    code = f"{environment.skyshard}" + (f", revision {environment.revision}" if environment.revision else "")
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    return [
        ("Started", f"{manifest.started:%Y-%m-%d %H:%M:%S} UTC"),
        ("Stopped", f"{manifest.stopped:%Y-%m-%d %H:%M:%S} UTC"),
        ("Workload", f"{manifest.workload.name}, digest {manifest.workload_digest}"),
        ("Seed", str(manifest.seed)),
        ("Target", manifest.target),
        ("Oracle", manifest.oracle or "none"),
        ("Answers that the generator knows", f"{manifest.known_answers:,}"),
        ("Skyshard", code),
        ("Python", environment.python),
        ("Packages", packages),
        ("Processor", f"{environment.cpu_model}, {environment.cores} cores"),
        ("Memory", binary_bytes(environment.memory_bytes)),
        ("Kernel", environment.kernel),
        *machine_rows(environment),
    ]
