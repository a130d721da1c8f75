"""Malformed input, case by case: one line with file, row or column, and remedy; nothing visible; right after the fix.

Input that is odd but sound (wrapped longitudes, orphans, empty files) is taken, and counted.
"""

from __future__ import annotations

import gzip
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.small_metadata import write_metadata_folder

from skyshard.basics.errors import UserError
from skyshard.db.connection import Account, connect
from skyshard.ingest.transaction.ingest_report import TableReport
from skyshard.ingest.transaction.ingest_run import Ingest
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
OBJECT = {
    "files": ["objects/*.csv*"], "role": "director", "key": "objectId", "position": ["ra", "dec"],
    "text": {"null_text": ""},
    "declare": [
        {"name": "objectId", "type": "bigint"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"},
        {"name": "flag", "type": "tinyint"}, {"name": "name", "type": "char(8)"},
    ],
}  # fmt: skip
SOURCE = {
    "files": ["sources/*.parquet"], "role": "dependent", "director": "Object", "key": "objectId",
    "declare": [
        {"name": "sourceId", "type": "bigint"}, {"name": "objectId", "type": "bigint"},
        {"name": "flux", "type": "float"},
    ],
}  # fmt: skip
HEADER = "objectId,ra,dec,flag,name\n"
ONE = HEADER + "".join(f"{i},{10 + i / 100},{-5.0},{i},n{i}\n" for i in range(20))
TWO = HEADER + "".join(f"{i},{10 + i / 100},{2.5},{i},n{i}\n" for i in range(20, 40))


def write(folder: Path, **tables: dict[str, Any]) -> Path:
    """The sound catalog."""
    (folder / "objects").mkdir(exist_ok=True)
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "objects" / "one.csv").write_text(ONE)
    (folder / "objects" / "two.csv.gz").write_bytes(gzip.compress(TWO.encode()))
    write_sources(folder, "a", range(20))
    write_sources(folder, "b", range(20, 40))
    write_mapping(folder, **tables)
    return folder


def write_sources(folder: Path, name: str, owners: Any, flux: Any = None) -> None:
    values = flux if flux is not None else pa.array([float(i) for i in owners])
    content = {"sourceId": pa.array([1000 + i for i in owners]), "objectId": pa.array(list(owners)), "flux": values}
    pq.write_table(pa.table(content), folder / "sources" / f"{name}.parquet")


def write_mapping(folder: Path, **tables: dict[str, Any]) -> None:
    content = {"version": 1, "database": "x", "striping": STRIPING, "tables": {"Object": OBJECT, "Source": SOURCE}}
    for name, changes in tables.items():
        content["tables"] = {**content["tables"], name: {**content["tables"][name], **changes}}  # type: ignore[dict-item, index]
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "objects" / "one.csv"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def truncate_gzip(folder: Path) -> None:
    path = folder / "objects" / "two.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])


def write_latin1(folder: Path) -> None:
    path = folder / "objects" / "one.csv"
    path.write_bytes(path.read_bytes().replace(b"n7\n", b"\xfcber\n"))


def add_orphan(folder: Path) -> None:
    write_sources(folder, "c", [7777])
    write_mapping(folder, Source={"orphans": "refuse"})


def break_parquet(folder: Path) -> None:
    (folder / "sources" / "b.parquet").write_bytes(b"PAR1 nothing PAR1")


def repeat_file(folder: Path) -> None:
    (folder / "sources" / "c.parquet").write_bytes((folder / "sources" / "a.parquet").read_bytes())


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated gzip": (truncate_gzip, "two.csv.gz' is a broken gzip file"),
    "wrong column count": (lambda f: edit(f, "n7\n", "n7,8\n"), "one.csv', row 8: 6 columns where the table has 5"),
    "text in a number": (lambda f: edit(f, ",7,n7", ",seven,n7"), "row 8, column 'flag': 'seven' is no whole number"),
    "integer out of range": (lambda f: edit(f, ",7,n7", ",700,n7"), "row 8, column 'flag': '700' is outside -128"),
    "over-long string": (lambda f: edit(f, "n7\n", "n77777777\n"), "row 8, column 'name': value of 9 bytes in char(8)"),
    "invalid UTF-8": (write_latin1, "row 8, column 'name': '\\xfcber' is no UTF-8"),
    "unknown column in mapping": (
        lambda f: write_mapping(f, Object={"columns": {"colour": {"from": "g"}}}), "no column 'colour'",
    ),
    "missing position": (lambda f: edit(f, "7,10.07,", "7,,"), "row 8: position (nan, -5) in columns 'ra' and 'dec'"),
    "dec 91": (lambda f: edit(f, "7,10.07,-5.0", "7,10.07,91"), "row 8: position (10.07, 91)"),
    "key twice in a file": (lambda f: edit(f, "\n7,10", "\n6,10"), "key 6 of director 'Object' occurs twice"),
    "key twice across files": (
        lambda f: edit(f, "\n7,10", "\n27,10"), "key 27 of director 'Object' occurs twice, in ",
    ),
    "orphan where refused": (
        add_orphan,
        "c.parquet', row 1: 'objectId' 7777 is no key of director 'Object'",
    ),
    "types in conflict": (
        lambda f: write_sources(f, "b", range(20, 40), pa.array(["bright"] * 20)),
        "column 'flux' is floating in",
    ),
    "broken Parquet": (
        break_parquet,
        "b.parquet' is no whole Parquet file",
    ),
    "file twice": (repeat_file, "c.parquet' and '"),
    "unsupported type": (
        lambda f: write_mapping(f, Source={"declare": [{"name": "shape", "type": "polygon"}]}),
        "unsupported column type 'polygon'",
    ),
    "missing input column": (
        lambda f: write_mapping(f, Source={"columns": {"flux": {"from": "psfFlux"}}}),
        "has no column 'psfFlux' for 'flux'",
    ),
}  # fmt: skip


