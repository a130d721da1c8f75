"""Qserv's ingest clients in memory: the workflow of qserv-ingest, and what is refused; ingests are played."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, cast

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message
from tests.support.played_services import Keys, PlayedIngests, PlayedQueries, played_services
from tests.support.qserv_ingest import QservIngest
from tests.support.rest_cases import read_rest_cases, replay
from tests.support.small_metadata import write_metadata_folder

from skyshard.basics.errors import ClusterError, UserError
from skyshard.ingest.sources.open_source import open_source
from skyshard.ingest.text.delimited_text import TextReader
from skyshard.serve.access import Access, Scope
from skyshard.serve.door import Address
from skyshard.serve.doors import Work, ingest_app
from skyshard.serve.qserv import contributions
from skyshard.serve.qserv.contributed_files import Allowed, Source, fetch
from skyshard.serve.qserv.form_head import HEAD_BYTES
from skyshard.serve.qserv.ingest_state import Contribution, IngestState
from skyshard.serve.serve_file import ServeFile

SKY: dict[str, Any] = {"database": "handed", "num_stripes": 85, "num_sub_stripes": 12, "overlap": 0.01667}
FILTER: dict[str, Any] = {
    "database": "handed",
    "table": "Filter",
    "is_partitioned": 0,
    "schema": [{"name": "id", "type": "INT"}],
}

INDEX: dict[str, Any] = {
    "database": "handed",
    "table": "Filter",
    "index": "by_id",
    "columns": [{"column": "id", "length": 0}],
}


@pytest.fixture
def ingests(tmp_path: Path) -> PlayedIngests:
    folder = tmp_path / "state"
    folder.mkdir()
    return PlayedIngests(folder)


def opened(ingests: PlayedIngests, access: Access | None = None, **settings: Any) -> Iterator[httpx.Client]:
    services = replace(played_services(PlayedQueries({}), access), ingests=ingests)
    work = Work(services, ServeFile(ingest="127.0.0.1:0", open=True).with_options(settings))
    with TestClient(ingest_app(Address("127.0.0.1", 25081), work), base_url="http://localhost") as client:
        yield client
    work.lanes.close()


@pytest.fixture
def client(ingests: PlayedIngests) -> Iterator[httpx.Client]:
    yield from opened(ingests)


def ask(client: httpx.Client, method: str, path: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.request(method, f"{path}?version=55", json=body).json()
    return found


def test_qserv_ingest_runs_its_workflow(client: httpx.Client, ingests: PlayedIngests, tmp_path: Path) -> None:
    """Every file of its folder comes to the ingest, under its table and chunk; nothing is kept afterwards."""
    sky = QservIngest(client, write_metadata_folder(tmp_path / "sky", rows=20))
    sky.register()
    sky.ingest(abort=True)
    sky.ingest()
    sky.check()
    sky.publish()
    sky.check()
    sky.finish()
    wanted = {named(name, chunk, overlap): path.read_text() for name, chunk, overlap, path in sky.files()}
    assert ingests.ingested["handed"] == wanted
    assert sorted(path.name for path in ingests.folder.iterdir()) == ["numbers.json"]
    config = ask(client, "GET", "/replication/config")["config"]
    assert [(one["database"], one["is_published"]) for one in config["databases"]] == [("handed", 1)]


def test_every_request_of_the_table_is_answered_as_it_says(client: httpx.Client, tmp_path: Path) -> None:
    """All that differs is listed; nothing is kept afterwards."""
    assert replay(client, read_rest_cases("qserv_ingest"), given={"folder": written(tmp_path).as_uri()}) == []


@pytest.mark.parametrize("version", [12, 13, 14, 15, 16, 17, 18, 21, 22, 24, 25, 30, 35, 36, 37, 38, 49, 54, 55])
def test_what_an_older_version_leaves_out_means_what_it_meant(
    client: httpx.Client, ingests: PlayedIngests, tmp_path: Path, version: int
) -> None:
    """No director's name: all of them. No character set: latin1. Contexts and logs come until one has to ask. Where a
    key is read from, body or query, is the same for all."""

    def tell(method: str, path: str, *, in_body: bool = True, **body: Any) -> dict[str, Any]:
        content = {"version": version, **body} if in_body else body
        url = path if in_body else f"{path}{'&' if '?' in path else '?'}version={version}"
        found: dict[str, Any] = client.request(method, url, json=content).json()
        assert (found["success"], found["warning"]) == (1, ""), found
        return found

    assert tell("GET", "/meta/version")["version"] == 55
    tell("POST", "/ingest/database", **SKY)
    tell("POST", "/ingest/table", **FILTER)
    assert tell("GET", "/ingest/config", database="handed")["database"] == "handed"
    assert tell("GET", "/ingest/config?database=handed", in_body=False)["database"] == "handed"
    begun = tell("POST", "/ingest/trans", database="handed", context={"pod": "one"})
    number = begun["databases"]["handed"]["transactions"][0]["id"]
    rows = tmp_path / "rows.txt"
    rows.write_bytes(b"1\n")
    contributed = {"transaction_id": number, "table": "Filter", "chunk": -1, "overlap": -1, "url": rows.as_uri()}
    assert tell("POST", "/ingest/file", **contributed)["contrib"]["charset_name"] == "latin1"
    tell("PUT", f"/ingest/trans/{number}?abort=0")
    (listed,) = tell("GET", "/ingest/trans?database=handed", in_body=False)["databases"]["handed"]["transactions"]
    assert ({"context", "log"} <= set(listed)) == (version < 37)
    asked = "/ingest/trans?database=handed&include_context=1&include_log=1"
    (listed,) = tell("GET", asked, in_body=False)["databases"]["handed"]["transactions"]
    assert (listed["context"], listed["log"]) == ({"pod": "one"}, [])
    tell("PUT", "/ingest/database/handed")
    assert ingests.ingested["handed"] == {"Filter": "1\n"}
    assert tell("POST", "/ingest/index/secondary", database="handed")["keys"] == {"Object": 1}


def written(folder: Path) -> Path:
    """The files that the table of requests names."""
    (folder / "chunk_7310.txt").write_text("1\t1.2\t1.1\tn1\n2\t1.21\t1.1\t\\N\n")
    (folder / "Filter.tsv").write_text("1\tu\n2\tg\n")
    return folder


def named(table: str, chunk: int, overlap: int) -> str:
    """A file as the played ingest calls it."""
    return " ".join([table, *([] if chunk < 0 else [str(chunk)]), *(["overlap"] if overlap == 1 else [])])


def test_what_was_registered_lasts(ingests: PlayedIngests, tmp_path: Path) -> None:
    """A process that comes after another goes on with it; numbers are never given twice."""
    sky = QservIngest(next(generator := opened(ingests)), write_metadata_folder(tmp_path / "sky", rows=3))
    sky.register()
    first = sky.ingest()
    next(generator, None)
    for client in opened(ingests):
        sky.client = client
        assert sky.ingest(abort=True) > first
        sky.publish()
    assert len(ingests.ingested["handed"]) == len(list(sky.files()))


def registered(client: httpx.Client) -> int:
    """A database with one regular table, and an open transaction."""
    assert ask(client, "POST", "/ingest/database", **SKY)["success"] == 1
    assert ask(client, "POST", "/ingest/table", **FILTER)["success"] == 1
    begun = ask(client, "POST", "/ingest/trans", database="handed")
    return int(begun["databases"]["handed"]["transactions"][0]["id"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("POST", "/ingest/database", SKY), "there is a database 'handed'"),
        (("POST", "/ingest/database", SKY | {"database": "../x"}), "no name for a database"),
        (("POST", "/ingest/database", SKY | {"database": "b", "overlap": -1}), "'overlap' has to be a number from 0"),
        (("POST", "/ingest/database", {"database": "b"}), "the request lacks 'num_stripes'"),
        (("POST", "/ingest/database", SKY | {"database": "b", "num_stripes": 0}), "0 stripes; use 1 to"),
        (("POST", "/ingest/database", SKY | {"database": "b", "overlap": "1_0"}), "'overlap' has to be a number"),
        (("POST", "/ingest/table", FILTER | {"table": "T", "is_partitioned": 2}), "'is_partitioned' has to be 0 or 1"),
        (("POST", "/ingest/table", FILTER | {"table": "T", "director_key": [1]}), "'director_key' has to be a text"),
        (("POST", "/ingest/table", FILTER | {"table": "T", "schema": ["id"]}), "'schema' has to name columns"),
        (("POST", "/ingest/table", FILTER), "there is a table handed.Filter"),
        (("POST", "/ingest/table", FILTER | {"table": "T", "schema": [{"name": "a", "type": "NONE"}]}), "NONE"),
        (("POST", "/ingest/trans", {"database": "none"}), "no database 'none' is being ingested"),
        (("POST", "/ingest/chunk", {"database": "handed", "chunk": 1 << 40}), "this chunk number is not valid"),
        (("POST", "/ingest/chunk", {"database": "handed", "chunk": 1 << 70}), "this chunk number is not valid"),
        (("POST", "/ingest/chunk", {"chunk": 5, "transaction_id": 999}), "no transaction 999"),
        (("POST", "/ingest/trans", {"database": "\U0001f30c"}), "is no name for a database"),
        (("PUT", "/ingest/trans/999", {"abort": 0}), "no transaction 999"),
        (("PUT", "/ingest/database/handed", {}), "is STARTED; commit or abort it"),
        (("GET", "/ingest/file-async/999", {}), "no contribution 999"),
        (("POST", "/replication/sql/index", INDEX), "unknown database 'handed'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_the_envelope(
    client: httpx.Client, asked: tuple[str, str, dict[str, Any]], words: str
) -> None:
    """With what is wrong, and without a change."""
    registered(client)
    method, path, body = asked
    found = ask(client, method, path, **body)
    assert (found["success"], words in found["error"]) == (0, True), found["error"]


@pytest.mark.parametrize("half", [b"\\ud800", b"\xed\xa0\x80", b"\\ud800\\ud800"])
def test_half_a_letter_is_no_json(client: httpx.Client, half: bytes) -> None:
    """Neither written out nor as bytes, which json lets pass: an answer that said it again could not be sent."""
    found = client.post("/ingest/trans?version=55", content=b'{"database": "%s"}' % half)
    assert (found.status_code, found.json()["success"]) == (200, 0)
    assert "the body is not JSON" in found.json()["error"]


@pytest.mark.parametrize("table", ["../numbers", "../other", "/tmp/x", "metadata", "database", "", "a.b", "a\0", "é"])
def test_a_tables_name_is_no_path(client: httpx.Client, ingests: PlayedIngests, table: str) -> None:
    """Nothing of what is kept, of this database or another one, is written by it."""
    ask(client, "POST", "/ingest/database", **SKY | {"database": "other"})
    registered(client)
    before = {path: path.read_bytes() for path in ingests.folder.iterdir()}
    found = ask(client, "POST", "/ingest/table", **FILTER | {"table": table})
    assert (found["success"], "is no name for a table" in found["error"]) == (0, True), found["error"]
    assert {path: path.read_bytes() for path in ingests.folder.iterdir()} == before


def contribute(client: httpx.Client, transaction: int, url: str, **more: Any) -> dict[str, Any]:
    body = {"transaction_id": transaction, "table": "Filter", "chunk": -1, "overlap": -1, "url": url, **more}
    found: dict[str, Any] = ask(client, "POST", "/ingest/file", **body)["contrib"]
    return found


def test_a_missing_file_fails_its_contribution_and_the_commit(client: httpx.Client, tmp_path: Path) -> None:
    """Its rows would be missing: only an abort ends the transaction."""
    number = registered(client)
    found = contribute(client, number, (tmp_path / "none.txt").as_uri())
    assert (found["status"], found["retry_allowed"]) == ("READ_FAILED", 0)
    assert "there is no file" in found["error"]
    assert "is READ_FAILED" in ask(client, "PUT", f"/ingest/trans/{number}", abort=0)["error"]
    assert ask(client, "PUT", f"/ingest/trans/{number}", abort=1)["success"] == 1
    assert "is ABORTED" in ask(client, "PUT", f"/ingest/trans/{number}", abort=0)["error"]


def test_a_file_that_changes_before_it_is_published_is_refused(
    client: httpx.Client, ingests: PlayedIngests, tmp_path: Path
) -> None:
    """What was counted is what is ingested, or nothing."""
    number = registered(client)
    path = tmp_path / "rows.txt"
    path.write_text("1\n2\n")
    assert contribute(client, number, path.as_uri())["num_rows"] == 2
    assert ask(client, "PUT", f"/ingest/trans/{number}", abort=0)["success"] == 1
    path.write_text("1\n2\n3\n")
    assert "has changed since" in ask(client, "PUT", "/ingest/database/handed")["error"]
    assert not ingests.ingested


class Looked(PlayedIngests):
    """Before and after an ingest somebody looks."""

    look: Callable[[], None]

    def ingest(self, folder: Path, ending: threading.Event) -> None:
        self.look()
        super().ingest(folder, ending)
        self.look()


class Told(PlayedIngests):
    """Remembers how rows are read."""

    escape, null = b"?", b"?"

    def ingest(self, folder: Path, ending: threading.Event) -> None:
        reader = open_source(folder).tables["Filter"].reader
        assert isinstance(reader, TextReader)
        self.escape, self.null = reader.dialect.escape, reader.dialect.null
        super().ingest(folder, ending)


@pytest.mark.parametrize(("given", "escape"), [({}, b"\\"), ({"fields_escaped_by": ""}, b""),
                                               ({"fields_escaped_by": "\\\\"}, b"\\"),
                                               ({"fields_enclosed_by": "\\0"}, b"\\")])  # fmt: skip
def test_an_empty_escape_is_none(tmp_path: Path, given: dict[str, str], escape: bytes) -> None:
    """As LOAD DATA has it: values with a backslash are what they are, \\N, too; nothing said is the default one."""
    (tmp_path / "rows.txt").write_text("1\n2\n")
    ingests = Told(tmp_path / "state")
    ingests.folder.mkdir()
    for client in opened(ingests):
        number = registered(client)
        assert contribute(client, number, (tmp_path / "rows.txt").as_uri(), **given)["status"] == "FINISHED"
        assert ask(client, "PUT", f"/ingest/trans/{number}", abort=0)["success"] == 1
        assert ask(client, "PUT", "/ingest/database/handed")["error"] == ""
    assert (ingests.escape, ingests.null) == (escape, b"\\N" if escape else b"\n")


def committed(client: httpx.Client, folder: Path) -> int:
    """A database with rows that may be published; the number of its transaction."""
    path = folder / "rows.txt"
    path.write_text("1\n2\n")
    number = registered(client)
    assert contribute(client, number, path.as_uri())["status"] == "FINISHED"
    assert ask(client, "PUT", f"/ingest/trans/{number}", abort=0)["success"] == 1
    return number


def ask_all(client: httpx.Client, asked: Sequence[tuple[str, str, dict[str, Any]]], said: list[dict[str, Any]]) -> None:
    said.extend(ask(client, method, path, **body) for method, path, body in asked)


def test_nothing_is_taken_while_a_database_is_published(tmp_path: Path) -> None:
    """What is told to be kept is never forgotten with what is published; ask again is what is said."""
    ingests = Looked(tmp_path / "state")
    ingests.folder.mkdir()
    for client in opened(ingests):
        number = committed(client, tmp_path)
        named = {"transaction_id": number, "table": "Filter", "url": (tmp_path / "rows.txt").as_uri()}
        asked: Sequence[tuple[str, str, dict[str, Any]]] = (
            ("POST", "/ingest/trans", {"database": "handed"}),
            ("POST", "/ingest/table", FILTER | {"table": "Other"}),
            ("POST", "/ingest/file", named),
            ("PUT", f"/ingest/trans/{number}", {"abort": 0}),
            ("DELETE", "/ingest/table/handed/Filter", {}),
            ("PUT", "/ingest/database/handed", {}),
            ("DELETE", "/ingest/database/handed", {}),
        )
        said: list[dict[str, Any]] = []
        ingests.look = functools.partial(ask_all, client, asked, said)
        assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
        assert {one["error"] for one in said} == {"'handed' is being published; ask again once it is"}
        assert [one["error_ext"]["retryable"] for one in said] == [True] * 2 * len(asked)
        assert ingests.ingested["handed"] == {"Filter": "1\n2\n"}
        assert sorted(path.name for path in ingests.folder.iterdir()) == ["numbers.json"]


def test_a_publish_that_was_killed_goes_on_once(tmp_path: Path) -> None:
    """Before its rows were there it is done, afterwards it is not done again; until then nothing is added to it."""
    ingests = Looked(tmp_path / "state")
    ingests.folder.mkdir()
    killed: list[PlayedIngests] = []

    def keep() -> None:
        folder = tmp_path / f"killed{len(killed)}"
        shutil.copytree(ingests.folder, folder, symlinks=True)
        killed.append(PlayedIngests(folder, list(ingests.databases)))

    for client in opened(ingests):
        committed(client, tmp_path)
        ingests.look = keep
        assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
    for left in killed:
        for client in opened(left):
            assert (
                "was interrupted; publish it again" in ask(client, "POST", "/ingest/trans", database="handed")["error"]
            )
            assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
            assert sorted(path.name for path in left.folder.iterdir() if path.suffix == ".json") == ["numbers.json"]
    assert [list(left.ingested) for left in killed] == [["handed"], []]


def test_the_end_of_the_process_stops_a_publish(tmp_path: Path) -> None:
    """It does not keep the process, and the next one goes on with it."""

    class Long(PlayedIngests):
        def ingest(self, folder: Path, ending: threading.Event) -> None:
            assert ending.wait(100)
            raise ClusterError("it was stopped", retryable=True)

    ingests = Long(tmp_path / "state")
    ingests.folder.mkdir()
    state = IngestState(ingests.folder)
    for client in opened(ingests):
        committed(client, tmp_path)
    work = Work(
        replace(played_services(PlayedQueries({})), ingests=ingests), ServeFile(ingest="127.0.0.1:0", open=True)
    )
    with TestClient(ingest_app(Address("127.0.0.1", 25081), work), base_url="http://localhost") as client:
        sent = ThreadPoolExecutor(1).submit(ask, client, "PUT", "/ingest/database/handed")
        while not state.get("handed").is_publishing:
            assert not sent.done()
        asyncio.run(work.close())
        assert "it was stopped" in sent.result()["error"]
    after = PlayedIngests(ingests.folder)
    for client in opened(after):
        assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
    assert after.ingested["handed"] == {"Filter": "1\n2\n"}


def test_a_publish_that_is_refused_may_be_mended(client: httpx.Client, tmp_path: Path) -> None:
    """It is not taken for one that was interrupted."""
    number = committed(client, tmp_path)
    (tmp_path / "rows.txt").write_text("3\n")
    assert "has changed since" in ask(client, "PUT", "/ingest/database/handed")["error"]
    begun = ask(client, "POST", "/ingest/trans", database="handed")
    assert begun["databases"]["handed"]["transactions"][0]["id"] > number


def test_a_row_that_is_wrong_is_said_by_its_contribution(tmp_path: Path) -> None:
    """By the number that its client knows; it was told a link in the cluster's folder on the server's host."""

    class Wrong(PlayedIngests):
        def ingest(self, folder: Path, ending: threading.Event) -> None:
            paths = [one.path for one in open_source(folder).tables["Filter"].slices]
            raise UserError(f"'{paths[0]}', row 2: no number, as in '{paths[0]}'", remedy="fix the value")

    for client in opened(Wrong(tmp_path)):
        committed(client, tmp_path)
        found = ask(client, "PUT", "/ingest/database/handed")
        words = "contribution 1, row 2: no number, as in contribution 1"
        assert (found["error"], found["error_ext"]["what"]) == (f"{words}; fix the value", words)


@pytest.mark.parametrize(("first", "second"), [("", "utf8"), ("utf8mb4", ""), ("latin1", "utf8")])
def test_rows_of_two_character_sets_do_not_meet(
    client: httpx.Client, ingests: PlayedIngests, tmp_path: Path, first: str, second: str
) -> None:
    """All of a database is read in one; without a name it is latin1, which is one like another."""
    path = tmp_path / "rows.txt"
    path.write_text("1\n")
    number = registered(client)
    same = "UTF8" if first.startswith("utf8") else "Latin1"
    for charset in (first, same):
        assert contribute(client, number, path.as_uri(), charset_name=charset)["status"] == "FINISHED"
    asked = {"transaction_id": number, "table": "Filter", "url": path.as_uri()}
    for charset, words in ((second, "write all in one character set"), ("koi8r", "'koi8r' cannot be read")):
        refused = ask(client, "POST", "/ingest/file", **asked, charset_name=charset)
        assert (refused["success"], words in refused["error"]) == (0, True), refused["error"]
    ask(client, "PUT", f"/ingest/trans/{number}", abort=0)
    assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
    assert ingests.charsets["handed"] == same.lower()


def test_only_allowed_places_are_read(ingests: PlayedIngests, tmp_path: Path) -> None:
    """Neither a file beside an allowed folder, nor a link out of it, nor a host that nobody named."""
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    outside.write_text("1\n")
    (inside / "link.txt").symlink_to(outside)
    (inside / "rows.txt").write_text("1\n")
    for client in opened(ingests, ingest_folders=(inside,)):
        number = registered(client)
        for url in (outside.as_uri(), (inside / "link.txt").as_uri(), f"file://{inside}/../outside.txt"):
            assert "are not allowed" in contribute(client, number, url)["error"]
        assert "are not allowed" in contribute(client, number, "http://169.254.169.254/latest")["error"]
        assert "is no URL of a file" in contribute(client, number, "ftp://x/y")["error"]
        assert contribute(client, number, (inside / "rows.txt").as_uri())["status"] == "FINISHED"


def test_a_file_of_a_web_server_is_brought(client: httpx.Client, ingests: PlayedIngests) -> None:
    """Whole, or the contribution fails and may be tried again; redirects are not followed."""
    number = registered(client)
    with web_server({"/rows.txt": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1\n2\n",
                     "/torn.txt": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1\n",
                     "/moved.txt": b"HTTP/1.1 302 Found\r\nLocation: /rows.txt\r\n\r\n"}) as place:  # fmt: skip
        assert contribute(client, number, f"{place}/rows.txt")["num_rows"] == 2
        torn = contribute(client, number, f"{place}/torn.txt")
        assert (torn["status"], torn["retry_allowed"]) == ("READ_FAILED", 1)
        assert "HTTP 302" in contribute(client, number, f"{place}/moved.txt")["error"]
        again = ask(client, "PUT", f"/ingest/file/{torn['id']}")["contrib"]
        assert (again["status"], again["retry_allowed"]) == ("READ_FAILED", 1)
    assert ask(client, "DELETE", "/ingest/database/handed")["success"] == 1
    assert sorted(path.name for path in ingests.folder.iterdir()) == ["numbers.json"]


class Failing(BaseHTTPRequestHandler):
    """Answers with an error as often as ``errors`` says, then with rows; ``asked`` is what came."""

    errors: ClassVar[list[int]] = []
    asked: ClassVar[list[tuple[str, str, str, str]]] = []

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        self.asked.append((self.command, sent, self.headers["x-a"], self.headers["x-b"]))
        if self.errors:
            self.send_error(self.errors.pop())
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"1\n2\n")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def failing() -> Iterator[str]:
    """Where it answers."""
    Failing.errors, Failing.asked = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/rows"
        server.shutdown()


def ended(client: httpx.Client, number: int) -> dict[str, Any]:
    """A contribution that nobody waits for, once it has ended."""
    while (found := ask(client, "GET", f"/ingest/file-async/{number}")["contrib"])["status"] == "IN_PROGRESS":
        time.sleep(0.01)
    return found  # type: ignore[no-any-return]


def test_a_source_that_fails_is_tried_again(
    client: httpx.Client, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as its client wants, each failed try listed, with the method, body and headers that it said: none of
    that was heard, a code of HTTP never told, and no error of a server tried again."""
    monkeypatch.setattr(contributions, "RETRY_S", 0.0)
    number = registered(client)
    given = {"transaction_id": number, "table": "Filter", "url": failing, "http_method": "post", "http_data": "a=1"}
    given |= {"http_headers": ["X-A: 1, 2", "X-B: 3"], "max_num_warnings": 7}
    Failing.errors = [500, 503]
    made = ask(client, "POST", "/ingest/file-async", **given, num_retries=3)["contrib"]
    found = ended(client, made["id"])
    assert (found["status"], found["num_rows"], found["http_error"], found["max_retries"]) == ("FINISHED", 2, 0, 3)
    assert [(one["http_error"], one["start_time"] > 0) for one in found["failed_retries"]] == [(503, True), (500, True)]
    wanted = {"http_method": "POST", "http_headers": given["http_headers"], "max_num_warnings": 7}
    assert wanted.items() <= found.items()
    assert Failing.asked == [("POST", "a=1", "1, 2", "3")] * 3
    assert (found["num_failed_retries"], found["warnings"]) == (2, [])

    Failing.errors = [404] * 4
    given["http_headers"] = "X-A: 1, 2, X-B: 3"
    found = ended(client, ask(client, "POST", "/ingest/file-async", **given)["contrib"]["id"])
    assert (found["status"], found["http_error"], found["retry_allowed"]) == ("READ_FAILED", 404, 1)
    assert (found["max_retries"], found["num_failed_retries"]) == (1, 1)
    assert Failing.asked[-1] == ("POST", "a=1", "1, 2", "3")
    assert ask(client, "PUT", f"/ingest/file-async/{found['id']}")["contrib"]["status"] == "IN_PROGRESS"
    assert ended(client, found["id"])["num_failed_retries"] == 2  # once more, and no more by itself
    found = ask(client, "POST", "/ingest/file", **given, num_retries=5)["contrib"]
    assert (found["status"], found["max_retries"], found["num_failed_retries"]) == ("READ_FAILED", 0, 0)
    listed = ask(client, "GET", f"/ingest/trans/{number}", contrib=1, contrib_long=1, include_retries=1)
    contrib = listed["databases"]["handed"]["transactions"][0]["contrib"]
    assert [len(one["failed_retries"]) for one in contrib["files"]] == [2, 2, 0]
    assert contrib["summary"]["num_failed_retries"] == 2  # of those that brought rows


