"""The report: one self-contained HTML page made from a trial folder, and from nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup, escape
from pydantic import BaseModel, ValidationError

from skyshard.bench.figures import Picture, Series, digits, latency_by_class, latency_over_run, seconds
from skyshard.bench.manifest import Manifest
from skyshard.bench.samples import read_table, with_durations
from skyshard.bench.sky_figures import occupied_part, short_count, whole_sky
from skyshard.bench.skymap import NodeShare, SkyMap, node_shares
from skyshard.bench.stats import LADDER, MAX_DRIVER_SHARE, ClassSummary, Summary, Verdict
from skyshard.errors import UserError

M = TypeVar("M", bound=BaseModel)
SLOWEST = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial folder, read."""

    manifest: Manifest
    summary: Summary
    samples: pa.Table
    """With ``latency_s`` and ``service_s``."""
    statements: list[str]
    sky: SkyMap | None


def read_trial(folder: Path) -> Trial:
    """Read a trial folder.

    Raises:
        UserError: a file is missing or not of this version.
    """
    manifest = _read_model(Manifest, folder / "manifest.json")
    summary = _read_model(Summary, folder / "summary.json")
    try:
        samples = with_durations(read_table(folder / "samples.parquet"))
        statements = read_table(folder / "statements.parquet")["sql"].to_pylist()
        sky_file = folder / "skymap.parquet"
        sky = SkyMap.from_table(read_table(sky_file)) if sky_file.exists() else None
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"'{folder}' is not a whole trial folder: {error}", remedy="run the trial again") from None
    return Trial(manifest, summary, samples, statements, sky)


def _read_model(model: type[M], path: Path) -> M:
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="name a trial folder") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"'{path}', key '{where}': {first['msg']}", remedy="run the trial again") from None


def write_report(folder: Path) -> Path:
    """Render ``report.html`` from the other files of a trial folder, and return its path."""
    path = folder / "report.html"
    path.write_text(render_report(read_trial(folder)), encoding="utf-8")
    return path