@pytest.fixture
def database() -> str:
    return f"b{uuid.uuid4().hex[:10]}"


def assert_nothing_left(testbed: Testbed, database: str) -> None:
    for name in ("czar", *testbed.nodes):
        with connect(testbed.cluster.endpoint(name), Account.ADMIN) as connection:
            assert database not in [row[0] for row in connection.rows("SHOW DATABASES")]
        assert not (testbed.cluster.data_dir(name) / database).exists()
    assert testbed.registry.databases.state(database) is None
    assert not list((testbed.cluster.folder / "staging").glob(f"{database}*"))


def refused(testbed: Testbed, source: Path, database: str) -> str:
    with pytest.raises(UserError) as caught:
        testbed.ingest(source, database=database)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    assert_nothing_left(testbed, database)
    return message


def table_report(testbed: Testbed, source: Path, database: str, name: str) -> TableReport:
    report = testbed.ingest(source, database=database)
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    return next(table for table in report.tables if table.table == name)


@pytest.mark.parametrize("case", list(CASES))
def test_wrong_input_is_one_line_and_leaves_nothing(testbed: Testbed, tmp_path: Path, database: str, case: str) -> None:
    """The message names file, row or column; nothing is left; the mended source is ingested under the same name."""
    spoil, words = CASES[case]
    spoil(write(tmp_path))
    assert words in refused(testbed, tmp_path, database)
    for path in tmp_path.glob("sources/c.*"):
        path.unlink()
    assert table_report(testbed, write(tmp_path), database, "Object").rows == 40


def test_source_that_changes_after_planning_is_refused(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A file written again between plan and ingest is named; nothing is left; the next ingest takes it as it is."""
    plan = testbed.plan(write(tmp_path), database=database)
    edit(tmp_path, ",7,n7", ",8,n7")
    path = tmp_path / "objects" / "one.csv"
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
    with pytest.raises(UserError, match=r"one.csv' has changed since the ingest was planned"):
        Ingest(plan, testbed.wiring.site()).run()
    assert_nothing_left(testbed, database)
    table_report(testbed, tmp_path, database, "Object")


def test_longitudes_outside_the_circle_are_wrapped_and_counted(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """RA -1 and 360.0 find the chunks of 359 and 0; the stored values stay."""
    write(tmp_path)
    edit(tmp_path, "\n7,10.07,", "\n7,-1,")
    edit(tmp_path, "\n8,10.08,", "\n8,360.0,")
    report = table_report(testbed, tmp_path, database, "Object")
    assert report.conversions == {"ra: longitude wrapped into [0, 360) to find the chunk": 2}


def test_dependents_without_director_are_kept_and_counted(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """Unless the layout refuses them."""
    write_sources(write(tmp_path), "c", [7777, 8888])
    report = table_report(testbed, tmp_path, database, "Source")
    assert (report.rows, report.orphans) == (42, 2)


def test_empty_files_and_row_groups_are_no_rows(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """Text of a header alone or of nothing, Parquet without rows or with an empty row group, several of each."""
    write(tmp_path)
    for name, content in (("empty", ""), ("void", ""), ("header", HEADER), ("title", HEADER)):
        (tmp_path / "objects" / f"{name}.csv").write_text(content)
    for name in "de":
        write_sources(tmp_path, name, [], pa.array([], pa.float64()))
    rows = pq.read_table(tmp_path / "sources" / "a.parquet")
    with pq.ParquetWriter(tmp_path / "sources" / "a.parquet", rows.schema) as writer:
        for piece in (rows.slice(0, 0), rows, rows.slice(0, 0)):
            writer.write_table(piece)
    report = testbed.ingest(tmp_path, database=database)
    assert {table.table: table.rows for table in report.tables} == {"Object": 40, "Source": 40}
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def wrong_chunk(folder: Path) -> None:
    path = max((p for p in folder.glob("step1/chunk_*.txt") if "overlap" not in p.name), key=lambda p: p.stat().st_size)
    rows = path.read_text().split("\n")
    fields = rows[1].split(",")
    rows[1] = ",".join([*fields[:-2], "7", fields[-1]])
    path.write_text("\n".join(rows))


def overlap_of_a_dependent(folder: Path) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["tables"][0]["data"][0]["overlaps"] = [7140]
    (folder / "metadata.json").write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_chunk, "row 2: chunkId 7, subChunkId"),
        (overlap_of_a_dependent, "table 'Source' is no director but has overlap files"),
        (lambda folder: next(folder.glob("step2/*.txt")).unlink(), "which is missing"),
    ],
)
def test_wrong_prechunked_folder_leaves_nothing(
    testbed: Testbed, tmp_path: Path, database: str, spoil: Callable[[Path], None], words: str
) -> None:
    """A row in the wrong chunk, overlap where none can be, a file that is missing: named; right once mended."""
    folder = write_metadata_folder(tmp_path / "handed")
    spoil(folder)
    assert words in refused(testbed, folder, database)
    report = table_report(testbed, write_metadata_folder(folder), database, "Object")
    assert report.rows == 200
