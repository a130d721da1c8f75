"""Tables that clients bring: what forms and JSON mean; who makes the tables is played."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient
from tests.support.played_services import PlayedQueries, PlayedUserTables, played_services

from skyshard.host.processes import began, host_id
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.qserv.user_tables import DRAFT
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.services import Services, TextMarks

SCHEMA = [{"name": "id", "type": "BIGINT NOT NULL"}, {"name": "name", "type": "VARCHAR(9) DEFAULT NULL"}]
FORM = {
    "database": "user_ann", "table": "mine", "fields_terminated_by": ",", "charset_name": "utf8mb4",
    "collation_name": "utf8mb4_uca1400_ai_ci", "timeout": "300",
}  # fmt: skip


@pytest.fixture
def services() -> Services:
    return played_services(PlayedQueries({}))


@pytest.fixture
def tables(services: Services) -> PlayedUserTables:
    assert isinstance(services.user_tables, PlayedUserTables)
    return services.user_tables


@pytest.fixture
def client(services: Services) -> Iterator[httpx.Client]:
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as made:
        yield made
    work.lanes.close()


def sent(client: httpx.Client, rows: bytes = b"1,a\n", **form: Any) -> dict[str, Any]:
    """A form as qserv-kafka sends it: fields, then the schema, the rows last."""
    files = {
        "schema": ("schema.json", json.dumps(SCHEMA).encode(), "application/json"),
        "rows": ("mine.csv", rows, "text/csv"),
    }
    found: dict[str, Any] = client.post("/ingest/csv?version=55", data=FORM | form, files=files).json()
    return found


def test_rows_that_a_killed_process_left_are_removed(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of one that runs, or of another host."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone, runs = f"{host_id()} 1 {began(1) + 1}", f"{host_id()} 1 {began(1)}"
    for name in (gone, runs, "elsewhere 1 1"):
        (tmp_path / f"{DRAFT}{name.replace(' ', '-')}-abc").mkdir()
        (tmp_path / f"{DRAFT}{name.replace(' ', '-')}-abc" / "rows.csv").write_text("1,a\n")
    assert sent(client)["success"] == 1
    left = sorted(f"{DRAFT}{name.replace(' ', '-')}-abc" for name in (runs, "elsewhere 1 1"))
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_form_becomes_a_regular_table(client: httpx.Client, tables: PlayedUserTables) -> None:
    """Texts are of the character set and collation that were asked for; rows arrive byte for byte."""
    assert sent(client, b"1,\xc3\xa4\n2,\\N\n")["success"] == 1
    table, rows = tables.added["user_ann.mine"]
    assert rows == b"1,\xc3\xa4\n2,\\N\n"
    assert table.columns == {
        "id": "BIGINT NOT NULL",
        "name": "VARCHAR(9) character set utf8mb4 collate utf8mb4_uca1400_ai_ci DEFAULT NULL",
    }
    assert (table.marks, table.is_director, table.director) == (TextMarks(",", "", "\\", "utf8"), False, None)
    assert not table.rows.exists()


@pytest.mark.parametrize(
    ("form", "marks"),
    [
        ({"fields_enclosed_by": '"'}, TextMarks(",", '"', "\\", "utf8", "\\N", True)),
        ({"fields_escaped_by": "^"}, TextMarks(",", "", "^", "utf8", "^N")),
        ({"fields_escaped_by": ""}, TextMarks(",", "", "", "utf8", "\n")),
    ],
)
def test_null_is_what_load_data_takes_for_it(
    client: httpx.Client, tables: PlayedUserTables, form: dict[str, str], marks: TextMarks
) -> None:
    """N behind the escape, and the bare word where fields may be in quotes."""
    assert sent(client, b"1,a\n", **form)["success"] == 1
    assert tables.added["user_ann.mine"][0].marks == marks


def test_roles_are_those_of_the_form(client: httpx.Client, tables: PlayedUserTables) -> None:
    """A director by its position, maybe without a key; a dependent by the director that it names."""
    near: dict[str, Any] = {
        "is_partitioned": "1",
        "is_director": "1",
        "longitude_col_name": "ra",
        "latitude_col_name": "dec",
    }
    assert sent(client, table="near", **near)["success"] == 1
    follows: dict[str, Any] = {
        "ref_director_database": "dp1",
        "ref_director_table": "Object",
        "ref_director_id_col_name": "id",
    }
    assert sent(client, table="follows", is_partitioned="1", is_director="0", **follows)["success"] == 1
    director, dependent = tables.added["user_ann.near"][0], tables.added["user_ann.follows"][0]
    assert (director.is_director, director.key, director.position) == (True, "", ("ra", "dec"))
    assert (dependent.key, dependent.director) == ("id", ("dp1", "Object"))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"database": "dp1"}, "'dp1' is no database of a user; name it user_..."),
        ({"fields_terminated_by": ";;"}, "fields_terminated_by is ';;'; use one character"),
        ({"lines_terminated_by": "|"}, "lines_terminated_by is '|'"),
        ({"charset_name": "koi8r"}, "files in koi8r cannot be read"),
        ({"collation_name": "a'b"}, "are no character set and collation"),
        ({"is_partitioned": "maybe"}, "'is_partitioned' has to be 0 or 1"),
        ({"is_partitioned": "1", "is_director": "1"}, "the request lacks 'longitude_col_name'"),
        ({"version": "99"}, "is not in the range supported"),
    ],
)
def test_a_wrong_form_is_refused(
    client: httpx.Client, tables: PlayedUserTables, form: dict[str, Any], words: str
) -> None:
    """With what is wrong; nothing is made."""
    found = sent(client, **form)
    assert (found["success"], words in found["error"]) == (0, True), found["error"]
    assert not tables.added


def test_a_form_without_its_parts_is_refused(client: httpx.Client) -> None:
    """No schema, no rows, no form at all."""
    assert "'schema' has to name columns" in client.post("/ingest/csv", data=FORM).json()["error"]
    schema = {"schema": ("s", json.dumps(SCHEMA))}
    assert "lacks the file 'rows'" in client.post("/ingest/csv", data=FORM, files=schema).json()["error"]
    half = {"schema": ("s", b'[{"name": "a\\ud800", "type": "INT"}]'), "rows": ("r", b"1\n")}
    assert "the part 'schema' is not JSON" in client.post("/ingest/csv", data=FORM, files=half).json()["error"]
    assert client.post("/ingest/csv", json=FORM).json()["success"] == 0
    broken = client.post("/ingest/csv", content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"})
    assert (broken.status_code, broken.json()["success"]) == (200, 0)


def rows_of(client: httpx.Client, tables: PlayedUserTables, schema: Any, rows: Any, **more: Any) -> bytes | str:
    body = {"database": "user_ann", "table": "mine", "schema": schema, "rows": rows, **more}
    found = client.post("/ingest/data?version=55", content=json.dumps(body)).json()
    return tables.added.pop("user_ann.mine")[1] if found["success"] else str(found["error"])


def test_rows_of_json_become_csv(client: httpx.Client, tables: PlayedUserTables) -> None:
    """Numbers with all their digits, NULL without quotes, quotes doubled, line ends within quotes."""
    rows = [[9007199254740993, 'a "b"'], [True, None], ["2", "x\ny"]]
    assert rows_of(client, tables, SCHEMA, rows) == b'"9007199254740993","a ""b"""\n"1",\\N\n"2","x\ny"\n'
    body = '{"database": "user_ann", "table": "mine", "schema": [{"name": "d", "type": "DECIMAL(30,20)"}], "rows": [['
    client.post("/ingest/data?version=55", content=body + "0.10000000000000000001]]}")
    assert tables.added.pop("user_ann.mine")[1] == b'"0.10000000000000000001"\n'


