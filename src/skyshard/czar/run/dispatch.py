"""Sends the chunk statements of a pull to the nodes, and brings the rows to one place.

Rules: each chunk is read on exactly one node that holds all of its tables, and nodes work in parallel. A unit that
fails is sent to other replicas, and none of its rows count, so each row comes exactly once. Small pulls travel as text,
large ones as row images, except where they have BLOB or TEXT columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import words_of
from skyshard.czar.columns.not_by_columns import NotByColumns
from skyshard.czar.plan.query_plan import FEWEST_PAIR_ROWS, Lane, Pull
from skyshard.czar.result.made_rows import packed_rows, plain_rows
from skyshard.czar.result.overflow import DigitCount, is_longest, require_all_stored
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_results import (
    TypedColumn,
    create_scratch,
    from_images,
    from_rows,
    record_layout,
)
from skyshard.czar.run.carrier_check import why_text
from skyshard.czar.run.column_source import ColumnSource, pair_way
from skyshard.czar.run.doubts import TakeDoubt, doubts_of, no_doubt
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.run.pull_reader import Failure, PullReader, UnitRows
from skyshard.czar.run.pull_units import UNIT_ROWS, column_units, expected_s, units_of
from skyshard.czar.run.query_events import tell_failures, tell_round
from skyshard.czar.run.replica_choice import ReplicaChoice
from skyshard.czar.run.rounds import lane_round, quick_round
from skyshard.czar.run.scratch_tables import file_name, scratch_table
from skyshard.czar.run.shown_rows import FewRows
from skyshard.czar.scan.scan_schedule import Unit, length_of
from skyshard.db.connection import Connection, Row

INSERT_ROWS = 500
APPEND_BYTES = 1 << 20
"""Read and written at once: what fits into a processor's cache."""


