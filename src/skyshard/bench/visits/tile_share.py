"""The tiles of a visit that are processed together: what they came to, and the sums of their answers. No I/O.

Tiles go to other processes as bytes, the rows of all of them in one record batch a table: dozens of short columns cost
more than their values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TableName, Tile, TileRows
from skyshard.apdb.sky.compare_reads import sum_answers
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.bench.visits.tile_client import TileOutcome, TileTask, VisitTask

_STORED: tuple[TableName, ...] = ("DiaObject", "DiaSource", "DiaForcedSource")


@dataclass(frozen=True, slots=True)
class ShareOutcome:
    """What some tiles of a visit came to."""

    tiles: list[TileOutcome]
    own_s: float = 0.0
    """Seconds of processor time to sum up answers, in another process."""


class TileWorkers(Protocol):
    """Those who process tiles, each with a session of its own."""

    @property
    def is_apart(self) -> bool:
        """They are other processes: what this one does meanwhile takes no tile the interpreter."""
        ...

    def begin(self, tasks: Sequence[TileTask]) -> Sequence[Future[ShareOutcome]]:
        """Process tiles of a visit; every tile is in one of the shares."""
        ...

    def prepare_month(self, moment: float) -> None:
        """A month is ready for rows: whoever stores is to know it before."""
        ...

    def stop(self) -> None:
        """Try no tile again."""
        ...

    def close(self) -> None:
        """Close sessions; no tile is under way."""
        ...


def sum_up(outcomes: Sequence[TileOutcome], columns: Mapping[TableName, tuple[str, ...] | None]) -> float:
    """Put the sums of all answers in place of their rows; the seconds of processor time that it took.

    ``columns``: those that were asked of a table; where it is not named, all.
    """
    begun_s = time.thread_time()
    for name in sorted({name for one in outcomes for name in one.read}):
        which = [one for one in outcomes if name in one.read]
        answers = [one.read.pop(name) for one in which]
        for one, sums in zip(which, sum_answers(name, columns.get(name), answers), strict=True):
            one.sums[name] = sums
    return time.thread_time() - begun_s


@dataclass(frozen=True, slots=True)
class PackedTasks:
    """Tasks of one visit as they are sent to a process; there is at least one."""

    visit: VisitTask
    tiles: Sequence[Tile]
    content: Mapping[TableName, bytes]
    """The rows of all tiles, one after the other, by table."""
    counts: Mapping[TableName, Sequence[int]]
    """Rows of each tile."""

    @classmethod
    def of(cls, tasks: Sequence[TileTask]) -> PackedTasks:
        content: dict[TableName, bytes] = {}
        counts: dict[TableName, Sequence[int]] = {}
        for name in _STORED:
            tables = [_rows_of(task.rows, name) for task in tasks]
            batches = pa.concat_tables(tables).combine_chunks().to_batches()
            content[name] = batches[0].serialize().to_pybytes() if batches else b""
            counts[name] = [table.num_rows for table in tables]
        return cls(tasks[0].visit, [task.rows.tile for task in tasks], content, counts)

    def unpacked(self) -> list[TileTask]:
        tables = zip(*(self._tables(name) for name in _STORED), strict=True)
        return [TileTask(self.visit, TileRows(tile, *three)) for tile, three in zip(self.tiles, tables, strict=True)]

    def _tables(self, name: TableName) -> list[pa.Table]:
        schema, content, counts = apdb_table(name).schema, self.content[name], self.counts[name]
        if not content:
            return [schema.empty_table()] * len(counts)
        batch = pa.ipc.read_record_batch(pa.py_buffer(content), schema)
        first = np.cumsum([0, *counts])[:-1].tolist()
        return [pa.Table.from_batches([batch.slice(at, count)]) for at, count in zip(first, counts, strict=True)]


def _rows_of(rows: TileRows, name: TableName) -> pa.Table:
    return {"DiaObject": rows.objects, "DiaSource": rows.sources, "DiaForcedSource": rows.forced}[name]
