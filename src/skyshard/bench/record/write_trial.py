"""Writes a trial folder; ``trial_folder`` reads it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from skyshard.bench.record.histograms import HISTOGRAMS, write_histograms
from skyshard.bench.record.samples import SAMPLE_SCHEMA, statement_table, write_table
from skyshard.bench.record.trial_folder import (
    MANIFEST,
    PLANS,
    SAMPLES,
    SKY_MAP,
    STATEMENTS,
    SUMMARY,
    TABLE_ROWS,
    TELEMETRY,
    WORK,
    Plans,
    Trial,
)


def write_trial(out: Path, trial: Trial) -> None:
    """Write all files of a trial folder except the report."""
    (out / MANIFEST).write_text(trial.manifest.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    (out / SUMMARY).write_text(trial.summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_table(trial.samples.select(SAMPLE_SCHEMA.names), out / SAMPLES)
    write_table(_places(trial), out / STATEMENTS)
    write_histograms(trial.samples, out / HISTOGRAMS)
    for name, table in ((TELEMETRY, trial.telemetry), (WORK, trial.work), (TABLE_ROWS, trial.table_rows)):
        if table is not None and table.num_rows:
            write_table(table, out / name)
    if trial.plans:
        (out / PLANS).write_text(Plans(version=1, plans=trial.plans).model_dump_json(indent=1) + "\n", encoding="utf-8")
    if trial.sky is not None:
        write_table(trial.sky.to_table(), out / SKY_MAP)


def _places(trial: Trial) -> pa.Table:
    return statement_table(trial.statements) if trial.places is None else trial.places
