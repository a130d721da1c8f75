"""Data Previews by their shipped mappings, on real nodes: every table, every column of the schema."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.support.schema_parquet import expected, make_rows, write_rows

from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import Table
from skyshard.chunking import Chunker
from skyshard.host.shipped_data import data_folder
from skyshard.ingest.sources.mapping import MappedTable, read_mapping
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

ROWS = 60
KEYS = np.arange(ROWS, dtype=np.int64) * 7 + 9_000_000_000


@pytest.mark.parametrize("name", ["dp1", "dp02"])
def test_every_table_holds_the_values_of_its_files(testbed: Testbed, tmp_path: Path, name: str) -> None:
    """Digests on the nodes are those of the input, chunk numbers those of positions and directors; all verifies."""
    mapping = read_mapping(data_folder("ingest", "mappings") / f"{name}.yaml")
    schema = {item.table.name: item.table for item in read_schema(mapping.catalog)}
    content = {table: rows_of(schema[table], mapped) for table, mapped in mapping.tables.items()}
    for table, rows in content.items():
        for number, piece in enumerate((rows.slice(0, 25), rows.slice(25))):
            write_rows(tmp_path / table / f"part{number}.parquet", piece, row_group_rows=20)
    (tmp_path / "mapping.yaml").write_text(f"version: 1\nextends: {name}\n")
    testbed.ingest(tmp_path, database=name)
    for table, mapped in mapping.tables.items():
        own = {r.chunk: r.digest for r in testbed.registry.replicas.all(name, table) if not r.is_overlap}
        placed = places(mapped, content[mapped.director or table], mapping.tables.get(mapped.director, mapped))
        found = sum(map(RowDigest.parse, own.values()), RowDigest())
        assert found == wanted(schema[table], content[table], placed), table
    assert [check for check in testbed.verify(name) if not check.is_good] == []


def rows_of(table: Table, mapped: MappedTable) -> pa.Table:
    """Random rows; row i of a dependent belongs to row i of its director, and primary keys are unique."""
    given = {column: unique(table, column) for column in (mapped.primary_key or [])}
    if mapped.key:
        given[mapped.key] = pa.array(KEYS)
    return make_rows(table, ROWS, seed=len(table.name), keys=given)


def unique(table: Table, column: str) -> pa.Array:
    arrow = table.column(column).type.arrow
    if pa.types.is_integer(arrow):
        return pa.array(np.arange(ROWS)).cast(arrow)
    return pa.array([f"k{number}" for number in range(ROWS)])


def places(mapped: MappedTable, director: pa.Table, by: MappedTable) -> list[NDArray[np.int32]]:
    """Chunk and sub-chunk of each row: those of its director; nothing for a regular table."""
    if mapped.role is Role.REGULAR:
        return []
    assert by.position is not None
    ra, dec = (director.column(column).to_numpy() for column in by.position)
    return list(Chunker(340, 3, 0.01667).locate(ra, dec))


def wanted(table: Table, content: pa.Table, placed: list[NDArray[np.int32]]) -> RowDigest:
    """The digest of the rows as a table must hold them."""
    arrays = [pa.array(expected(content.column(c.name).combine_chunks(), c), c.type.arrow) for c in table]
    stored = table.with_chunk_columns() if placed else table
    batch = pa.RecordBatch.from_arrays([*arrays, *map(pa.array, placed)], names=stored.column_names)
    return digest(batch, stored.columns)
