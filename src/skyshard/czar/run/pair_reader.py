"""Finds the pairs of a unit of chunks from positions: reads them from the node, compares, and asks about doubts.

Rules: the answer is the node's own. What numbers cannot decide for certain is computed by the node's server with the
statement's own expression. Where there is too much of that, a position is out of bounds, or rows of pairs are so many
that memory should not hold them, the unit is left to the node as a whole. A count needs memory for the rows of a unit,
not for its pairs. Separations are given where the server computes those of some pairs to the same bits.
"""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.czar.pairs.server_separation import server_separations
from skyshard.czar.pairs.zone_join import OutOfBounds, PairBlock, Positions, pairs_within
from skyshard.czar.plan.chunk_template import ChunkText
from skyshard.czar.plan.pair_way import FIRST, JUDGED, SECOND, Output, PairWay
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_results import TypedColumn, from_images, record_layout
from skyshard.czar.run.node_tables import CarriedTables, LeftRows, NodeTables, node_tables
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.pair_images import READ_ERRORS, PairImages
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.scan_schedule import Unit
from skyshard.czar.sql.region_sql import number
from skyshard.rowimage.sqltype import parse_type

JUDGED_AT_ONCE, MOST_JUDGED = 500, 50_000
"""Doubtful pairs in one statement, and of one unit at most."""
MOST_PAIRS = 8_000_000
"""So many pairs of a unit are held as rows."""
TRIED = 500
"""So many separations are compared with the server's."""
Places = tuple[Floats, Floats, Floats, Floats]
"""Right ascension and declination of one side and of the other, pair by pair."""
JUDGE_MARKS = re.compile(f"({'|'.join(map(re.escape, JUDGED))})")
JUDGE_PLACES = {mark: place for place, mark in enumerate(JUDGED)}
COMPARISONS: Mapping[str, Callable[[Integers, Integers], Flags]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip


class LeftToNode(Exception):
    """The node finds the pairs of a unit: too many are doubtful, too many there for memory, or not as it computes."""


@dataclass(frozen=True, slots=True)
class PairRows:
    """The rows of one side: positions, all that came with them, and the columns that are compared."""

    positions: Positions
    rows: pa.Table
    numbers: Mapping[int, Integers]

    def output(self, column: int, places: RowIndexes) -> pa.ChunkedArray:
        """A column of some rows, in their order."""
        return self.rows.column(f"k{column}").take(pa.array(places))


Pairs = tuple[RowIndexes, RowIndexes]
"""Rows of both sides, pair by pair."""


def order_of(order: PullOrder, way: PairWay) -> PullOrder:
    """What the nodes are asked for positions, in place of the pull's own statement."""
    kinds = {"g": "int", "s": "tinyint", "p0": "double", "p1": "double", "p2": "int"}
    kinds |= {f"k{index}": kind for index, kind in enumerate(way.kinds)}
    columns = tuple(TypedColumn(name, parse_type(kind)) for name, kind in kinds.items())
    layout = record_layout(columns)
    assert layout is not None
    text = ChunkText((), {}, {})
    return PullOrder(order.query, order.what, text, columns, None, layout.length, True, order.is_scan, order.is_short)


@dataclass(slots=True, eq=False)
class PairReader:
    """Finds the pairs of one pull's units, from any thread. ``numbers``: of scratch tables."""

    way: PairWay
    order: PullOrder
    running: Running
    workers: NodeWorkers
    numbers: Iterator[int]
    require_wanted: Callable[[], None]
    images: PairImages | None = None
    _tables: dict[tuple[str, int], NodeTables] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_same: dict[str, bool] = field(default_factory=dict)
    """Node → whether its server computes separations to the same bits."""

    def statement(self, unit: Unit) -> str:
        """The statement that reads the positions of a unit."""
        selects = [select for chunk in unit.chunks for select in self.way.selects(chunk)]
        return selects[0] if len(selects) == 1 else " UNION ALL ".join(f"({select})" for select in selects)

    def count(self, node: str, thread: int, unit: Unit) -> int | None:
        """The number of pairs in a unit's chunks, None where the node is to count. Raises what the node raises."""
        try:
            near, far = self._sides(self._rows(node, thread, unit))
            return self._count(node, near, far)
        except (OutOfBounds, LeftToNode):
            return None

    def rows(self, node: str, thread: int, unit: Unit, columns: Sequence[TypedColumn]) -> pa.Table | None:
        """The rows of a unit's pairs, None where the node is to find them. Raises what the node raises."""
        try:
            near, far = self._sides(self._rows(node, thread, unit))
            pairs = self._pairs(node, near, far)
            made = [self._output(node, near, far, pairs, output) for output in self.way.outputs]
        except (OutOfBounds, LeftToNode):
            return None
        arrays = [array.cast(column.arrow) for array, column in zip(made, columns, strict=True)]
        return pa.table(arrays, schema=pa.schema([(column.name, column.arrow) for column in columns]))

    def close(self) -> None:
        """Drop the tables; a server that is gone is no error here."""
        self.workers.each(lambda tables: tables.close(), list(self._tables.values()))

    def _rows(self, node: str, thread: int, unit: Unit) -> pa.Table:
        """The rows of both sides, from column images or from the node."""
        schema = pa.schema([(one.name, one.arrow) for one in self.order.columns])
        found = self._imaged(node, unit, schema)
        return self._asked_for(node, thread, self.statement(unit), schema) if found is None else found

    def _imaged(self, node: str, unit: Unit, schema: pa.Schema) -> pa.Table | None:
        """The rows of both sides from column images; None where not all are there, or one is damaged."""
        if self.images is None:
            return None
        try:
            found = self.images.rows(self.workers.by_name[node].node, unit.chunks, schema)
        except READ_ERRORS as error:
            self.running.not_by_columns[f"columns of {node}: {error}"] = None
            return None
        if found is not None:
            with self._lock:
                self.running.column_chunks += len(unit.chunks)
                self.running.column_bytes += found.nbytes
        return found

    def _asked_for(self, node: str, thread: int, select: str, schema: pa.Schema) -> pa.Table:
        """The rows that a node gives; the table that they were in is dropped, or used again."""
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
        return pa.Table.from_batches(batches, schema)

    def _sides(self, rows: pa.Table) -> tuple[PairRows, PairRows]:
        """Rows of both sides; a row with a NULL in what pairs are made by is in no pair."""
        near = _side(rows, FIRST, {one for one, _, _ in self.way.compared})
        return near, _side(rows, SECOND, {other for _, _, other in self.way.compared})

    def _count(self, node: str, near: PairRows, far: PairRows) -> int:
        count, doubts = 0, list[Pairs]()
        for block in pairs_within(near.positions, far.positions, self.way.limits):
            self.running.check()
            count += len(self._compared(near, far, block.sure())[0]) if self.way.compared else block.sure_count
            self._add_doubts(doubts, near, far, block)
        return count + len(self._judged(node, near, far, doubts)[0])

    def _pairs(self, node: str, near: PairRows, far: PairRows) -> Pairs:
        found, doubts, count = list[Pairs](), list[Pairs](), 0
        for block in pairs_within(near.positions, far.positions, self.way.limits):
            self.running.check()
            found.append(self._compared(near, far, block.sure()))
            self._add_doubts(doubts, near, far, block)
            count += len(found[-1][0])
            if count > MOST_PAIRS:
                raise LeftToNode
        return _joined([*found, self._judged(node, near, far, doubts)])

    def _add_doubts(self, doubts: list[Pairs], near: PairRows, far: PairRows, block: PairBlock) -> None:
        if block.is_doubtful is not None:
            doubts.append(self._compared(near, far, block.doubtful()))
            if sum(len(one) for one, _ in doubts) > MOST_JUDGED:
                raise LeftToNode

    def _compared(self, near: PairRows, far: PairRows, pairs: Pairs) -> Pairs:
        """The pairs for which all comparisons of whole numbers hold."""
        one, other = pairs
        for mine, word, theirs in self.way.compared:
            holds = COMPARISONS[word](near.numbers[mine][one], far.numbers[theirs][other])
            one, other = one[holds], other[holds]
        return one, other

    def _judged(self, node: str, near: PairRows, far: PairRows, doubts: Sequence[Pairs]) -> Pairs:
        """The doubtful pairs whose separations are within their limits as the node's server computes them."""
        pairs = _joined(doubts)
        if not len(pairs[0]):
            return pairs
        holds = np.array(self._asked(node, self.way.judge, _places(near, far, pairs)), np.bool_)
        return pairs[0][holds], pairs[1][holds]

    def _output(self, node: str, near: PairRows, far: PairRows, pairs: Pairs, output: Output) -> Any:
        """One column of the pairs' rows."""
        side, column = output
        if side == FIRST:
            return near.output(column, pairs[0])
        if side == SECOND:
            return far.output(column, pairs[1])
        separations = server_separations(*_places(near, far, pairs))
        if node not in self._is_same:
            self._is_same[node] = self._computes(node, _places(near, far, (pairs[0][:TRIED], pairs[1][:TRIED])))
        if not self._is_same[node]:
            raise LeftToNode
        return separations

    def _computes(self, node: str, places: Places) -> bool:
        """Whether a server on this host gives the same separations of some pairs."""
        if self.workers.by_name[node].carrier is not None:
            return False
        return bool(self._asked(node, self.way.separation, places) == server_separations(*places).to_pylist())

    def _asked(self, node: str, text: str, places: Places) -> list[Any]:
        """An expression about pairs, as the node's server computes it."""
        rows = [tuple(map(number, row)) for row in zip(*(column.tolist() for column in places), strict=True)]
        pieces, found = JUDGE_MARKS.split(text), list[Any]()
        for start in range(0, len(rows), JUDGED_AT_ONCE):
            texts = (_judge_text(pieces, row) for row in rows[start : start + JUDGED_AT_ONCE])
            with self.workers.by_name[node].sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as session:
                self.require_wanted()
                found += session.rows(f"{self.running.clock}SELECT {', '.join(texts)}")[0]
        return found


def _side(rows: pa.Table, bit: int, used: Collection[int]) -> PairRows:
    """The rows of one side that may be in pairs."""
    is_mine = np.asarray(rows.column("s")) & bit != 0
    for name in ("p0", "p1", "p2", *(f"k{index}" for index in used)):
        if rows.column(name).null_count:
            is_mine &= np.asarray(rows.column(name).is_valid())
    mine = rows if is_mine.all() else rows.filter(pa.array(is_mine))
    ra, dec, chunk, sub = (np.asarray(mine.column(name)) for name in ("p0", "p1", "g", "p2"))
    numbers = {index: np.asarray(mine.column(f"k{index}")) for index in used}
    return PairRows(Positions(ra, dec, (chunk.astype(np.int64) << 32) + sub), mine, numbers)


def _joined(pairs: Sequence[Pairs]) -> Pairs:
    if not pairs:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    one, other = zip(*pairs, strict=True)
    return np.concatenate(one), np.concatenate(other)


def _places(near: PairRows, far: PairRows, pairs: Pairs) -> Places:
    """The positions of both sides, pair by pair."""
    one, other = near.positions, far.positions
    return one.ra[pairs[0]], one.dec[pairs[0]], other.ra[pairs[1]], other.dec[pairs[1]]


def _judge_text(pieces: Sequence[str], row: Sequence[str]) -> str:
    """The condition with a pair's positions in place of the marks."""
    return "".join([row[JUDGE_PLACES[piece]] if piece in JUDGE_PLACES else piece for piece in pieces])
