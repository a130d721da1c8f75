"""Rows of ObsCore as a source that is ingested as any other: one Parquet file and a mapping, in a folder.

Rules: the folder is named for the bytes of the file, so the same rows are the same source; it is there whole or not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
import yaml

from skyshard.catalog.layout import Layout
from skyshard.catalog.obscore_columns import BOUNDS, INDEXES, OBSCORE_TABLE, obscore_columns
from skyshard.catalog.region_columns import SCISQL_SUFFIX
from skyshard.host.disk_space import writing

FILE, MAPPING = "obscore.parquet", "mapping.yaml"
_UNFINISHED = ".unfinished"


class ObservationFolder:
    """A folder that is being written; left with an error, it is gone."""

    def __init__(self, parent: Path, database: str, layout: Layout, edges: int) -> None:
        self._parent, self._database, self._layout, self._edges = parent, database, layout, edges
        self._folder = parent / f"{database}{_UNFINISHED}"
        self._schema = parquet_schema(edges)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> ObservationFolder:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._writer = pq.ParquetWriter(self._folder / FILE, self._schema, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows; a batch is a row group."""
        assert self._writer is not None
        with writing(self._folder / FILE):
            for batch in batches:
                if batch.num_rows:
                    table = pa.Table.from_batches([batch]).cast(self._schema)
                    self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def finish(self) -> Path:
        """Give the folder its name; returns its mapping file."""
        assert self._writer is not None
        self._writer.close()
        self._writer = None
        (self._folder / MAPPING).write_text(
            yaml.safe_dump(mapping_content(self._database, self._layout, self._edges), sort_keys=False)
        )
        made = self._parent / f"{self._database}-{_digest(self._folder)}"
        if not made.exists():
            self._folder.rename(made)
        return made / MAPPING


def parquet_schema(edges: int) -> pa.Schema:
    """The columns as the file has them: texts are texts."""
    fields = []
    for column in obscore_columns(edges):
        kind = column.type.arrow
        is_bytes = column.name == BOUNDS or column.name.endswith(SCISQL_SUFFIX)
        is_text = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        fields.append((column.name, pa.binary() if is_bytes else pa.string() if is_text else kind))
    return pa.schema(fields)


def mapping_content(database: str, layout: Layout, edges: int) -> dict[str, Any]:
    """The mapping of the file, for a cluster whose catalogs are of the family of ``layout``."""
    columns = [
        {"name": column.name, "type": column.type.text, "nullable": column.is_nullable}
        for column in obscore_columns(edges)
    ]
    indexes = [list(columns) for columns in INDEXES]
    table = {"files": [FILE], "role": "regular", "declare": columns, "indexes": indexes}
    striping = layout.striping.model_dump()
    return {"version": 1, "database": database, "striping": striping, "tables": {OBSCORE_TABLE: table}}


def _digest(folder: Path) -> str:
    hasher = xxhash.xxh3_64()
    for name in (FILE, MAPPING):
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 22):
                hasher.update(block)
    return hasher.hexdigest()
