"""Writes one weekly's tree and the truth about it.

The truth is written last, to ``truth/`` beside the tree; a tree that is there already is refused. The same order gives
the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.basics.errors import UserError
from skyshard.host.atomic_files import new_file
from skyshard.synth.weeklies.dataset_rows import DatasetRows
from skyshard.synth.weeklies.made_table import MadeTable, make_table
from skyshard.synth.weeklies.pool_table import ReleaseState
from skyshard.synth.weeklies.release_tree import (
    DATASET_TYPES,
    DataId,
    DatasetType,
    ReleaseTree,
    ticket,
    weekly_name,
)
from skyshard.synth.weeklies.survey_frame import SurveyFrame, open_survey
from skyshard.synth.weeklies.survey_tables import TABLES
from skyshard.synth.weeklies.tell_truth import dataset_type_truth
from skyshard.synth.weeklies.weekly_order import WeeklyOrder
from skyshard.synth.weeklies.weekly_truth import DatasetTypeTruth, FileTruth, WeeklyTruth, write_truth


def write_weekly(order: WeeklyOrder, out: Path) -> WeeklyTruth:
    """Write a weekly below ``out``, or with ``redo`` the files of one of its tracts; returns the truth.

    Raises:
        UserError: the weekly is there already; with ``redo``, it is not there.
    """
    tree = ReleaseTree(order.kind, order.weekly)
    _require_room(order, out / tree.folder)
    frame = open_survey(order)
    state = _state(frame)
    types: dict[str, DatasetTypeTruth] = {}
    for name in dict.fromkeys(what.table for what in DATASET_TYPES[order.kind]):
        whats = [what for what in DATASET_TYPES[order.kind] if what.table == name]
        made = make_table(frame, TABLES[name](frame), state, whats)
        for held, counts in zip(made.held, made.counts, strict=True):
            files = _write_dataset_type(made, held, tree, out)
            types[held.what.name] = dataset_type_truth(made, held, counts, files)
    truth = WeeklyTruth(
        kind=order.kind, weekly=order.weekly, name=weekly_name(order.weekly), ticket=ticket(order.weekly),
        seed=order.seed, objects=order.objects, columns=order.columns, keys=order.keys, tree=tree.folder,
        runs=tree.runs, redone_tract=state.redone, dataset_types=types,
    )  # fmt: skip
    write_truth(truth_path(out, order), truth)
    return truth


def truth_path(out: Path, order: WeeklyOrder) -> Path:
    """Where the truth about a weekly is."""
    return out / "truth" / f"{order.kind}_{weekly_name(order.weekly)}{'_redo' if order.redo else ''}.json"


def _require_room(order: WeeklyOrder, folder: Path) -> None:
    if order.redo and not folder.is_dir():
        raise UserError(f"'{folder}' is not there, so no tract of it can be done again", remedy="leave out --redo")
    if not order.redo and folder.exists():
        raise UserError(f"'{folder}' is there already", remedy="remove it, or name another folder with --out")


def _state(frame: SurveyFrame) -> ReleaseState:
    """What befalls which tract; tracts are those of the sky's first objects, so that all weeklies number them alike."""
    order, pool = frame.order, frame.pool
    tracts = tuple(np.unique(pool.tract[pool.of < pool.births.first]).tolist())
    redone = tracts[(order.weekly + 1) % len(tracts)] if order.redo else None
    older = tracts[-1] if order.kind != "hsc-gen2" else None
    return ReleaseState(tracts, redone, older)


def _write_dataset_type(made: MadeTable, held: DatasetRows, tree: ReleaseTree, out: Path) -> list[FileTruth]:
    """All files of a dataset type; of a tract that two runs of a chain hold, the older one first."""
    rows = made.rows if held is made.held[0] else made.rows.take(pa.array(_places_in(made, held)))
    found = []
    files = list(held.files())
    for place, run in files:
        is_cut = made.frame.order.damage and held.what.table == "Source" and place == files[-1][0]
        name = tree.run_of(held.what)
        if _is_remade(made, held.what, place):
            if made.older is not None:
                found.append(_write(made, held.what, place, made.older, name, tree, out, is_superseded=True))
            name = tree.runs[-1]
        part = rows.slice(run.start, run.stop - run.start)
        found.append(_write(made, held.what, place, part, name, tree, out, is_cut=is_cut))
    return found


def _places_in(made: MadeTable, held: DatasetRows) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where the rows of a dataset type stand among those of the first."""
    order = np.argsort(made.held[0].rows, kind="stable")
    return np.asarray(order[np.searchsorted(made.held[0].rows, held.rows, sorter=order)], np.int64)


def _is_remade(made: MadeTable, what: DatasetType, place: DataId) -> bool:
    """Whether the last run of the chain makes a dataset again: all rows of Object in one tract."""
    return what.table == "Object" and what.rows == "" and place.tract == made.state.older_run


def _write(
    made: MadeTable, what: DatasetType, place: DataId, rows: pa.Table, run: str, tree: ReleaseTree, out: Path, *,
    is_superseded: bool = False, is_cut: bool = False,
) -> FileTruth:  # fmt: skip
    """One file; a redo writes those of its tract alone."""
    path = tree.path(what, place, run)
    redone = made.state.redone
    is_kept = redone is not None and (what.table != "Object" or place.tract != redone or is_superseded)
    if not is_kept:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        with new_file(out / path) as draft:
            pq.write_table(rows, draft, compression="snappy", use_dictionary=False)
            if is_cut:
                draft.write_bytes(draft.read_bytes()[: draft.stat().st_size // 2])
    return FileTruth(
        path=path, dataset=tree.dataset(what, place), run=run, rows=rows.num_rows, is_superseded=is_superseded,
        is_damaged=is_cut,
    )  # fmt: skip