def test_transactions_are_listed_by_family(client: httpx.Client) -> None:
    """One that was named was not heard: those of all families came."""
    registered(client)
    listed = [
        ask(client, "GET", "/ingest/trans", family=name)["databases"] for name in ("layout_85_12", "layout_1_1", "")
    ]
    assert [list(one) for one in listed] == [["handed"], [], ["handed"]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"http_method": "BREW"}, "http_method 'BREW' is not sent"),
        ({"http_headers": ["Host: elsewhere"]}, "http_headers: 'Host: elsewhere' is not sent"),
        ({"http_headers": "none"}, "http_headers: 'none' is not sent"),
        ({"http_headers": ["A: b\r\nHost: c"]}, "http_headers: 'A: b"),
        ({"http_headers": 5}, "'http_headers' has to be a list"),
        ({"num_retries": -1}, "'num_retries' is -1"),
        ({"max_num_warnings": "many"}, "'max_num_warnings' has to be a whole number"),
    ],
)
def test_what_no_source_is_asked_is_refused(client: httpx.Client, wrong: dict[str, Any], words: str) -> None:
    asked = {"transaction_id": registered(client), "table": "Filter", "url": "http://127.0.0.1:9/", **wrong}
    found = ask(client, "POST", "/ingest/file-async", **asked)
    assert (found["success"], words in found["error"]) == (0, True), found["error"]


