"""Puts together the truth about one dataset type of a weekly. No I/O."""

from __future__ import annotations

import numpy as np

from skyshard.synth.weeklies.count_truth import flag_counts, near_rows, place_counts
from skyshard.synth.weeklies.dataset_rows import DatasetRows, bad_rows
from skyshard.synth.weeklies.made_table import MadeTable
from skyshard.synth.weeklies.release_tree import weekly_name
from skyshard.synth.weeklies.weekly_truth import Changes, ColumnTruth, DatasetTypeTruth, FateTruth, FileTruth


def dataset_type_truth(
    made: MadeTable, held: DatasetRows, counts: dict[str, ColumnTruth], files: list[FileTruth]
) -> DatasetTypeTruth:
    """The truth about one dataset type."""
    table, week = made.table, made.frame.order.weekly
    keys, places = table.key_values(week), place_counts(table, held.rows)
    bad = bad_rows(made.frame, week) if table.name == "Object" else np.zeros(0, np.intp)
    return DatasetTypeTruth(
        table=table.name, key=table.keys[0], rows=len(held.rows), rows_of_tract=places.tract,
        rows_of_patch=places.patch, rows_of_visit=places.visit, rows_of_detector=places.detector,
        rows_of_dataset={one.dataset: one.rows for one in files if not one.is_superseded}, files=files, columns=counts,
        doubled_keys=sorted(keys[held.doubled].tolist()),
        bad_positions=sorted(keys[bad[np.isin(bad, held.rows)]].tolist()), **_flags(made, held),
        changes=_changes(made) if week > 1 and held is made.held[0] else None,
    )  # fmt: skip


def _flags(made: MadeTable, held: DatasetRows) -> dict[str, int]:
    """What the flags of patches say; only of an Object that has them."""
    if made.table.name != "Object" or "detect_isPrimary" not in made.rows.column_names:
        return {}
    pool = made.frame.pool
    flags = {"primary": pool.is_primary, "patch_inner": pool.is_patch_inner, "tract_inner": pool.is_tract_inner}
    primary = held.rows[pool.is_primary[held.rows]]
    near = near_rows(made.positions["coord_ra"][primary], made.positions["coord_dec"][primary])
    return flag_counts(flags, held.rows) | {"near_primary": near}


def _changes(made: MadeTable) -> Changes:
    table, frame = made.table, made.frame
    week, lasts = frame.order.weekly, frame.order.keys == "lasting"
    before, after = (table.key_values(number) for number in (week - 1, week))
    was = table.present(week - 1)
    now_here = np.zeros(table.count, np.bool_)
    now_here[made.held[0].rows] = True
    split = merged = np.zeros((0, 3), np.int64)
    if table.name == "Object":
        split, merged = frame.step.split, frame.step.merged
    became = np.concatenate([split[:, 0], merged[:, :2].ravel()])
    born = np.concatenate([split[:, 1:].ravel(), merged[:, 2]])
    lost, new = np.flatnonzero(was & ~now_here), np.flatnonzero(now_here & ~was)
    kinds = {name: str(made.rows.schema.field(name).type) for name in made.rows.column_names}
    rewritten = made.state.rewritten(week) if table.tract is not None else None
    return Changes(
        weekly=weekly_name(week - 1), matched=len(made.both),
        lost=sorted(before[lost[~np.isin(lost, became)]].tolist()),
        new=sorted(after[new[~np.isin(new, born)]].tolist()),
        split=[FateTruth(old=[int(before[one[0]])], new=sorted(after[one[1:]].tolist())) for one in split],
        merged=[FateTruth(old=sorted(before[one[:2]].tolist()), new=[int(after[one[2]])]) for one in merged],
        added_columns=made.step.added, removed_columns=made.step.removed, renamed_columns=dict(made.step.renamed),
        retyped_columns={name: (made.types_before[name], kinds[name]) for name, _, _ in made.step.retyped},
        rewritten_tracts=[] if rewritten is None else [rewritten], columns=made.changes,
        matched_keys=None if lasts else (before[made.both].tolist(), after[made.both].tolist()),
        rows_of_tract=_tracts(made, np.flatnonzero(was)) | {},
    )  # fmt: skip


def _tracts(made: MadeTable, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> dict[int, int]:
    return place_counts(made.table, rows).tract
