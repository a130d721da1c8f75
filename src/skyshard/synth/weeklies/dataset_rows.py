"""Which rows stand in which files of a dataset type. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skyshard.basics.array_types import Flags, Integers, RowIndexes
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.weeklies.pool_table import PoolTable
from skyshard.synth.weeklies.release_tree import DataId, DatasetType
from skyshard.synth.weeklies.survey_frame import SurveyFrame
from skyshard.synth.weeklies.survey_tables import physical_filter

_REDO_LOST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class DatasetRows:
    """Rows of the pool in the order of the files, and where each file begins."""

    what: DatasetType
    rows: RowIndexes
    places: tuple[DataId, ...]
    starts: Integers
    """One more than there are files."""
    doubled: RowIndexes
    """Rows of the pool that are here twice."""

    def files(self) -> Iterator[tuple[DataId, slice]]:
        """The place of each file, and its run of ``rows``."""
        for number, place in enumerate(self.places):
            yield place, slice(int(self.starts[number]), int(self.starts[number + 1]))


def dataset_rows(what: DatasetType, table: PoolTable, frame: SurveyFrame, present: Flags) -> DatasetRows:
    """The files of a dataset type; ``present`` is by row of the pool."""
    primary = frame.pool.is_primary if table.name == "Object" else None
    held = present if primary is None or what.rows == "" else present & (primary == (what.rows == "primary"))
    rows = np.flatnonzero(held)
    tract = table.tract[rows] if table.tract is not None else np.zeros(len(rows), np.int64)
    doubled = np.zeros(0, np.intp)
    if table.name == "Object" and what.rows == "":
        doubled = _doubled(frame, rows)
        every = np.unique(frame.pool.tract)
        rows = np.concatenate([rows, doubled])
        tract = np.concatenate([tract, every[(np.searchsorted(every, frame.pool.tract[doubled]) + 1) % len(every)]])
    columns = {"tract": tract, "patch": _of(table.patch, rows), "visit": _of(table.visit, rows)}
    by = [columns[name] for name in what.by]
    order = np.lexsort((rows, columns["patch"], *reversed(by)))
    keys = np.column_stack([one[order] for one in by]) if by else np.zeros((len(rows), 1), np.int64)
    starts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=keys[:1] - 1) != 0, axis=1))
    places = tuple(_place(what, keys[start], frame) for start in starts)
    return DatasetRows(what, rows[order], places, np.append(starts, len(rows)), doubled)


def _of(values: Integers | None, rows: RowIndexes) -> Integers:
    return np.zeros(len(rows), np.int64) if values is None else np.asarray(values[rows])


def _doubled(frame: SurveyFrame, rows: RowIndexes) -> RowIndexes:
    """Primary rows, chosen by lot."""
    able = rows[frame.pool.is_primary[rows]]
    luck = stream(frame.order.seed, "doubled", WHOLE_SKY, "luck").random(frame.pool.rows)[able]
    return np.asarray(able[np.argsort(luck, kind="stable")[: frame.order.doubled]])


def bad_rows(frame: SurveyFrame, weekly: int) -> RowIndexes:
    """Rows of Object without a position in a weekly."""
    if weekly < 1 or not frame.order.bad_positions:
        return np.zeros(0, np.intp)
    able = np.flatnonzero(frame.pool.is_single & frame.alive[weekly - 1])
    luck = stream(frame.order.seed, "bad positions", WHOLE_SKY, "luck").random(len(frame.pool))[able]
    return np.asarray(able[np.argsort(luck, kind="stable")[: frame.order.bad_positions]])


def lost_at_redo(frame: SurveyFrame, tract: int) -> Flags:
    """Rows of Object that a tract has no more when it is done again: one in a hundred, at least one."""
    there = np.flatnonzero((frame.pool.tract == tract) & frame.present(frame.order.weekly))
    luck = stream(frame.order.seed, "redo", WHOLE_SKY, "luck").random(frame.pool.rows)[there]
    lost = np.zeros(frame.pool.rows, np.bool_)
    lost[there[np.argsort(luck, kind="stable")[: max(1, round(len(there) * _REDO_LOST_SHARE))]]] = True
    return lost


def _place(what: DatasetType, key: Integers, frame: SurveyFrame) -> DataId:
    numbers = dict(zip(what.by, key.tolist(), strict=False))
    if "visit" not in numbers:
        return DataId(tract=numbers.get("tract"), patch=numbers.get("patch"))
    visits = frame.visits
    at = int(np.flatnonzero(visits.number == numbers["visit"])[0])
    band = frame.bands[visits.band[at]]
    return DataId(
        visit=numbers["visit"], day=int(visits.day[at]), band=band,
        physical_filter=physical_filter(band, frame.order.kind),
    )  # fmt: skip
