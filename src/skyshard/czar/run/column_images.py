"""Column images of the nodes whose files this host sees, as a czar keeps them in mind.

Rules: what is kept serves as long as catalog and files are the same. A table without files costs a look at its folder.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skyshard.cluster.node import Node
from skyshard.columns.node_columns import ChunkImage, NodeColumns, NodeParts, Run, runs_of
from skyshard.columns.segment_folder import FileVersion, SegmentFolder
from skyshard.czar.run.column_source import FindReplicas
from skyshard.registry.catalog.chunk_entries import ChunkEntries
from skyshard.registry.catalog.published_catalog import CatalogTable

KEPT_UNITS = 8
"""Of so many lists of a table's chunks it is kept which can be read, and where: the next scan asks for the same."""


class Images(dict[int, ChunkImage]):
    """Chunk → its image; any thread may read."""

    def __init__(self, images: Mapping[int, ChunkImage]) -> None:
        super().__init__(images)
        self._runs: dict[tuple[int, ...], list[Run]] = {}
        self._readable: dict[tuple[int, ...], frozenset[int]] = {}

    def readable(self, chunks: tuple[int, ...], table: ChunkEntries) -> frozenset[int]:
        """The chunks that have an image, and those that the table has not, where it has any images here.

        ``table``: the chunks that the images were found for, the same at each call.
        """
        found = self._readable.get(chunks)
        if found is None:
            left = frozenset(chunks)
            if not self.keys() >= left:
                left = frozenset(chunk for chunk in chunks if self and (chunk in self or chunk not in table))
            _make_room(self._readable)
            self._readable[chunks] = found = left
        return found

    def runs(self, chunks: tuple[int, ...]) -> list[Run]:
        """Where the rows of these chunks are, of those that have an image."""
        found = self._runs.get(chunks)
        if found is None:
            found = list(runs_of([self[chunk] for chunk in chunks if chunk in self]))
            _make_room(self._runs)
            self._runs[chunks] = found
        return found


def _make_room(by_chunks: dict[tuple[int, ...], Any]) -> None:
    if len(by_chunks) >= KEPT_UNITS:
        by_chunks.clear()


NO_IMAGES = Images({})
_Files = frozenset[FileVersion]


@dataclass(slots=True)
class _Kept:
    entries: ChunkEntries
    files: _Files
    columns: NodeColumns
    found: dict[tuple[str | bool, ...], Images] = field(default_factory=dict)


class ColumnImages:
    """Answers which chunks of a table a node has images of; any thread may ask."""

    def __init__(self, replicas: FindReplicas) -> None:
        self._replicas = replicas
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._lock = threading.Lock()

    def of(
        self, node: Node, database: str, table: CatalogTable, names: Sequence[str], *, is_overlap: bool = False
    ) -> Images:
        """Chunk → its image, of the chunks of a table, or of its overlap, that have a valid one of these columns."""
        if not node.is_here:
            return NO_IMAGES
        name = table.table.name
        files = _files_of(node, database, name)
        if not files:
            return NO_IMAGES
        with self._lock:
            kept = self._kept.get((node.name, database, name))
        if kept is None or kept.entries is not table.chunks or kept.files != files:
            parts = NodeParts.of(self._replicas(database, name), node.name, name)
            kept = _Kept(table.chunks, files, NodeColumns(node.data, database, table.table, parts))
            with self._lock:
                self._kept[node.name, database, name] = kept
        listed = sorted(names)
        key: tuple[str | bool, ...] = (is_overlap, *listed)
        if key not in kept.found:
            kept.found[key] = Images(kept.columns.chunks(table.chunks.columns, listed, is_overlap=is_overlap))
        return kept.found[key]


def _files_of(node: Node, database: str, table: str) -> _Files:
    return frozenset(SegmentFolder.of(node.data, database).versions(table))
