"""The columns of one table in a weekly: values for its files, counts, and changes since the weekly before. No I/O.

Columns are made one by one, each for all rows at once, so that memory holds one column of the pool beside the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats, RowIndexes
from skyshard.synth.rows.column_meaning import Sense, meaning_of
from skyshard.synth.weeklies.column_history import SchemaStep, WeekColumn, columns_of
from skyshard.synth.weeklies.count_truth import column_change, column_truth
from skyshard.synth.weeklies.dataset_rows import DatasetRows, bad_rows, dataset_rows, lost_at_redo
from skyshard.synth.weeklies.pool_table import Numbers, PoolTable, ReleaseState, WeekValues, to_arrow
from skyshard.synth.weeklies.release_tree import DatasetType
from skyshard.synth.weeklies.survey_frame import SurveyFrame
from skyshard.synth.weeklies.weekly_truth import ColumnChange, ColumnTruth

_POSITION = ("coord_ra", "coord_dec")


@dataclass
class MadeTable:
    """One table of a weekly."""

    frame: SurveyFrame
    table: PoolTable
    state: ReleaseState
    held: list[DatasetRows]
    """The rows of each dataset type; the first has them all."""
    both: RowIndexes
    """Rows of the pool that are in this weekly and in the one before."""
    step: SchemaStep
    rows: pa.Table
    """In the order of ``held[0]``."""
    older: pa.Table | None
    """The rows of one tract as an older run left them."""
    counts: list[dict[str, ColumnTruth]]
    """By dataset type and column."""
    changes: dict[str, ColumnChange]
    positions: dict[str, Floats]
    types_before: dict[str, str]
    """Arrow's, of columns in the weekly before."""


def make_table(frame: SurveyFrame, table: PoolTable, state: ReleaseState, whats: list[DatasetType]) -> MadeTable:
    """The table in the frame's weekly."""
    week = frame.order.weekly
    now = table.present(week) & ~_lost(frame, table, state)
    held = [dataset_rows(what, table, frame, now) for what in whats]
    columns, step = columns_of(table.name, table.schema, week)
    maker = _ColumnMaker(frame, table, state, held, np.flatnonzero(now & table.present(week - 1)))
    for column in columns:
        maker.make(column)
    older = pa.table(maker.older) if maker.older else None
    return MadeTable(
        frame, table, state, held, maker.both, step, pa.table(maker.arrays), older, maker.counts, maker.changes,
        maker.positions, maker.types_before,
    )  # fmt: skip


def _lost(frame: SurveyFrame, table: PoolTable, state: ReleaseState) -> Flags:
    if state.redone is None or table.name != "Object":
        return np.zeros(table.count, np.bool_)
    return lost_at_redo(frame, state.redone)


@dataclass
class _ColumnMaker:
    """Makes one column after the other, and keeps what is asked of it."""

    frame: SurveyFrame
    table: PoolTable
    state: ReleaseState
    held: list[DatasetRows]
    both: RowIndexes
    arrays: dict[str, pa.Array] = field(default_factory=dict)
    older: dict[str, pa.Array] = field(default_factory=dict)
    changes: dict[str, ColumnChange] = field(default_factory=dict)
    positions: dict[str, Floats] = field(default_factory=dict)
    types_before: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.week = self.frame.order.weekly
        before, _ = columns_of(self.table.name, self.table.schema, self.week - 1)
        self.before = {one.source.name: one for one in before} if self.week > 1 else {}
        self.keys = self.table.key_values(self.week)[self.both]
        self.counts: list[dict[str, ColumnTruth]] = [{} for _ in self.held]
        is_object = self.table.name == "Object"
        self.bad = {week: bad_rows(self.frame, week) for week in (self.week - 1, self.week)} if is_object else {}
        older, rows = self.state.older_run, self.held[0].rows
        is_older = np.zeros(len(rows), np.bool_)
        if is_object and older is not None:
            is_older = self.frame.pool.tract[rows] == older
        self.older_rows = rows[is_older]

    def make(self, column: WeekColumn) -> None:
        """One column."""
        base = self.table.base(column.source)
        now = self._values(column, base, self.week, ReleaseState(self.state.tracts, self.state.redone))
        array = to_arrow(now, self.held[0].rows)
        self.arrays[column.name] = array
        if len(self.older_rows):
            is_flux = meaning_of(column.source).sense is Sense.FLUX
            older = self._values(column, base, self.week, self.state) if is_flux else now
            self.older[column.name] = to_arrow(older, self.older_rows)
        for held, counts in zip(self.held, self.counts, strict=True):
            counts[column.name] = column_truth(now, held.rows, array.type)
        if column.source.name in _POSITION and now.numbers is not None:
            self.positions[column.name] = np.where(now.is_missing(), np.nan, now.numbers)
        if column.source.name in self.before:
            self._compare(column, self.before[column.source.name], base, now)

    def _compare(self, column: WeekColumn, old: WeekColumn, base: Numbers | pa.Array, now: WeekValues) -> None:
        then = self._values(old, base, self.week - 1, ReleaseState(self.state.tracts))
        self.changes[column.name] = column_change(old.name, then, now, self.both, self.keys)
        self.types_before[old.name] = str(to_arrow(then, self.both[:0]).type)

    def _values(self, column: WeekColumn, base: Numbers | pa.Array, week: int, state: ReleaseState) -> WeekValues:
        made = self.table.values(column, base, week, state)
        bad = self.bad.get(week)
        if bad is None or not len(bad) or column.source.name not in _POSITION or made.numbers is None:
            return made
        numbers, is_null = made.numbers.copy(), np.zeros(self.table.count, np.bool_)
        numbers[bad[::2]] = np.nan
        is_null[bad[1::2]] = True
        return WeekValues(numbers, is_null)
