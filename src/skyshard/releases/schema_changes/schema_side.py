"""One side of a comparison of schemas: tables with columns, and rows to look at where it has any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.schema import Column, Table
from skyshard.ingest.source import SourceTable
from skyshard.rowimage.sqltype import TypeClass

RowsOf = Callable[[Sequence[str], "pa.Array | None"], "pa.Table | None"]
"""Some rows of the named columns, or those with keys of the array; the first column is the key."""
SAMPLE_ROWS = 1_000
_MOST_READ = 4_000_000


@dataclass(frozen=True, slots=True)
class SideTable:
    """A table of a side; ``rows`` is None where the side describes columns only."""

    table: Table
    key: str = ""
    """The column of whole numbers that identifies a row; empty where none is known."""
    rows: RowsOf | None = None


@dataclass(frozen=True, slots=True)
class SchemaSide:
    """What a name stands for."""

    what: str
    """Kind and name, in words."""
    tables: Mapping[str, SideTable]
    is_declared: bool
    """True where the side says which columns may be NULL; files do not."""
    is_whole: bool = True
    """False where it is some files of a catalog, so that tables of the other side that it has not mean nothing."""


def side_of_source(what: str, tables: Mapping[str, SourceTable], *, is_whole: bool = True) -> SchemaSide:
    """Files by a mapping, or by any of the other layouts."""
    sides = {name: SideTable(table.table, _key(table), _FileRows(table).rows) for name, table in tables.items()}
    return SchemaSide(
        what, sides, is_declared=not any(table.is_inferred for table in tables.values()), is_whole=is_whole
    )


def side_of_database(what: str, tables: Mapping[str, SideTable]) -> SchemaSide:
    """A database of the cluster."""
    return SchemaSide(what, tables, is_declared=True)


def _key(table: SourceTable) -> str:
    """A director's key, else a primary key of one column; nothing where it does not hold whole numbers."""
    names = [table.layout.key] if not table.layout.director and table.layout.key else table.table.primary_key
    column = table.table.find(names[0]) if len(names) == 1 else None  # none: the beginning of a text
    return column.name if column is not None and column.type.type_class is TypeClass.INTEGER else ""


@dataclass(frozen=True, slots=True)
class _FileRows:
    """Reads rows of a table's files."""

    source: SourceTable

    def rows(self, columns: Sequence[str], keys: pa.Array | None) -> pa.Table | None:
        """Some rows from each of the files, or those with the given keys, as far as a bound of rows read."""
        wanted = [column for name in columns if (column := self.source.table.find(name)) is not None]
        narrow = replace(self.source.table, columns=self._in_order(wanted), primary_key=())
        reader = self.source.reader.narrowed(self.source.table, frozenset(narrow.column_names))
        layout = self.source.layout.model_copy(update={"key": "", "position": None})
        found: list[pa.RecordBatch] = []
        each = max(1, SAMPLE_ROWS // max(1, len(self.source.slices)))
        read = 0
        for piece in self.source.slices:
            taken = 0
            for batch in reader.batches(piece, narrow, layout):
                read += batch.batch.num_rows
                chosen = (
                    batch.batch.slice(0, each - taken) if keys is None else _with_keys(batch.batch, columns[0], keys)
                )
                found.append(chosen)
                taken += chosen.num_rows
                if keys is None and taken >= each:
                    break
            if read > _MOST_READ:
                break
        return pa.Table.from_batches(found).select(columns) if found else None

    def _in_order(self, wanted: Sequence[Column]) -> tuple[Column, ...]:
        names = {column.name for column in wanted}
        return tuple(column for column in self.source.table if column.name in names)


def _with_keys(batch: pa.RecordBatch, key: str, keys: pa.Array) -> pa.RecordBatch:
    column = batch.column(batch.schema.get_field_index(key))
    return batch.filter(pc.is_in(column.cast(pa.int64(), safe=False), value_set=keys))
