"""Delimited text through the whole ingest, by both loaders, against what LOAD DATA makes of the same file."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
import yaml
from tests.support.same_answer import rows_in
from tests.support.small_metadata import edit_json, write_metadata_folder

from skyshard.db.connection import Account, connect, quote_text
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

CSV = (
    b'1,5\' 6" tall,x"y"z\n2,6\' 1" tall,"say ""hi"""\n3,a""b,""""\n4,"two\r\nlines","one\nmore, and more"\n'
    b'5,"NULL",NULL\n6,"","a,b"\n7, "b" ,\\\n8,c\td,\\N\n9,"d\r", e \n'
)
"""Texts of which RFC 4180 and LOAD DATA say the same."""
DUMP = (
    b'1,"a\\"b",\\"c\n2,"\\N",\\N\n3,NULL,"NULL"\n4,N,null\n5,"a\\\nb",a\\\nb\n6,a\\,b,"\\t\\0\\Z"\n7,x"y,"p""q"\n'
    b'8,\\\\,"\\\\"\n9,"",\n'
)
CSV_MARKS = "FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY ''"
DUMP_MARKS = r"FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '\\'"
COLUMNS = {"id": "int NOT NULL", "a": "varchar(30)", "b": "varchar(30)"}
QUERY = "SELECT id, HEX(a), HEX(b) FROM {} ORDER BY id"


def loaded(testbed: Testbed, content: bytes, marks: str) -> list[tuple[object, ...]]:
    """What the server's own LOAD DATA makes of a file."""
    node = testbed.nodes[0]
    path = testbed.cluster.data_dir(node) / f"text-{uuid.uuid4().hex}.csv"
    database = f"t{uuid.uuid4().hex[:10]}"
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    path.write_bytes(content)
    try:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
            connection.execute(f"CREATE DATABASE {database}")
            connection.execute(f"CREATE TABLE {database}.t ({declared}) CHARSET latin1")
            connection.execute(
                f"LOAD DATA INFILE {quote_text(str(path))} INTO TABLE {database}.t CHARACTER SET binary {marks}"
            )
            rows = [tuple(row) for row in connection.rows(QUERY.format(f"{database}.t"))]
            connection.execute(f"DROP DATABASE {database}")
    finally:
        path.unlink()
    return rows


def ingested(testbed: Testbed, source: Path, table: str, loader: Loader) -> list[tuple[object, ...]]:
    database = f"s{uuid.uuid4().hex[:10]}"
    testbed.ingest(source, database=database, tables=[table], loader=loader)
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    rows = testbed.query(QUERY.format(table), database=database).table
    return list(rows_in(rows))


@pytest.mark.parametrize("loader", list(Loader))
def test_csv_is_what_load_data_makes_of_it(testbed: Testbed, tmp_path: Path, loader: Loader) -> None:
    """Stray and doubled quotes, line ends and separators in quotes, NULL with and without them."""
    (tmp_path / "t.csv").write_bytes(CSV)
    table = {
        "files": ["t.csv"], "role": "regular", "text": {"null_text": "NULL", "header": False, "fields": list(COLUMNS)},
        "declare": [{"name": "id", "type": "int", "nullable": False},
                    *({"name": name, "type": "varchar(30)"} for name in "ab")],
    }  # fmt: skip
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
    mapping = {"version": 1, "database": "x", "striping": striping, "tables": {"Notes": table}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    expected = loaded(testbed, CSV, CSV_MARKS)
    assert len(expected) == 9
    assert ingested(testbed, tmp_path, "Notes", loader) == expected


@pytest.mark.parametrize("loader", list(Loader))
def test_dump_is_what_load_data_makes_of_it(testbed: Testbed, tmp_path: Path, loader: Loader) -> None:
    """Quotes and escapes at once, as a folder with metadata.json may declare them."""
    folder = write_metadata_folder(tmp_path / "handed")
    schema = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    edit_json(folder / "Filter.json", schema=schema)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["formats"]["tsv"] = {"fields_terminated_by": ",", "fields_enclosed_by": '"', "fields_escaped_by": "\\"}
    edit_json(folder / "metadata.json", **metadata)
    (folder / "Filter.tsv").write_bytes(DUMP)
    expected = loaded(testbed, DUMP, DUMP_MARKS)
    assert len(expected) == 9
    assert ingested(testbed, folder, "Filter", loader) == expected
