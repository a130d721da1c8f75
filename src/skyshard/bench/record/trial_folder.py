"""Reads and checks a trial folder: every file against its version and schema, and the files against each other.

Trials of earlier releases are read as if this one had written them (``samples.READERS``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from skyshard.basics.errors import UserError
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.histograms import HISTOGRAMS, read_histograms
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.samples import (
    READERS,
    SAMPLE_SCHEMA,
    STATEMENT_SCHEMA,
    read_table,
    version_of,
    with_durations,
    with_places,
)
from skyshard.bench.record.server_work import TABLE_ROWS_SCHEMA, WORK_SCHEMA
from skyshard.bench.record.telemetry import TELEMETRY_SCHEMA
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.catalog.strict_files import Strict, known_versions
from skyshard.host.file_versions import refuse_newer

M = TypeVar("M", bound=BaseModel)

MANIFEST, SUMMARY, SAMPLES = "manifest.json", "summary.json", "samples.parquet"
STATEMENTS, SKY_MAP, TELEMETRY, PLANS = "statements.parquet", "skymap.parquet", "telemetry.parquet", "plans.json"
WORK, TABLE_ROWS = "servers.parquet", "table_rows.parquet"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial folder, read."""

    manifest: TrialManifest
    summary: TrialSummary
    samples: pa.Table
    """With ``latency_s`` and ``service_s``."""
    statements: list[str]
    sky: SkyMap | None
    telemetry: pa.Table | None = None
    plans: dict[str, str] | None = None
    """EXPLAIN of the slowest statements, by statement."""
    places: pa.Table | None = None
    """The statements with the position that each is about: sql, ra, decl."""
    work: pa.Table | None = None
    """What every server did in each phase and for each class (``class_work``); trials before 0.2.0 have none."""
    table_rows: pa.Table | None = None
    """Rows read by table; only when statistics were asked for."""


class Plans(Strict):
    """``plans.json``: how the target would answer the slowest statements."""

    version: Literal[1]
    plans: dict[str, str]


def read_trial(folder: Path) -> Trial:
    """Read and check a trial folder.

    Raises:
        UserError: a file is missing, damaged, or of a later release; the message names file and key.
    """
    manifest = _read_model(TrialManifest, folder / MANIFEST)
    summary = _read_model(TrialSummary, folder / SUMMARY)
    samples = _read_samples(folder / SAMPLES)
    asked = _checked(with_places(_read_table(folder / STATEMENTS)), STATEMENT_SCHEMA, folder / STATEMENTS)
    if samples.num_rows != summary.n + summary.warm_ups:
        raise UserError(
            f"'{folder / SAMPLES}': {samples.num_rows} samples, the summary counts {summary.n + summary.warm_ups}",
            remedy="run the trial again",
        )
    last = pc.max(samples["statement"]).as_py()
    if last is not None and last >= asked.num_rows:
        raise UserError(
            f"'{folder / STATEMENTS}': {asked.num_rows} statements, a sample is of number {last}",
            remedy="run the trial again",
        )
    kept = {TELEMETRY: TELEMETRY_SCHEMA, WORK: WORK_SCHEMA, TABLE_ROWS: TABLE_ROWS_SCHEMA}
    there = {name: _read_columns(folder / name, schema) for name, schema in kept.items() if (folder / name).exists()}
    sky = SkyMap.from_table(read_table(folder / SKY_MAP)) if (folder / SKY_MAP).exists() else None
    plans = _read_model(Plans, folder / PLANS).plans if (folder / PLANS).exists() else None
    return Trial(
        manifest, summary, with_durations(samples), asked["sql"].to_pylist(), sky, there.get(TELEMETRY), plans, asked,
        there.get(WORK), there.get(TABLE_ROWS),
    )  # fmt: skip


def read_trials(*sides: Sequence[Path]) -> list[list[tuple[str, Trial]]]:
    """The trials of each side, with their names.

    Raises:
        UserError: as ``read_trial``, or a side names a folder twice.
    """
    names = trial_names([folder for side in sides for folder in side])
    for side in sides:
        known = [folder.resolve() for folder in side]
        if twice := [folder for place, folder in enumerate(side) if known[place] in known[:place]]:
            remedy = "name each trial once; run the workload again for more"
            raise UserError(f"'{twice[0]}' is named twice", remedy=remedy)
    return [[(names[folder], read_trial(folder)) for folder in side] for side in sides]


def trial_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Names of trials on pages: the end of each one's path, as long as is needed to make them different.

    >>> list(trial_names([Path("/data/1.0/trial"), Path("/data/1.1/trial")]).values())
    ['1.0/trial', '1.1/trial']
    """
    places = {folder: folder.resolve() for folder in folders}
    parts = {place: place.parts[1:] or ("/",) for place in places.values()}
    count = next((n for n in range(1, 100) if len({one[-n:] for one in parts.values()}) == len(parts)), 100)
    texts = {folder: "/".join(parts[place][-count:]) for folder, place in places.items()}
    return {folder: text.encode("utf-8", "backslashreplace").decode() for folder, text in texts.items()}


def validate_trial(folder: Path) -> Trial:
    """``read_trial``, and the histograms too."""
    trial = read_trial(folder)
    read_histograms(folder / HISTOGRAMS)
    return trial


def _read_columns(path: Path, schema: pa.Schema) -> pa.Table:
    """A table with at least the columns of a schema."""
    table = _read_table(path)
    _refuse_newer(table, schema, path)
    return _checked(table, schema, path)


def _read_samples(path: Path) -> pa.Table:
    """The samples as this release writes them, whatever release wrote them."""
    table = _read_table(path)
    _refuse_newer(table, SAMPLE_SCHEMA, path)
    reader = READERS.get(version_of(table.schema) or 0)
    if reader is None:
        _checked(table, pa.schema([SAMPLE_SCHEMA.field(0)]), path)  # without it, these are no samples at all
        raise UserError(f"'{path}', key 'version': it is missing", remedy="run the trial again")
    return _checked(reader(table), SAMPLE_SCHEMA, path)


def _read_table(path: Path) -> pa.Table:
    try:
        return read_table(path)
    except FileNotFoundError:  # Arrow's says the path only
        raise UserError(f"cannot read '{path}': No such file or directory", remedy="run the trial again") from None
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise UserError(f"cannot read '{path}': {reason}", remedy="run the trial again") from None


def _refuse_newer(table: pa.Table, schema: pa.Schema, path: Path) -> None:
    if (known := version_of(schema)) is not None:
        refuse_newer({"version": version_of(table.schema)}, range(1, known + 1), f"'{path}'")


def _checked(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    for field in schema:
        if field.name not in table.column_names or table.schema.field(field.name).type != field.type:
            raise UserError(f"'{path}', column '{field.name}': not a {field.type}", remedy="run the trial again")
    return table


def _read_model(model: type[M], path: Path) -> M:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="name a trial folder") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        with suppress(ValueError, RecursionError):  # no JSON at all
            refuse_newer(json.loads(text), known_versions(model), f"'{path}'")
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise UserError(f"'{path}' is not JSON: {first['ctx']['error']}", remedy="run the trial again") from None
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise UserError(f"'{path}', key '{where}': {first['msg']}", remedy="run the trial again") from None
