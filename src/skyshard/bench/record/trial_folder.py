"""Reads and checks a trial folder: every file against its version and schema, and the files against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.histograms import HISTOGRAMS, read_histograms
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.samples import (
    SAMPLE_SCHEMA,
    SCHEMA_VERSION,
    STATEMENT_SCHEMA,
    VERSION_KEY,
    read_table,
    with_durations,
)
from skyshard.bench.record.telemetry import TELEMETRY_SCHEMA
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.errors import UserError

M = TypeVar("M", bound=BaseModel)

MANIFEST, SUMMARY, SAMPLES = "manifest.json", "summary.json", "samples.parquet"
STATEMENTS, SKY_MAP, TELEMETRY, PLANS = "statements.parquet", "skymap.parquet", "telemetry.parquet", "plans.json"


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


class Plans(BaseModel):
    """``plans.json``: how the target would answer the slowest statements."""

    version: int = 1
    plans: dict[str, str]


def read_trial(folder: Path) -> Trial:
    """Read and check a trial folder.

    Raises:
        UserError: a file is missing, damaged, or of another version; the message names file and key.
    """
    manifest = _read_model(TrialManifest, folder / MANIFEST)
    summary = _read_model(TrialSummary, folder / SUMMARY)
    samples = _read_columns(folder / SAMPLES, SAMPLE_SCHEMA)
    _check_version(samples, folder / SAMPLES)
    asked = _read_columns(folder / STATEMENTS, STATEMENT_SCHEMA)
    if samples.num_rows != summary.n + summary.warm_ups:
        raise UserError(
            f"'{folder / SAMPLES}': {samples.num_rows} samples, the summary counts {summary.n + summary.warm_ups}",
            remedy="run the trial again",
        )
    telemetry = _read_columns(folder / TELEMETRY, TELEMETRY_SCHEMA) if (folder / TELEMETRY).exists() else None
    sky = SkyMap.from_table(read_table(folder / SKY_MAP)) if (folder / SKY_MAP).exists() else None
    plans = _read_model(Plans, folder / PLANS).plans if (folder / PLANS).exists() else None
    return Trial(manifest, summary, with_durations(samples), asked["sql"].to_pylist(), sky, telemetry, plans, asked)


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
    try:
        table = read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise UserError(f"cannot read '{path}': {reason}", remedy="run the trial again") from None
    for field in schema:
        if field.name not in table.column_names or table.schema.field(field.name).type != field.type:
            raise UserError(f"'{path}', column '{field.name}': not a {field.type}", remedy="run the trial again")
    return table


def _check_version(samples: pa.Table, path: Path) -> None:
    found = (samples.schema.metadata or {}).get(VERSION_KEY, b"none").decode()
    if found != str(SCHEMA_VERSION):
        remedy = "read it with the release that ran it"
        raise UserError(f"'{path}': version {found}, this release reads {SCHEMA_VERSION}", remedy=remedy)


def _read_model(model: type[M], path: Path) -> M:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="name a trial folder") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"'{path}', key '{where}': {first['msg']}", remedy="run the trial again") from None
