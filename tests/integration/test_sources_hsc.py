"""HSC by its shipped mapping, every column of the schema: Object (1,038), Source, Visit and VisitDetector."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.schema_parquet import expected, make_rows, write_rows

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.schema import Table
from skyshard.chunking import Chunker
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

ROWS = {"Object": 300, "Source": 400, "Visit": 5, "VisitDetector": 40}


def hsc_table(name: str) -> Table:
    return next(item.table for item in read_schema("hsc") if item.table.name == name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several files a table: tracts, visits, and a visit without rows."""
    folder = tmp_path_factory.mktemp("hsc")
    for name, rows in ROWS.items():
        content = make_rows(hsc_table(name), rows, seed=len(name), keys=keys(name, rows))
        half = rows // 2
        for number, piece in enumerate((content.slice(0, half), content.slice(half), content.slice(0, 0))):
            write_rows(folder / name / f"visit={number}" / "part.parquet", piece, row_group_rows=100)
    (folder / "mapping.yaml").write_text("version: 1\nextends: hsc\nlayout: kpm-85-12\n")
    return folder


@pytest.fixture
def database() -> str:
    return f"h{uuid.uuid4().hex[:10]}"


def keys(name: str, rows: int) -> dict[str, pa.Array]:
    numbers = pa.array(9_000_000_000 + np.arange(rows, dtype=np.int64) * 7)
    return {{"Object": "objectId", "Source": "sourceId"}.get(name, "visitId"): numbers,
            "detector": pa.array(np.arange(rows, dtype=np.int16))}  # fmt: skip


def wanted(name: str) -> RowDigest:
    """The digest of a table's rows as the input files have them, chunk numbers by position."""
    table = hsc_table(name)
    content = make_rows(table, ROWS[name], seed=len(name), keys=keys(name, ROWS[name]))
    arrays = [pa.array(expected(content.column(c.name).combine_chunks(), c), c.type.arrow) for c in table]
    stored: Table = table
    if name in ("Object", "Source"):
        stored = table.with_chunk_columns()
        ra, dec = (content.column(column).to_numpy() for column in ("coord_ra", "coord_dec"))
        chunks, sub_chunks = Chunker(85, 12, 0.01667).locate(ra, dec)
        arrays += [pa.array(chunks), pa.array(sub_chunks)]
    return digest(pa.RecordBatch.from_arrays(arrays, names=stored.column_names), stored.columns)


def test_hsc_holds_the_values_of_its_files(testbed: Testbed, folder: Path, database: str) -> None:
    """Every table's digest on the nodes is that of the input, NaN and infinities NULL; everything verifies."""
    report = testbed.ingest(folder, database=database)
    for name in ROWS:
        own = {r.chunk: r.digest for r in testbed.registry.replicas.all(database, name) if not r.is_overlap}
        assert sum(map(RowDigest.parse, own.values()), RowDigest()) == wanted(name), name
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    conversions = next(table for table in report.tables if table.table == "Object").conversions
    assert conversions["g_psfFlux: NaN or infinity → NULL"] > 0
    assert conversions["detect_isPrimary: true, false → 1, 0"] > 200


def test_wrong_file_among_good_ones_leaves_nothing(testbed: Testbed, folder: Path, database: str) -> None:
    """A text column where the schema has a number is named with its file, and nothing stays."""
    content = make_rows(hsc_table("Visit"), 5, seed=1)
    wrong = content.set_column(content.schema.names.index("airmass"), "airmass", pa.array(["thin"] * 5))
    path = write_rows(folder / "Visit" / "wrong.parquet", wrong)
    try:
        with pytest.raises(UserError) as caught:
            testbed.ingest(folder, database=database, tables=["Visit"])
    finally:
        path.unlink()
    assert "column 'airmass' is floating in" in str(caught.value)
    assert testbed.registry.databases.state(database) is None
