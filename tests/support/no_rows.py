"""A reader of input slices that are never read, for tests of what happens before."""

from __future__ import annotations

from collections.abc import Iterator

from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputBatch, InputSlice


class NoRows:
    """Has no rows of any slice."""

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        return iter(())

    def narrowed(self, table: Table, wanted: frozenset[str]) -> NoRows:
        return self