@pytest.mark.parametrize("is_aborted", [False, True])
def test_what_is_cancelled_is_not_waited_for(ingests: PlayedIngests, tmp_path: Path, *, is_aborted: bool) -> None:
    """A source that does not answer kept a thread of the process for an hour, also where its transaction was aborted;
    what waits for a thread is not read at all."""
    (tmp_path / "rows.txt").write_text("1\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for client in opened(ingests, scan_threads=1):
            number = registered(client)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            asked = {"transaction_id": number, "table": "Filter", "url": url}
            made = [ask(client, "POST", "/ingest/file-async", **asked)["contrib"]["id"] for _ in range(2)]
            if is_aborted:
                ask(client, "PUT", f"/ingest/trans/{number}", abort=1)
                number = ask(client, "POST", "/ingest/trans", database="handed")["databases"]["handed"]["transactions"]
                number = number[0]["id"]
            else:
                said = ask(client, "DELETE", f"/ingest/file-async/{made[0]}")["contrib"]
                said2 = ask(client, "DELETE", f"/ingest/file-async/trans/{number}")["contribs"]
                assert [said["status"], *(one["status"] for one in said2)] == ["CANCELLED"] * 3
            assert contribute(client, number, (tmp_path / "rows.txt").as_uri())["status"] == "FINISHED"


def test_what_another_process_cancels_is_not_waited_for(
    ingests: PlayedIngests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It held a thread of the process that brought it for an hour."""
    monkeypatch.setattr(contributions, "OTHERS_S", 0.0)
    (tmp_path / "rows.txt").write_text("1\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for client in opened(ingests, scan_threads=1):
            asked: dict[str, Any] = {"transaction_id": registered(client), "table": "Filter"}
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            made = ask(client, "POST", "/ingest/file-async", **asked, url=url)["contrib"]["id"]
            for other in opened(ingests):
                said = ask(other, "DELETE", f"/ingest/file-async/{made}")["contrib"]
                assert said["status"] == "CANCELLED"
            found = contribute(client, asked["transaction_id"], (tmp_path / "rows.txt").as_uri())
            assert found["status"] == "FINISHED"


@pytest.mark.parametrize("way", ["/ingest/file-async/trans/{}", "/ingest/trans/{}"])
def test_what_a_killed_process_read_has_failed_in_lists(client: httpx.Client, ingests: PlayedIngests, way: str) -> None:
    """Also where only its transaction is asked for, or committed: a client that looked there waited for ever."""
    number, state = registered(client), IngestState(ingests.folder)
    with state.lock:
        handed = state.get("handed")
        handed.contributions.append(
            Contribution(
                id=9, transaction=number, table="Filter", chunk=-1, is_overlap=False, url="file:///a", process="gone"
            )
        )
        state.put(handed)
    if "file" in way:
        said = ask(client, "PUT", f"/ingest/trans/{number}")["error"]
        assert f"contribution 9 of transaction {number} is READ_FAILED: the process that read it is gone" in said
    listed = ask(client, "GET", way.format(number), contrib=1, contrib_long=1)
    if "contribs" not in listed:
        listed = {"contribs": listed["databases"]["handed"]["transactions"][0]["contrib"]["files"]}
    assert [(one["status"], one["retry_allowed"]) for one in listed["contribs"]] == [("READ_FAILED", 1)]


def test_what_no_server_should_answer_fails_its_contribution(client: httpx.Client) -> None:
    """Whatever goes wrong is noted, never left under way: torn chunks, no status, what is no URL, a NUL in a name."""
    number = registered(client)
    torn = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1\n"
    wrong = b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n1\n"
    with web_server({"/torn.txt": torn, "/wrong.txt": wrong, "/status.txt": b"1\n", "/none.txt": b""}) as place:
        urls = [f"{place}/{name}.txt" for name in ("torn", "wrong", "status", "none")]
        urls += [f"{place}/a b\tc", "http://[::1/x", "http://localhost:port/x", "file:///tmp/a%00b", "file:///tmp/a\0b"]
        for url in urls:
            found = contribute(client, number, url)
            assert (found["status"], bool(found["error"])) == ("READ_FAILED", True), url


def test_a_file_that_comes_too_slowly_is_not_waited_for(tmp_path: Path) -> None:
    """Neither beyond its time nor beyond the end of the process; nothing of it is left at its place."""
    allowed, into, ending = Allowed(everything=True), tmp_path / "7.txt", threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/rows.txt"
        with pytest.raises(ClusterError, match=r"it took longer than 0\.1 s; try again"):
            fetch(Source(url), allowed, into, limit_bytes=100, ending=ending, within_s=0.1)
        ending.set()
        with pytest.raises(ClusterError, match="the server ends; try again"):
            fetch(Source(url), allowed, into, limit_bytes=100, ending=ending)
    assert not into.exists()


def test_only_an_admin_drops_what_is_published(ingests: PlayedIngests) -> None:
    """What is not published yet may be dropped by whoever ingests; keys are in bodies and forms, as Qserv's are."""
    keys = Keys(writer=Scope.INGEST, boss=Scope.ADMIN, reader=Scope.QUERY)
    for client in opened(ingests, keys):
        assert "a token is needed" in ask(client, "POST", "/ingest/database", **SKY)["error"]
        assert "of scope query" in ask(client, "POST", "/ingest/database", **SKY, auth_key="reader")["error"]
        ask(client, "POST", "/ingest/database", **SKY, auth_key="writer")
        ask(client, "POST", "/ingest/table", **FILTER, auth_key="writer")
        begun = ask(client, "POST", "/ingest/trans", database="handed", auth_key="writer")
        fields = {"transaction_id": str(begun["databases"]["handed"]["transactions"][0]["id"]), "table": "Filter"}
        for key, success in (("reader", 0), ("writer", 1)):
            form = {"auth_key": key, **fields}
            sent = client.post("/ingest/csv?version=55", data=form, files={"file": ("r.csv", b"7\n")}).json()
            assert sent["success"] == success, sent
        ask(client, "PUT", f"/ingest/trans/{fields['transaction_id']}", abort=0, auth_key="writer")
        assert ask(client, "PUT", "/ingest/database/handed", auth_key="writer")["success"] == 1
        assert "of scope ingest" in ask(client, "DELETE", "/ingest/database/handed", auth_key="writer")["error"]
        keyed = {"auth_key": "writer", "admin_auth_key": "boss"}
        assert ask(client, "DELETE", "/ingest/database/handed", **keyed)["success"] == 1
        assert "no such database" in ask(client, "DELETE", "/ingest/database/handed", **keyed)["error"]


def test_rows_that_a_form_brings_are_kept(client: httpx.Client, ingests: PlayedIngests) -> None:
    """As Qserv's own client sends them: fields, the rows last, one contribution."""
    number = registered(client)
    fields = {"transaction_id": str(number), "table": "Filter", "chunk": "0", "overlap": "0"}
    found = client.post("/ingest/csv?version=55", data=fields, files={"rows": ("r.csv", b"7\n8\n")}).json()
    assert (found["contrib"]["status"], found["contrib"]["num_rows"]) == ("FINISHED", 2)
    ask(client, "PUT", f"/ingest/trans/{number}", abort=0)
    assert ask(client, "PUT", "/ingest/database/handed")["success"] == 1
    assert ingests.ingested["handed"] == {"Filter": "7\n8\n"}


class web_server:  # noqa: N801  (read as a context manager)
    """Answers paths with given bytes, one connection at a time."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            writer.write(self._answers[asked])
            writer.close()
            await writer.wait_closed()

        self._server = self._loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        def stop() -> None:
            self._server.close()
            self._loop.stop()

        self._loop.call_soon_threadsafe(stop)
        self._thread.join()
        self._loop.close()


def form_pieces(fields: dict[str, str], rows: Iterable[bytes]) -> Iterator[bytes]:
    """A form in parts, as it comes: fields, then the file."""
    for name, value in fields.items():
        yield f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    yield b'--b\r\ncontent-disposition: form-data; name="rows"; filename="r.csv"\r\n\r\n'
    yield from rows
    yield b"\r\n--b--\r\n"


def post_pieces(app: ASGIApp, path: str, pieces: Iterator[bytes], **headers: str) -> tuple[dict[str, Any], int]:
    """The answer to a form that is sent piece by piece, and how many bytes of it were read."""
    sent: list[Message] = []
    read: list[int] = []
    said = {"host": "localhost", "content-type": "multipart/form-data; boundary=b", **headers}
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"version=55",
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
    }  # fmt: skip

    async def receive() -> Message:
        piece = next(pieces, None)
        read.append(len(piece or b""))
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(cast(Coroutine[Any, Any, None], app(scope, receive, send)))
    found: dict[str, Any] = json.loads(b"".join(one.get("body", b"") for one in sent))
    return found, sum(read)


def test_a_form_is_read_once_its_token_is_known(ingests: PlayedIngests) -> None:
    """It may have two gigabytes, which are written to disk: of one without a token 64 KiB are read at most."""
    keys = Keys(writer=Scope.INGEST, reader=Scope.QUERY)
    services = replace(played_services(PlayedQueries({}), keys), ingests=ingests)
    work = Work(services, ServeFile(ingest="127.0.0.1:0", open=True))
    app = ingest_app(Address("127.0.0.1", 25081), work)
    with TestClient(app, base_url="http://localhost", headers={"authorization": "Bearer writer"}) as client:
        fields = {"transaction_id": str(registered(client)), "table": "Filter"}
    block = b"7\n" * 1000
    given: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}), ({"auth_key": "wrong"}, {}), ({"auth_key": "reader"}, {}),
        ({"auth_key": "writer"}, {"authorization": "Bearer wrong"}),
    ]  # fmt: skip
    for key, headers in given:
        long = form_pieces(key | fields, itertools.repeat(block, 1000))
        answer, read = post_pieces(app, "/ingest/csv", long, **headers)
        assert (answer["success"], "token" in answer["error"]) == (0, True)
        assert read < HEAD_BYTES + 2 * len(block)
    given = [({"auth_key": "writer"}, {}), ({}, {"authorization": "Bearer writer"})]
    for key, headers in given:
        answer, _ = post_pieces(app, "/ingest/csv", form_pieces(key | fields, [block] * 100), **headers)
        assert (answer["success"], answer["contrib"]["num_rows"]) == (1, 100_000)
    work.lanes.close()
