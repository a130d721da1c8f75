"""What a plan is expected to read, move and take: orders of magnitude, for people who decide whether to run it.

Rules: rows and bytes come from the registry; times from the rates below, which were measured on one server of two
cores with tables in memory. A disk, other queries and joins make it slower. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skyshard.catalog.schema import Column
from skyshard.czar.plan.chunk_template import Slot
from skyshard.czar.plan.query_plan import Lane, Pull, QueryPlan
from skyshard.rowimage.sqltype import SqlType

_TYPE_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8, "float": 4, "double": 8}
_BLOB_BYTES = 256

STATEMENT_S = 0.002
"""Of any statement, whatever it reads."""
CHUNK_S = 0.00005
SCAN_BYTES_PER_S = 400e6
"""Of each node's chunk tables."""
MOVED_BYTES_PER_S = 50e6
"""Brought to the czar and into a table there."""
PAIR_FACTOR = 20
"""A row whose neighbours are sought takes the time of so many that are only read."""


@dataclass(frozen=True, slots=True)
class Costs:
    """``bytes_moved``: to the czar, at most; of a plan that is answered chunk by chunk it is not known beforehand."""

    rows_read: int
    bytes_read: int
    bytes_moved: int | None
    elapsed_s: float


def costs_of(plan: QueryPlan) -> Costs:
    """What a plan is expected to cost.

    A plan without chunks costs one statement.
    """
    read = sum(_bytes_read(pull) for pull in plan.pulls)
    moved = [pull.rows * row_bytes(pull.columns) for pull in plan.pulls if pull.columns]
    nodes = max((_nodes(pull) for pull in plan.pulls), default=1)
    scanned = read / (SCAN_BYTES_PER_S * (nodes if plan.lane is Lane.SCAN else 1))
    pairs = any(slot.overlap_columns is not None for pull in plan.pulls for slot in pull.template.slots.values())
    chunks = sum(len(pull.chunks or ()) for pull in plan.pulls)
    elapsed = STATEMENT_S + chunks * CHUNK_S / nodes + scanned * (PAIR_FACTOR if pairs else 1)
    elapsed += sum(moved) / MOVED_BYTES_PER_S
    rows = sum(pull.rows_read for pull in plan.pulls)
    return Costs(rows, read, sum(moved) if moved else None, float(f"{elapsed:.2g}"))


def width_of(kind: SqlType) -> int:
    """Bytes of a value, about."""
    if kind.is_blob:
        return _BLOB_BYTES
    return _TYPE_BYTES.get(kind.base, 8 if not kind.arguments else max(kind.length, 1))


def row_bytes(columns: Sequence[Column]) -> int:
    """Bytes of a row, about."""
    return sum(width_of(column.type) for column in columns) + 1


def _bytes_read(pull: Pull) -> int:
    """Of the chunk tables; a share of it where only a few keys are looked up."""
    chunked = [slot for slot in pull.template.slots.values() if slot.table.layout.role.is_chunked]
    if pull.chunks is None or not chunked:
        return pull.rows * max(
            (row_bytes(slot.table.table.columns) for slot in pull.template.slots.values()), default=0
        )
    rows = [int(slot.table.chunks.rows_of(pull.chunks).sum()) for slot in chunked]
    share = min(1.0, pull.rows_read / max(max(rows), 1))
    return int(share * sum(_table_bytes(slot, pull.chunks) for slot in chunked))


def _table_bytes(slot: Slot, chunks: tuple[int, ...]) -> int:
    rows = int(slot.table.chunks.rows_of(chunks).sum())
    if slot.overlap_columns is not None:
        rows += int(slot.table.chunks.overlap_rows_of(chunks).sum())
    return row_bytes(slot.table.table.columns) * rows


def _nodes(pull: Pull) -> int:
    found = {
        node
        for slot in pull.template.slots.values()
        for nodes in set(slot.table.chunks.nodes_of(pull.chunks or ()))
        for node in nodes or ()
    }
    return max(1, len(found))
