"""The truth about one weekly: the model of ``truth/WEEKLY.json``. Version 1; no I/O but reading and writing it.

Counts are of the files that count: of a dataset that several runs of a chain hold, the newest run's; and of a damaged
file as if it were whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from skyshard.catalog.strict_files import Strict, read_written
from skyshard.host.atomic_files import write_atomically


class ColumnTruth(Strict):
    """The values of a column in a dataset type's files."""

    type: str
    """Of Arrow: bool, int32, int64, float, double, string, timestamp[us]."""
    nulls: int = 0
    nans: int = 0
    infinities: int = 0
    """Of both signs."""
    trues: int | None = None
    """Flags that are set; null for other columns."""
    min: int | float | None = None
    """The least finite value, a whole one with all digits; null for text, flags, times, and where there is none."""
    max: int | float | None = None


class FileTruth(Strict):
    """One file."""

    path: str
    """From the folder of the tree."""
    dataset: str
    """Dataset id: the dataset type and its place, e.g. ``objectTable_tract/9436``; equal in all runs of a chain."""
    run: str
    rows: int
    is_superseded: bool = False
    """A newer run of the chain holds the same dataset."""
    is_damaged: bool = False
    """Cut off in the middle; ``rows`` is what it held."""


class FateTruth(Strict):
    """Objects of the weekly before that became others."""

    old: list[int]
    new: list[int]


class ColumnChange(Strict):
    """A column over the rows that are in both weeklies, compared value by value."""

    before: str
    """Its name in the weekly before."""
    rows: int
    equal: int
    """Rows with equal values; two missing ones, NULL or NaN, are equal, and a double and the float nearest to it."""
    share_equal: float
    missing_before: int
    """NULL or NaN."""
    missing_after: int
    compared: int
    """Rows with finite values in both: of these are the next ones."""
    median_difference: float | None = None
    """Of new less old, in double precision; null for text, flags and times."""
    mad_difference: float | None = None
    """Median of the differences' distance from their median."""
    largest_difference: float | None = None
    """The largest in absolute value, with its sign; null where all are 0."""
    largest_key: int | None = None
    """The row's key in this weekly."""


class Changes(Strict):
    """What changed since the weekly before."""

    weekly: str
    """The weekly before."""
    matched: int
    """Rows that are in both."""
    lost: list[int]
    """Keys of rows that are gone, and did not become others."""
    new: list[int]
    split: list[FateTruth]
    merged: list[FateTruth]
    added_columns: list[str]
    removed_columns: list[str]
    renamed_columns: dict[str, str]
    """Old name to new."""
    retyped_columns: dict[str, tuple[str, str]]
    """Name to old and new type, of Arrow."""
    rewritten_tracts: list[int]
    """Tracts whose fluxes were all scaled."""
    columns: dict[str, ColumnChange]
    """By this weekly's name; new columns are not here."""
    matched_keys: tuple[list[int], list[int]] | None = None
    """Keys before and after of rows that are in both; null where a key lasts."""
    rows_of_tract: dict[int, int]
    """In the weekly before."""


class DatasetTypeTruth(Strict):
    """All files of one dataset type."""

    table: str
    """Of the schema: Object, Source, ..."""
    key: str
    rows: int
    rows_of_tract: dict[int, int] = Field(default_factory=dict)
    """By the tract column of the rows, like the next three."""
    rows_of_patch: dict[str, int] = Field(default_factory=dict)
    """By ``tract/patch``."""
    rows_of_visit: dict[int, int] = Field(default_factory=dict)
    rows_of_detector: dict[str, int] = Field(default_factory=dict)
    """By ``visit/detector``."""
    rows_of_dataset: dict[str, int]
    """By dataset id."""
    files: list[FileTruth]
    columns: dict[str, ColumnTruth]
    doubled_keys: list[int] = Field(default_factory=list)
    """Keys that two rows have."""
    bad_positions: list[int] = Field(default_factory=list)
    """Keys of rows without a position."""
    primary: int | None = None
    """Rows with detect_isPrimary; null where the table has no such column. So the next three."""
    patch_inner: int | None = None
    tract_inner: int | None = None
    near_primary: int | None = None
    """Primary rows that have another primary one within 0.2 arcseconds."""
    changes: Changes | None = None
    """Since the weekly before; null in the first, and for subsets and copies of another dataset type."""


class WeeklyTruth(Strict):
    """One weekly of one sky."""

    version: Literal[1] = 1
    kind: str
    weekly: int
    name: str
    """E.g. w_2026_24."""
    ticket: str
    seed: int
    objects: int
    columns: str
    keys: str
    tree: str
    """The folder of the weekly: what a mapping's ``input`` names."""
    runs: list[str]
    """RUN collections, oldest first; one for layouts without."""
    redone_tract: int | None = None
    """The tract that ``--redo`` wrote once more."""
    dataset_types: dict[str, DatasetTypeTruth]


def write_truth(path: Path, truth: WeeklyTruth) -> None:
    """Write the truth; numbers of a column stand in one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(truth.model_dump(mode="json"), separators=(",", ":")) + "\n")


def read_truth(path: Path) -> WeeklyTruth:
    """Read the truth.

    Raises:
        UserError: no such file, or another format.
    """
    return read_written(WeeklyTruth, path, "make the weekly again")
