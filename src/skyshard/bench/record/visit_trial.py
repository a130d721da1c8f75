"""The folder of a trial of visits, written and read.

OUT/manifest.json      what ran, where, on which backend
OUT/visits.parquet     one row for each operation of a tile, and one for each tile (``visit_samples``)
OUT/summary.json       the numbers (``visit_summary``)
OUT/telemetry.parquet  counters of every server, once a second; where they can be read
OUT/report.html, .md   the pages made from the files above
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.basics.errors import UserError
from skyshard.bench.record.beside_actions import BesideAction, BesideActions
from skyshard.bench.record.samples import version_of
from skyshard.bench.record.telemetry import TELEMETRY_SCHEMA
from skyshard.bench.record.trial_folder import MANIFEST, SUMMARY, TELEMETRY, trial_names
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.bench.record.visit_samples import VISIT_SAMPLES
from skyshard.bench.record.visit_summary import VisitSummary
from skyshard.catalog.strict_files import read_written
from skyshard.host.atomic_files import write_atomically
from skyshard.host.file_versions import refuse_newer

VISITS, BESIDE = "visits.parquet", "beside.json"
AGAIN = "run the trial again"


@dataclass(frozen=True, slots=True)
class VisitTrial:
    """A folder of a trial of visits, read."""

    manifest: TrialManifest
    summary: VisitSummary
    samples: pa.Table
    """With the columns of ``VISIT_SAMPLES``."""
    telemetry: pa.Table | None = None
    beside: Sequence[BesideAction] = ()
    """What ran beside the visits."""


def is_visit_trial(folder: Path) -> bool:
    """Whether a folder holds a trial of visits rather than one of queries."""
    return (folder / VISITS).is_file()


def write_visit_trial(trial: VisitTrial, folder: Path) -> None:
    """Write all files of the folder except the report; the summary last."""
    pq.write_table(trial.samples.select(VISIT_SAMPLES.names), folder / VISITS, compression="zstd")
    if trial.telemetry is not None and trial.telemetry.num_rows:
        pq.write_table(trial.telemetry, folder / TELEMETRY, compression="zstd")
    if trial.beside:
        written = BesideActions(actions=list(trial.beside)).model_dump_json(indent=1)
        write_atomically(folder / BESIDE, written + "\n")
    write_atomically(folder / MANIFEST, trial.manifest.model_dump_json(indent=2, by_alias=True) + "\n")
    write_atomically(folder / SUMMARY, trial.summary.model_dump_json(indent=2) + "\n")


def read_visit_trial(folder: Path) -> VisitTrial:
    """Read and check the folder of a trial of visits.

    Raises:
        UserError: a file is missing, damaged, or of a later release; the message names file and key.
    """
    manifest = read_written(TrialManifest, folder / MANIFEST, AGAIN)
    summary = read_written(VisitSummary, folder / SUMMARY, AGAIN)
    telemetry = _table(folder / TELEMETRY, TELEMETRY_SCHEMA) if (folder / TELEMETRY).exists() else None
    has_beside = (folder / BESIDE).exists()
    beside = read_written(BesideActions, folder / BESIDE, AGAIN).actions if has_beside else ()
    return VisitTrial(manifest, summary, _table(folder / VISITS, VISIT_SAMPLES), telemetry, beside)


def read_visit_trials(*sides: list[Path]) -> list[list[tuple[str, VisitTrial]]]:
    """The trials of each side, with their names."""
    names = trial_names([folder for side in sides for folder in side])
    return [[(names[folder], read_visit_trial(folder)) for folder in side] for side in sides]


def _table(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        found = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot read '{path}': {' '.join(str(error).split())}", remedy=AGAIN) from None
    if (known := version_of(schema)) is not None:
        refuse_newer({"version": version_of(found.schema)}, range(1, known + 1), f"'{path}'")
    for field in schema:
        if field.name not in found.column_names or found.schema.field(field.name).type != field.type:
            raise UserError(f"'{path}', column '{field.name}': not a {field.type}", remedy=AGAIN)
    return found
