"""Counts the pairs of a unit of chunks from positions: reads them from the node, compares, and asks about doubts.

Rules: the answer is the node's own. What numbers cannot decide for certain is computed by the node's server with the
statement's own expression; where there is too much of that, or a position is out of bounds, the unit is left to the
node as a whole. Memory is bounded by the rows of a unit, not by its pairs.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Integers, RowIndexes
from skyshard.czar.pairs.zone_join import OutOfBounds, Positions, pairs_within
from skyshard.czar.plan.chunk_template import ChunkText
from skyshard.czar.plan.pair_way import FIRST, JUDGED, SECOND, PairWay
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_results import TypedColumn, from_images, record_layout
from skyshard.czar.run.node_tables import CarriedTables, LeftRows, NodeTables, node_tables
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.scan_schedule import Unit
from skyshard.czar.sql.region_sql import number
from skyshard.rowimage.sqltype import parse_type

JUDGED_AT_ONCE, MOST_JUDGED = 500, 50_000
"""Doubtful pairs in one statement, and of one unit at most."""
JUDGE_MARKS = re.compile(f"({'|'.join(map(re.escape, JUDGED))})")
JUDGE_PLACES = {mark: place for place, mark in enumerate(JUDGED)}
COMPARISONS: Mapping[str, Callable[[Integers, Integers], Flags]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip


class TooDoubtful(ValueError):
    """So many pairs are doubtful that the node itself is as fast."""


@dataclass(frozen=True, slots=True)
class PairRows:
    """The rows of one side: positions, and whole numbers by their places in the order."""

    positions: Positions
    numbers: Mapping[int, Integers]


Pairs = tuple[RowIndexes, RowIndexes]
"""Rows of both sides, pair by pair."""


def order_of(order: PullOrder, way: PairWay) -> PullOrder:
    """What the nodes are asked for positions, in place of the pull's own statement."""
    kinds = {"g": "int", "s": "tinyint", "p0": "double", "p1": "double", "p2": "int"}
    kinds |= {f"k{index}": "bigint unsigned" if way.is_unsigned else "bigint" for index in range(way.numbers)}
    columns = tuple(TypedColumn(name, parse_type(kind)) for name, kind in kinds.items())
    layout = record_layout(columns)
    assert layout is not None
    text = ChunkText((), {}, {})
    return PullOrder(order.query, order.what, text, columns, None, layout.length, True, order.is_scan, order.is_short)


@dataclass(slots=True, eq=False)
class PairReader:
    """Counts the pairs of one pull's units, from any thread. ``numbers``: of scratch tables."""

    way: PairWay
    order: PullOrder
    running: Running
    workers: NodeWorkers
    numbers: Iterator[int]
    require_wanted: Callable[[], None]
    _tables: dict[tuple[str, int], NodeTables] = field(default_factory=dict)

    def statement(self, unit: Unit) -> str:
        """The statement that reads the positions of a unit."""
        selects = [select for chunk in unit.chunks for select in self.way.selects(chunk)]
        return selects[0] if len(selects) == 1 else " UNION ALL ".join(f"({select})" for select in selects)

    def count(self, node: str, thread: int, unit: Unit) -> int | None:
        """The number of pairs in a unit's chunks, None where the node is to count. Raises what the node raises."""
        try:
            near, far = self._sides(self._rows(node, thread, self.statement(unit)))
            return self._count(node, near, far)
        except (OutOfBounds, TooDoubtful):
            return None

    def close(self) -> None:
        """Drop the tables; a server that is gone is no error here."""
        self.workers.each(lambda tables: tables.close(), list(self._tables.values()))

    def _rows(self, node: str, thread: int, select: str) -> pa.Table:
        """The rows of both sides; the table that they were in is dropped, or used again."""
        worker = self.workers.by_name[node]
        if (node, thread) not in self._tables:
            self._tables[node, thread] = node_tables(worker, self.order, self.numbers, self.require_wanted)
        tables = self._tables[node, thread]
        images = tables.add(select, self.running.clock)
        if isinstance(tables, CarriedTables) and isinstance(images, LeftRows):
            images = tables.carried(images)
        layout = record_layout(self.order.columns)
        assert layout is not None
        batches = list(from_images(images, self.order.columns, layout)) if images.rows else []
        if images.done:
            worker.drop(self.order.query, [images.done])
        return pa.Table.from_batches(batches, pa.schema([(one.name, one.arrow) for one in self.order.columns]))

    def _sides(self, rows: pa.Table) -> tuple[PairRows, PairRows]:
        """Rows of both sides; a row with a NULL in what pairs are made by is in no pair."""
        near = {one for one, _, _ in self.way.compared}, FIRST
        far = {other for _, _, other in self.way.compared}, SECOND
        values = {name: _filled(rows.column(name)) for name in rows.column_names}
        group = (values["g"].astype(np.int64) << 32) + values["p2"]
        made = []
        for used, bit in (near, far):
            mine = values["s"] & bit != 0
            for name in ("p0", "p1", "p2", *(f"k{index}" for index in used)):
                if rows.column(name).null_count:
                    mine &= np.asarray(rows.column(name).is_valid())
            positions = Positions(values["p0"][mine], values["p1"][mine], group[mine])
            made.append(PairRows(positions, {index: values[f"k{index}"][mine] for index in used}))
        return made[0], made[1]

    def _count(self, node: str, near: PairRows, far: PairRows) -> int:
        count, doubts, waiting = 0, list[Pairs](), 0
        for block in pairs_within(near.positions, far.positions, self.way.limits):
            self.running.check()
            count += len(self._compared(near, far, block.sure())[0]) if self.way.compared else block.sure_count
            if block.is_doubtful is not None:
                doubts.append(self._compared(near, far, block.doubtful()))
                waiting += len(doubts[-1][0])
            if waiting > MOST_JUDGED:
                raise TooDoubtful
        if not waiting:
            return count
        one, other = (np.concatenate(side) for side in zip(*doubts, strict=True))
        return count + self._judged(node, near.positions, far.positions, (one, other))

    def _compared(self, near: PairRows, far: PairRows, pairs: Pairs) -> Pairs:
        """The pairs for which all comparisons of whole numbers hold."""
        one, other = pairs
        for mine, word, theirs in self.way.compared:
            holds = COMPARISONS[word](near.numbers[mine][one], far.numbers[theirs][other])
            one, other = one[holds], other[holds]
        return one, other

    def _judged(self, node: str, near: Positions, far: Positions, pairs: Pairs) -> int:
        """For how many doubtful pairs the node's server says that the separations are within their limits."""
        columns = near.ra[pairs[0]], near.dec[pairs[0]], far.ra[pairs[1]], far.dec[pairs[1]]
        rows = [tuple(map(number, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
        pieces = JUDGE_MARKS.split(self.way.judge)
        count = 0
        for start in range(0, len(rows), JUDGED_AT_ONCE):
            texts = (_judge_text(pieces, row) for row in rows[start : start + JUDGED_AT_ONCE])
            with self.workers.by_name[node].sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as session:
                self.require_wanted()
                count += sum(map(bool, session.rows(f"{self.running.clock}SELECT {', '.join(texts)}")[0]))
        return count


def _filled(column: pa.ChunkedArray) -> Any:
    return np.asarray(column.fill_null(0) if column.null_count else column)


def _judge_text(pieces: Sequence[str], row: Sequence[str]) -> str:
    """The condition with a pair's positions in place of the marks."""
    return "".join([row[JUDGE_PLACES[piece]] if piece in JUDGE_PLACES else piece for piece in pieces])
