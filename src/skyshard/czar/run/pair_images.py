"""The rows of both sides of near neighbours from column images, as a node's statement would give them.

Rules: only where neither side has conditions and each is one table, and every chunk of a unit has valid images of both
tables and of the overlap; else nothing, and the node is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.catalog.schema import SUB_CHUNK_COLUMN
from skyshard.cluster.node import Node
from skyshard.columns.node_columns import ChunkImage, read_images
from skyshard.czar.plan.chunk_template import Slot
from skyshard.czar.plan.pair_way import FIRST, SECOND, PairSide, PairWay
from skyshard.czar.run.column_images import ColumnImages, Images

READ_ERRORS = (OSError, ValueError, pa.ArrowException)
"""What a damaged or vanished image raises."""


@dataclass(frozen=True, slots=True)
class PairImages:
    """Reads the rows of one pull's pairs from the images of nodes on this host."""

    way: PairWay
    images: ColumnImages

    def rows(self, node: Node, chunks: Sequence[int], schema: pa.Schema) -> pa.Table | None:
        """The rows of some chunks with the columns of ``schema``; None where an image is missing.

        Raises:
            OSError, ValueError, ArrowException: an image cannot be read.
        """
        found = []
        for side, is_overlap, sides in self._wanted:
            images = self._images(node, side, chunks, is_overlap=is_overlap)
            if images is None:
                return None
            if images:
                found.append(_rows(images, side, sides, schema))
        return pa.concat_tables(found) if found else schema.empty_table()

    @property
    def _wanted(self) -> list[tuple[PairSide, bool, int]]:
        """What is read: the side, whether its overlap, and to which sides the rows belong."""
        way, far = self.way, self.way.far
        wanted = [(far, True, SECOND), (far, False, FIRST | SECOND if way.is_shared else SECOND)]
        return wanted if way.is_shared else [*wanted, (way.near, False, FIRST)]

    def covered(self, node: Node, chunks: Sequence[int]) -> set[int]:
        """The chunks of a node whose pairs are found by columns."""
        left = set(chunks)
        for side, is_overlap, _ in self._wanted:
            known, held = (
                self._known(node, side, is_overlap=is_overlap),
                _held(side.slots[0], chunks, is_overlap=is_overlap),
            )
            left -= {chunk for chunk in held if chunk not in known}
        return left

    def _images(
        self, node: Node, side: PairSide, chunks: Sequence[int], *, is_overlap: bool
    ) -> list[ChunkImage] | None:
        """The images of the chunks that have rows; None where one of these has none."""
        known, held = (
            self._known(node, side, is_overlap=is_overlap),
            _held(side.slots[0], chunks, is_overlap=is_overlap),
        )
        return [known[chunk] for chunk in held] if all(chunk in known for chunk in held) else None

    def _known(self, node: Node, side: PairSide, *, is_overlap: bool) -> Images:
        slot, names = side.slots[0], [*_names(side), SUB_CHUNK_COLUMN]
        return self.images.of(node, slot.database, slot.table, names, is_overlap=is_overlap)


def _held(slot: Slot, chunks: Sequence[int], *, is_overlap: bool) -> list[int]:
    """The chunks that have rows of a table, or of its overlap."""
    table = slot.table.chunks
    rows = table.overlap_rows_of(chunks) if is_overlap else table.rows_of(chunks)
    return [chunk for chunk, count in zip(chunks, rows.tolist(), strict=True) if count]


def _names(side: PairSide) -> list[str]:
    return list(dict.fromkeys(name for name in side.columns if name))


def _rows(images: Sequence[ChunkImage], side: PairSide, sides: int, schema: pa.Schema) -> pa.Table:
    """The rows of images, in their order."""
    read = pa.Table.from_batches(read_images(images, [*_names(side), SUB_CHUNK_COLUMN]))
    chunk = np.repeat([image.chunk for image in images], [image.rows for image in images])
    if len(chunk) != len(read):
        raise ValueError(f"images hold {len(read)} rows instead of {len(chunk)}")
    made = {"g": pa.array(chunk), "s": pa.array(np.full(len(chunk), sides)), "p2": read.column(SUB_CHUNK_COLUMN)}
    places = ["p0", "p1", *(f"k{index}" for index in range(len(side.columns) - 2))]
    for place, name in zip(places, side.columns, strict=True):
        made[place] = read.column(name) if name else pa.nulls(len(chunk), schema.field(place).type)
    return pa.table([made[name] for name in schema.names], names=schema.names).cast(schema)
