"""Reads chunks of one pull from column images, on this host: which chunks of a node have them, and what they give.

Rules: a chunk is read by columns when all tables of the pull have valid images of it there, or no row. What goes wrong
is ``NotByColumns``: the chunks are then read as rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from skyshard.cluster.node import Node
from skyshard.columns.node_columns import read_blocks
from skyshard.columns.segment_file import Block
from skyshard.czar.columns.column_way import ColumnWay, Limits, TableColumns
from skyshard.czar.columns.engine import Calls, compute, in_types
from skyshard.czar.columns.not_by_columns import NotByColumns
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.run.column_images import ColumnImages, Images
from skyshard.registry.catalog.published_catalog import CatalogTable


@dataclass(frozen=True, slots=True)
class ColumnRows:
    """What a unit gave, and the bytes of columns that were looked at for it."""

    table: pa.Table
    bytes: int


@dataclass(slots=True, eq=False)
class ColumnReader:
    """Of one pull; any thread may read. ``columns``: of the pull, with MariaDB's types."""

    pull: Pull
    way: ColumnWay
    columns: Sequence[TypedColumn]
    images: ColumnImages
    calls: Calls = field(default_factory=Calls)
    _found: dict[tuple[str, int], Images] = field(default_factory=dict)

    def covered(self, node: Node, chunks: Sequence[int]) -> frozenset[int]:
        """The chunks of a node that can be read by columns."""
        listed, held = tuple(chunks), list[frozenset[int]]()
        for part in self.way.tables:
            slot = self.pull.template.slots[part.slot]
            found = self.images.of(node, slot.database, slot.table, part.names)
            self._found[node.name, part.slot] = found
            held.append(found.readable(listed, slot.table.chunks))
        return held[0] if len(held) == 1 else frozenset(listed).intersection(*held)

    def read(self, node: str, chunks: tuple[int, ...]) -> ColumnRows:
        """The rows, or partial rows, of chunks that are covered.

        Raises:
            NotByColumns: an image cannot be read, or the engine does not compute it as MariaDB does.
        """
        try:
            read = {part.slot: self._blocks(node, part, chunks) for part in self.way.tables}
            tables = {part.slot: self._table(part, read[part.slot]) for part in self.way.tables}
        except (OSError, ValueError, pa.ArrowException) as error:
            raise NotByColumns(f"columns of {node}: {error}") from error
        found = compute(self.way, tables, self.calls)
        names = [column.name for column in self.columns]
        made = in_types(found, names, [column.arrow for column in self.columns])
        return ColumnRows(made, sum(block.size for blocks in read.values() for block in blocks))

    def _blocks(self, node: str, part: TableColumns, chunks: tuple[int, ...]) -> list[Block]:
        runs = self._found[node, part.slot].runs(chunks)
        return list(read_blocks(runs, part.names, _merged(part.limits)))

    def _table(self, part: TableColumns, blocks: Sequence[Block]) -> pa.Table:
        schema = _schema(self.pull.template.slots[part.slot].table, part.names)
        return pa.Table.from_batches([block.batch for block in blocks], schema=schema)


def _merged(limits: Sequence[Limits]) -> dict[str, tuple[float | None, float | None]]:
    """The tightest limits of each column.

    >>> _merged([("a", 1.0, None), ("a", None, 9.0), ("a", 3.0, None)])
    {'a': (3.0, 9.0)}
    """
    made: dict[str, tuple[float | None, float | None]] = {}
    for name, low, high in limits:
        before = made.get(name, (None, None))
        lows = [one for one in (low, before[0]) if one is not None]
        highs = [one for one in (high, before[1]) if one is not None]
        made[name] = (max(lows, default=None), min(highs, default=None))
    return made


def _schema(table: CatalogTable, names: Sequence[str]) -> pa.Schema:
    wanted = frozenset(names)
    kinds = {column.name: column.type.arrow for column in table.table.columns if column.name in wanted}
    return pa.schema([(name, kinds[name]) for name in names])