@pytest.mark.parametrize(
    ("encoding", "value"), [("hex", "00FF"), ("b64", "AP8="), ("array", [0, 255])], ids=["hex", "b64", "array"]
)
def test_binary_values_of_json_are_bytes(
    client: httpx.Client, tables: PlayedUserTables, encoding: str, value: object
) -> None:
    """In the encoding that was asked for."""
    schema = [{"name": "b", "type": "VARBINARY(9)"}]
    assert rows_of(client, tables, schema, [[value]], binary_encoding=encoding) == b'"\x00\xff"\n'
    assert "cannot be read" in str(rows_of(client, tables, schema, [["?"]], binary_encoding=encoding))


@pytest.mark.parametrize(
    ("rows", "words"),
    [([[1]], "row 1 has not 2 values"), ([[1, "a"], 5], "row 2 has not 2 values"), ({}, "has to be a list"),
     ([[1, {}]], "a value of column 'name' cannot be read")],
)  # fmt: skip
def test_wrong_rows_are_refused(client: httpx.Client, tables: PlayedUserTables, rows: Any, words: str) -> None:
    """By their number, or their column."""
    assert words in str(rows_of(client, tables, SCHEMA, rows))


def test_indexes_are_asked_for_by_their_columns(client: httpx.Client, tables: PlayedUserTables) -> None:
    """Plain ones and unique ones are made, others are refused."""
    index = {"index": "by_name", "spec": "DEFAULT", "columns": [{"column": "name", "length": 0, "ascending": 1}]}
    body = {"database": "user_ann", "table": "mine", "schema": SCHEMA, "rows": [], "indexes": [index]}
    assert client.post("/ingest/data?version=55", json=body).json()["success"] == 1
    assert tables.added["user_ann.mine"][0].indexes == [["name"]]
    unique = {"index": "one", "spec": "unique", "columns": [{"column": "id"}, {"column": "name", "length": 3}]}
    body |= {"table": "other", "indexes": [index, unique]}
    assert client.post("/ingest/data?version=55", json=body).json()["success"] == 1
    found = tables.added["user_ann.other"][0]
    assert (found.indexes, found.unique) == ([["name"]], {"one": ["id", "name(3)"]})
    for changed, words in (
        ({"spec": "FULLTEXT"}, "indexes of kind FULLTEXT are not made"), ({"index": ""}, "has no name"),
        ({"columns": [{}]}, "is no list of indexes"), ({"columns": [{"column": "a", "length": "b"}]}, "is no list"),
    ):  # fmt: skip
        wrong = client.post("/ingest/data?version=55", json=body | {"indexes": [unique | changed]}).json()
        assert words in wrong["error"]


def test_a_table_has_a_column_of_its_own(client: httpx.Client, tables: PlayedUserTables) -> None:
    """Those that say where its rows lie are not stored as it brings them."""
    schema = [{"name": "chunkid", "type": "INT"}]
    answer = client.post(
        "/ingest/data?version=55", json={"database": "user_ann", "table": "t", "schema": schema, "rows": [[1]]}
    )
    assert "names no column but those of chunks" in answer.json()["error"]
    assert not tables.added


def test_only_databases_of_users_are_dropped(client: httpx.Client, tables: PlayedUserTables) -> None:
    """Never a catalog, whatever the token allows."""
    assert sent(client)["success"] == 1
    assert client.delete("/ingest/database/dp1?version=55").json()["success"] == 0
    assert client.delete("/ingest/table/dp1/Object?version=55").json()["success"] == 0
    assert client.delete("/ingest/database/user_ann?version=55").json()["success"] == 1
    assert client.delete("/ingest/table/user_ann/mine?version=55").json()["success"] == 0
    assert not tables.added