def render_report(trial: Trial) -> str:
    """The page as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skyshard.bench"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        seconds=seconds, count=_count, size=size, digits=digits, share=_share, breakable=breakable
    )
    return environment.get_template("report.html.j2").render(_page(trial))


def _page(trial: Trial) -> dict[str, object]:
    manifest, summary = trial.manifest, trial.summary
    has_phases = len(manifest.workload.phases) > 1
    shares = node_shares(trial.sky) if trial.sky is not None and len(trial.sky) else []
    return {
        "m": manifest,
        "s": summary,
        "has_phases": has_phases,
        "status": "partial" if summary.is_partial else "passed" if summary.is_passed else "failed",
        "verdict": verdict_sentence(trial),
        "facts": _facts(trial),
        "percentile_names": _percentile_names(summary.classes),
        "is_driver_slow": summary.driver_share > MAX_DRIVER_SHARE,
        "pictures": _pictures(trial),
        "templates": _template_rows(trial),
        "slowest": _slowest(trial),
        "errors": _errors(trial),
        "node_shares": shares,
        "most_rows": max((one.rows for one in shares), default=0) or 1,
        "skew": max(one.rows for one in shares) * len(shares) / max(1, sum(one.rows for one in shares))
        if shares
        else 0,
        "stage_total_s": sum(stage.elapsed_s for stage in manifest.ingest) or 1.0,
        "environment": _environment_rows(manifest),
        "target_facts": flatten(manifest.target_facts),
        "catalog": flatten(manifest.catalog),
    }


def verdict_sentence(trial: Trial) -> str:
    """The line on top of the page and at the end of the command."""
    summary, oracle = trial.summary, trial.manifest.oracle
    queries = f"{summary.n:,} {'query' if summary.n == 1 else 'queries'}"
    if summary.is_partial:
        return f"Stopped early: {queries} of an unfinished run; the numbers are not a result."
    if summary.failures:
        return f"Failed: {_failed_sentence(summary)}."
    unchecked = sum(one.unchecked for one in summary.classes)
    answers = f"every answer equal to {oracle}'s" if oracle else "answers not checked"
    if oracle and unchecked:
        answers = f"{summary.n - unchecked:,} answers equal to {oracle}'s, {unchecked:,} not checked"
    has_targets = any(one.target_s is not None for one in summary.classes)
    return f"Passed: {queries}, {answers}{', every class within its target' if has_targets else ''}."


def _failed_sentence(summary: Summary) -> str:
    """The one failure, or how many there are of each kind."""
    if len(summary.failures) == 1:
        return summary.failures[0]
    missed = sum(one.verdict is Verdict.MISSED for one in summary.classes)
    counts = [
        (sum(one.wrong for one in summary.classes), "wrong answer", "wrong answers"),
        (sum(one.errors for one in summary.classes), "failed query", "failed queries"),
        (missed, "class over its target", "classes over their targets"),
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


def _percentile_names(classes: Iterable[ClassSummary]) -> list[str]:
    """Percentile columns that at least one class bears, lowest first."""
    borne = {name for one in classes if one.latency for name in one.latency.percentiles}
    return [name for _, share in LADDER if (name := f"p{share:g}") in borne]


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
    pictures = {}
    if answered.num_rows:
        pictures = {"latency": latency_by_class(series), "run": latency_over_run(series, phases if has_phases else [])}
    if trial.sky is not None and len(trial.sky):
        pictures |= {"sky": whole_sky(trial.sky), "zoom": occupied_part(trial.sky)}
    return pictures


def _series(answered: pa.Table, one: ClassSummary, has_phases: bool) -> Series:
    mask = pc.and_(pc.equal(answered["phase"], one.phase), pc.equal(answered["class"], one.class_name))
    samples = answered.filter(mask)
    label = f"{one.class_name}, {one.phase}" if has_phases else one.class_name
    return Series(label, samples["intended_s"].to_numpy(), samples["latency_s"].to_numpy(), one.target_s)


def _template_rows(trial: Trial) -> list[dict[str, object]]:
    """Each template's numbers over all phases, in the workload's order; warm-up and failures left out."""
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
    rows = measured.sort_by([("service_s", "descending")]).slice(0, SLOWEST).to_pylist()
    return [row | {"sql": trial.statements[row["statement"]]} for row in rows]


def _errors(trial: Trial) -> list[dict[str, object]]:
    """Failed queries by class, error and template, with one example each."""
    failed = trial.samples.filter(pc.is_valid(trial.samples["error"]))
    seen: dict[tuple[str, str, str], dict[str, object]] = {}
    for row in failed.select(["class", "template", "error", "error_text", "statement"]).to_pylist():
        key = (row["class"], row["template"], row["error"])
        entry = seen.setdefault(key, row | {"samples": 0, "sql": trial.statements[row["statement"]]})
        entry["samples"] = int(str(entry["samples"])) + 1
    return list(seen.values())


def _skew(shares: list[NodeShare]) -> float:
    """Rows of the fullest node over the mean."""
    total = sum(one.rows for one in shares)
    return max(one.rows for one in shares) * len(shares) / total if total else 0.0


def _environment_rows(manifest: Manifest) -> list[tuple[str, str]]:
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
        ("Skyshard", code),
        ("Python", environment.python),
        ("Packages", packages),
        ("Processor", f"{environment.cpu_model}, {environment.cores} cores"),
        ("Memory", size(environment.memory_bytes)),
        ("Kernel", environment.kernel),
    ]


def flatten(facts: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, text), in their order.

    >>> flatten({"striping": {"stripes": 85}, "nodes": ["node1", "node2"]})
    [('striping.stripes', '85'), ('nodes', 'node1, node2')]
    """
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            plain = all(isinstance(item, str | int | float) for item in value)
            rows.append((prefix + name, ", ".join(map(str, value)) if plain else json.dumps(value, default=str)))
        else:
            rows.append((prefix + name, f"{value:,}" if type(value) is int and value >= 100_000 else str(value)))
    return rows


def size(value: float | None) -> str:
    """Bytes for people, in powers of 1024.

    >>> size(512), size(1536), size(25 * 2**30), size(None)
    ('512 B', '1.5 KiB', '25 GiB', '–')
    """
    if value is None:
        return "–"
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB")):
        if value < 1000 * 1024**power:
            return f"{digits(round(value / 1024**power, 2))} {unit}"
    return f"{digits(value / 1024**4)} TiB"


def breakable(name: str) -> Markup:
    """A name that may break after a slash or an underscore."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(escape(name))))


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{100 * value:.2g} %"