class Dispatch:
    """Runs the pulls of one query."""

    def __init__(
        self,
        running: Running,
        workers: NodeWorkers,
        czar: Connection | None,
        czar_dir: Path,
        text_rows: int,
        take_doubt: TakeDoubt = no_doubt,
        pair_rows: int = FEWEST_PAIR_ROWS,
        columns: ColumnSource | None = None,
    ) -> None:
        self._columns = columns
        self._running = running
        self._workers = workers
        self._maybe_czar = czar
        self._czar_dir = czar_dir
        self._text_rows = text_rows
        self._take_doubt = take_doubt
        self._pair_rows = pair_rows

    @property
    def _czar(self) -> Connection:
        assert self._maybe_czar is not None, "a plan that merges nothing brings nothing to the czar's server"
        return self._maybe_czar

    def _is_text(self, pull: Pull, columns: Sequence[TypedColumn]) -> bool:
        is_counted = pull.is_cut and any(map(is_longest, columns))
        if is_counted or pull.rows <= self._text_rows or record_layout(columns) is None:
            return True
        why = self._why_text(pull)
        self._running.as_text |= why
        return bool(why)

    def _why_text(self, pull: Pull) -> dict[str, str]:
        """Node → why none of its rows can come as images, of the nodes that may be asked."""
        workers = [worker for worker in self._workers.by_name.values() if worker.carrier is not None]
        if workers and pull.chunks is not None:
            holders = ReplicaChoice(pull, self._workers.nodes).holders()
            workers = [worker for worker in workers if worker.name in holders]
        whys = self._workers.each(lambda worker: why_text(worker, self._workers.events), workers)
        return {worker.name: why for worker, why in zip(workers, whys, strict=True) if why}

    def batches(self, pull: Pull, columns: Sequence[TypedColumn], lane: Lane) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a pull as Arrow, as they come: the answer itself, without a stop at the czar's server."""
        layout = record_layout(columns)
        is_text = self._is_text(pull, columns)
        with self._unit_rows(pull, columns, "p", lane, is_text=is_text, is_awaited=True) as stream:
            for unit in stream:
                if unit.made is not None:
                    yield from unit.made.to_batches()
                elif unit.filled is None:
                    yield from from_rows(unit.rows, columns).to_batches()
                elif layout is not None and unit.filled.rows:
                    yield from from_images(unit.filled, columns, layout)

    def bring(
        self,
        what: str,
        pull: Pull,
        columns: Sequence[TypedColumn],
        lane: Lane,
        meanwhile: Callable[[], None],
        *,
        is_few_handed_back: bool = False,
    ) -> int | FewRows:
        """Bring the rows of a pull into a scratch table of the czar's server, which the caller drops; returns how many.

        The table is made, and ``meanwhile`` done, when the first rows have come: nodes are at work then. Where a few
        rows are enough it is made before, as nodes would read more than is needed. Where few are to be handed back, no
        table is made for them: the caller merges them, or has them stored (:meth:`store`).
        """
        table = scratch_table(self._running.query, what)
        keys = [key.columns[0] for key in pull.keys]
        is_text = self._is_text(pull, columns)

        def begin() -> None:
            self._czar.execute(create_scratch(table, columns, is_temporary=is_text, keys=keys))
            meanwhile()

        with self._unit_rows(pull, columns, what, lane, is_text=is_text) as stream:
            rows: Iterator[UnitRows] = stream
            if is_few_handed_back and not pull.is_cut:
                units, is_all = _first_few(stream, min(self._text_rows, INSERT_ROWS))
                if is_all:
                    few = [row for unit in units for row in _values_of(unit)]
                    return FewRows(table, create_scratch(table, columns, is_temporary=True, keys=keys), few)
                rows = chain(units, stream)
                del units  # or they are in memory until the last rows have come
                begin()
            elif pull.limit is not None:
                begin()
            else:
                rows = _after_first(stream, begin)
            if is_text:
                return self._insert(table, columns, rows, is_cut=pull.is_cut)
            return self._append_images(what, columns, rows)

    def store(self, few: FewRows) -> None:
        """Put rows that were handed back into their table after all."""
        self._czar.execute(few.create)
        self._insert_rows(few.table, few.rows, is_cut=False)

    def _insert(self, table: str, columns: Sequence[TypedColumn], stream: Iterator[UnitRows], *, is_cut: bool) -> int:
        """Rows of small units are put together: a statement costs more than a few rows."""
        count, waiting = 0, list[Row]()
        digits = DigitCount(columns if is_cut else ())
        for unit in stream:
            rows = _values_of(unit)
            digits.add(rows)
            count += len(rows)
            waiting += rows
            if len(waiting) >= INSERT_ROWS:
                self._insert_rows(table, waiting, is_cut=is_cut)
                waiting = []
        self._insert_rows(table, waiting, is_cut=is_cut)
        return count

    def _insert_rows(self, table: str, rows: Sequence[Row], *, is_cut: bool) -> None:
        for start in range(0, len(rows), INSERT_ROWS):
            self._czar.insert(table, rows[start : start + INSERT_ROWS])
            require_all_stored(self._czar, is_cut=is_cut)

    def _append_images(self, what: str, columns: Sequence[TypedColumn], stream: Iterator[UnitRows]) -> int:
        layout, count = record_layout(columns), 0
        assert layout is not None
        target = self._czar_dir / file_name(self._running.query, what)
        for unit in stream:
            count += unit.count
            with target.open("ab") as file:
                if unit.made is not None:
                    file.write(packed_rows(unit.made, layout))
                    continue
                assert unit.filled is not None
                for block in unit.filled.blocks(layout.length, APPEND_BYTES):
                    file.write(block)
        self._czar.execute(f"REPAIR TABLE {scratch_table(self._running.query, what)} QUICK")
        return count

    @contextlib.contextmanager
    def _unit_rows(
        self,
        pull: Pull,
        columns: Sequence[TypedColumn],
        what: str,
        lane: Lane,
        *,
        is_text: bool,
        is_awaited: bool = False,
    ) -> Iterator[Iterator[UnitRows]]:
        """The rows of a pull, unit by unit; their scratch tables are dropped in the end."""
        is_scan = lane is Lane.SCAN
        order = PullOrder.of(self._running.query, what, pull, columns, is_text=is_text, is_scan=is_scan)
        by_columns = self._columns.reader(pull, columns, self._running.scan) if self._columns is not None else None
        way = pair_way(pull, self._running.scan, self._pair_rows)
        images = self._columns.pair_images(way) if self._columns is not None and way is not None else None
        task = PullReader(self._running, self._workers, order, self._czar_dir, way, by_columns, images)
        stream = self._stream(pull, task, lane, is_awaited=is_awaited)
        try:
            yield stream
        finally:
            stream.close()
            task.close()

    def _units(
        self,
        pull: Pull,
        node: str,
        chunks: Sequence[int],
        task: PullReader,
        as_rows: Collection[int],
        *,
        is_awaited: bool,
    ) -> tuple[Unit, ...]:
        """The units of one node; ``as_rows`` are chunks that columns did not give."""
        worker, most_rows = self._workers.by_name[node], UNIT_ROWS[1]
        if worker.carrier is not None and task.order.record_bytes:
            most_rows = max(1, min(most_rows, worker.carrier.piece_bytes // task.order.record_bytes))
        imaged: list[int] = []
        if task.by_columns is not None:
            covered = task.by_columns.covered(worker.node, chunks)
            covered = covered.difference(as_rows) if as_rows else covered
            is_all = len(covered) == len(chunks)
            imaged = list(chunks) if is_all else [chunk for chunk in chunks if chunk in covered]
            chunks = [] if is_all else [chunk for chunk in chunks if chunk not in covered]
        units = column_units(pull, imaged, worker.scan_threads) if imaged else ()
        if chunks or not imaged:
            made = units_of(
                pull, chunks, worker.scan_threads, most_rows, is_paired_here=task.finds_pairs, is_awaited=is_awaited
            )
            units = (*units, *made)
        return tuple(sorted(units, key=lambda unit: unit.chunks[0])) if imaged else units

    def _stream(self, pull: Pull, task: PullReader, lane: Lane, *, is_awaited: bool) -> Generator[UnitRows, None, None]:
        """Rounds over the chunks that are left, until none is; a node that failed is asked last."""
        replicas = ReplicaChoice(pull, self._workers.nodes)
        left: Sequence[int] = replicas.chunks
        came = number = 0
        as_rows: set[int] = set()
        while left:
            assigned, lost = replicas.assign(left)
            self._running.lost += replicas.give_up(lost, is_allowed=self._running.is_partial_allowed)
            is_quick, is_first = lane is not Lane.SCAN, is_awaited and lane is Lane.SCAN and not number
            units_by_node = {
                node: self._units(pull, node, chunks, task, as_rows, is_awaited=is_first)
                for node, chunks in assigned.items()
            }
            number += 1
            tell_round(self._workers.events, self._running, number, units_by_node, lost)
            failures: list[Failure] = []
            length = length_of(expected_s(units_by_node))
            for outcome in quick_round(task, units_by_node) if is_quick else lane_round(task, units_by_node, length):
                if isinstance(outcome, Failure):
                    failures.append(outcome)
                    continue
                yield outcome
                came += outcome.count
                if pull.limit is not None and came >= pull.limit:
                    return
            again = {chunk for one in failures if isinstance(one.error, NotByColumns) for chunk in one.chunks}
            self._running.not_by_columns |= {words_of(one.error): None for one in failures if again & {*one.chunks}}
            as_rows |= again
            failures = [one for one in failures if not isinstance(one.error, NotByColumns)]
            tell_failures(self._workers.events, self._running, failures)
            for doubt in doubts_of(pull, failures):
                self._take_doubt(doubt)
            left = replicas.failed(failures)
            self._running.retried += len(left)
            left = sorted({*left, *again})


def _values_of(unit: UnitRows) -> Sequence[Row]:
    return unit.rows if unit.made is None else plain_rows(unit.made)


def _first_few(stream: Iterator[UnitRows], most: int) -> tuple[list[UnitRows], bool]:
    """The first units, and whether they are all there are, with no more rows than ``most``, which are values."""
    units, count = list[UnitRows](), 0
    for unit in stream:
        units.append(unit)
        count += unit.count
        if unit.filled is not None or count > most:
            return units, False
    return units, True


def _after_first(stream: Iterator[UnitRows], begin: Callable[[], None]) -> Iterator[UnitRows]:
    """The same; ``begin`` is called once, when the first has come, or there is none."""
    first = next(stream, None)
    begin()
    if first is not None:
        yield first
        yield from stream
