"""The requests of Qserv's czar clients, replayed in memory; what the czar answers is played."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2 as httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient
from tests.support.played_services import Keys, PlayedQueries, PlayedSubmissions, played_services
from tests.support.rest_cases import read_rest_cases, replay

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.serve.access import Access, Scope
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.qserv.czar_rest import status_of
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.services import PastQuery

FEW = pa.table(
    {"id": pa.array([1, 2]), "name": ['a "b" \\c', None], "flag": pa.array([b"\x00\xff", None], pa.binary())}
)
TABLES: dict[str, pa.Table | SkyshardError] = {
    "SELECT id, name, flag FROM Few": FEW,
    "SELECT id, name, flag FROM Few WHERE id < 0": FEW.slice(0, 0),
    "SELECT objectId FROM Object WHERE objectId = 1": pa.table({"objectId": [1]}),
}
KEY = {"authorization": "Bearer key"}


def client_of(queries: PlayedQueries, access: Access | None = None, **settings: object) -> Iterator[httpx.Client]:
    work = Work(played_services(queries, access), ServeFile(http="127.0.0.1:0", open=True).with_options(settings))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        yield client
    work.lanes.close()


@pytest.fixture
def queries() -> PlayedQueries:
    return PlayedQueries(TABLES)


@pytest.fixture
def client(queries: PlayedQueries) -> Iterator[httpx.Client]:
    yield from client_of(queries)


@pytest.fixture
def guarded() -> Iterator[httpx.Client]:
    yield from client_of(PlayedQueries(TABLES), Keys(key=Scope.QUERY), body_mb=0.001)


def test_every_request_of_the_table_is_answered_as_it_says(client: httpx.Client) -> None:
    """All that differs is listed."""
    assert replay(client, read_rest_cases("qserv_czar")) == []


def test_a_server_that_fails_between_rows_is_said_behind_them() -> None:
    """The answer is JSON all the same, and no success."""

    class Torn(PlayedQueries):
        def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
            yield from table.slice(0, 1).to_batches()
            raise ClusterError("node1 is gone", remedy="start it", retryable=True)

    for client in client_of(Torn(TABLES)):
        found = client.post("/query?version=55", json={"query": "SELECT id, name, flag FROM Few"}).json()
        assert (found["success"], len(found["rows"])) == (0, 1)
        assert found["error_ext"] == {
            "what": "node1 is gone", "remedy": "start it", "kind": "ClusterError", "retryable": True,
        }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"auth_key": "wrong"}, {"auth_key": 5}, {"auth_key": ""}])
def test_no_statement_is_answered_without_a_token(guarded: httpx.Client, body: dict[str, object]) -> None:
    """In Qserv's routes that is an error of the envelope; the version is told to everybody."""
    found = guarded.post("/query?version=55", json={"query": "SELECT id, name, flag FROM Few", **body})
    assert (found.status_code, found.json()["success"]) == (200, 0)
    assert "a token is needed" in found.json()["error"]
    assert guarded.get("/meta/version").json()["success"] == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (KEY, {}),
        ({}, {"auth_key": "key"}),
        ({}, {"admin_auth_key": "key", "auth_key": ""}),
        ({"authorization": "basic YW55Ym9keTprZXk="}, {}),
    ],
)
def test_a_token_comes_in_three_ways(guarded: httpx.Client, headers: dict[str, str], body: dict[str, str]) -> None:
    """Bearer, the password of Basic, and a key of the body."""
    found = guarded.post("/query?version=55", json={"query": "SELECT id, name, flag FROM Few", **body}, headers=headers)
    assert found.json()["success"] == 1


def test_another_name_of_the_host_is_refused(client: httpx.Client) -> None:
    """A page that made a browser think that its own name is ours gets nothing."""
    found = client.get("/meta/version", headers={"host": "evil.example"})
    assert (found.status_code, len(found.text.splitlines())) == (400, 1)


ONE = b'{"query": "SELECT objectId FROM Object WHERE objectId = 1", "version": 55}'
CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty"}
OTHER_PORT = {**CROSS, "sec-fetch-site": "same-site"}
EVIL, NOWHERE = {"origin": "https://evil.example"}, {"origin": "null"}
FRAME = {**CROSS, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
LINK = {**FRAME, "sec-fetch-dest": "document"}


@pytest.mark.parametrize("said", [CROSS, OTHER_PORT, EVIL, NOWHERE, LINK])
def test_a_page_of_another_site_asks_nothing(
    client: httpx.Client, queries: PlayedQueries, said: dict[str, str]
) -> None:
    """Where no tokens are asked for, its browser would do whatever it says: a text as body needs no permission."""
    found = client.post("/query", content=ONE, headers={"content-type": "text/plain", **said})
    assert (found.status_code, len(found.text.splitlines())) == (403, 1)
    assert client.delete("/query-async/1", headers=said).status_code == 403
    assert queries.threads == []
    client.post("/query", content=ONE)
    assert len(queries.threads) == 1


@pytest.mark.parametrize("said", [CROSS, OTHER_PORT, EVIL, FRAME])
def test_a_page_of_another_site_reads_nothing(client: httpx.Client, said: dict[str, str]) -> None:
    """Also not within a frame or as a picture."""
    assert client.get("/meta/version", headers=said).status_code == 403


@pytest.mark.parametrize(
    "said",
    [{}, LINK, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://LOCALHOST"}],
)
def test_programs_our_pages_and_links_are_answered(client: httpx.Client, said: dict[str, str]) -> None:
    """Programs say neither header; whoever follows a link reads the answer himself."""
    assert client.get("/meta/version", headers=said).status_code == 200


def test_a_long_body_is_refused(guarded: httpx.Client) -> None:
    """By its announced length, and where it is announced by none."""
    found = guarded.post("/query", content=b"x" * 2000, headers=KEY)
    assert (found.status_code, "1,000 bytes" in found.text) == (413, True)
    pieces = guarded.post("/query", content=(b"x" * 100 for _ in range(20)), headers=KEY)
    assert pieces.status_code == 413


def test_every_answer_has_the_headers_that_make_it_safe(client: httpx.Client) -> None:
    """Errors among them; no other site may read it."""
    for path, said in (
        ("/meta/version", {}),
        ("/nothing", {}),
        ("/meta/version", EVIL),
        ("/", {"host": "evil.example"}),
    ):
        headers = client.get(path, headers=said).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_a_bug_is_one_line_without_path_or_stack() -> None:
    """In the envelope; what happened is in the log."""

    class Broken(PlayedQueries):
        def lane(self, sql: str, database: str) -> str:  # type: ignore[override]
            raise RuntimeError("/a/secret/path")

    for client in client_of(Broken(TABLES)):
        found = client.post("/query-async?version=55", json={"query": "SELECT 1"})
        assert found.status_code == 200
        assert (found.json()["success"], "secret" in found.text) == (0, False)


def test_results_that_are_too_large_have_a_state_of_their_own() -> None:
    """FAILED_LR, as Qserv calls it."""
    row = PastQuery(1, True, "", "", "failed", "", "", 1.0, None, 5.5, 0, 0, 0, 0, "[result-too-large] 5 GB; ask less")
    found = status_of(row)
    assert (found["status"], found["queryBeginEpoch"], found["lastUpdateEpoch"]) == ("FAILED_LR", 1, 5)


def test_the_version_that_clients_are_told_can_be_set() -> None:
    """Some go on only with the one that they know."""
    for client in client_of(PlayedQueries(TABLES), qserv_version=30):
        assert client.get("/meta/version").json()["version"] == 30
        assert json.loads(client.get("/meta/version?version=55").text)["success"] == 1


def test_a_submitted_query_is_its_owners() -> None:
    """Nobody else but an administrator sees, ends or forgets it, whatever the scope of their token: there is none."""
    queries = PlayedQueries(TABLES)
    keys = Keys(ann=Scope.QUERY, bob=Scope.QUERY, loader=Scope.INGEST, root=Scope.ADMIN)
    for client in client_of(queries, keys):

        def ask(method: str, path: str, key: str, client: httpx.Client = client, **more: object) -> dict[str, object]:
            header = {"authorization": f"Bearer {key}"}
            found = client.request(method, f"/query-async{path}?version=55", headers=header, **more)  # type: ignore[arg-type]
            return dict(found.json())

        sql = {"query": "SELECT id, name, flag FROM Few"}
        number = ask("POST", "", "ann", json=sql)["queryId"]
        unknown = str(ask("GET", "/status/99", "bob")["error"])
        for key in ("bob", "loader"):
            for method, path in (
                ("GET", "/status/"), ("GET", "/result/"), ("DELETE", "/result/"), ("DELETE", "/"),
            ):  # fmt: skip
                found = ask(method, f"{path}{number}", key)
                assert (found["success"], "status" in found, "rows" in found) == (0, False, False)
                assert str(found["error"]).split(";")[0] == unknown.replace("99", str(number)).split(";")[0]
        while ask("GET", f"/status/{number}", "ann")["status"]["status"] != "COMPLETED":  # type: ignore[index]
            pass
        for key in ("ann", "root"):
            assert ask("GET", f"/status/{number}", key)["success"] == 1
            assert len(ask("GET", f"/result/{number}", key)["rows"]) == 2  # type: ignore[arg-type]
        assert ask("DELETE", f"/result/{number}", "ann")["success"] == 1
        assert ask("DELETE", f"/{ask('POST', '', 'ann', json=sql)['queryId']}", "root")["success"] == 1


def test_a_submitted_query_has_the_time_that_it_was_given(queries: PlayedQueries) -> None:
    """In seconds; what is no time is refused, and nothing submitted."""
    services = played_services(queries)
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    assert isinstance(services.submissions, PlayedSubmissions)
    asked = {"query": "SELECT objectId FROM Object WHERE objectId = 1", "version": 55}
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        for wrong in (-1, "soon", True, 1e300, "NaN", [1]):
            said = client.post("/query-async", json={**asked, "max_statement_time": wrong}).json()
            assert (said["success"], "a number of seconds" in said["error"]) == (0, True)
        for given in ({}, {"max_statement_time": 2.5}, {"max_statement_time": "3"}):
            assert client.post("/query-async", json={**asked, **given}).json()["success"] == 1
        while any(client.get(f"/query-async/status/{n}").json()["status"]["status"] == "EXECUTING" for n in (1, 2, 3)):
            pass
    work.lanes.close()
    assert services.submissions.limits_s == {1: 0.0, 2: 2.5, 3: 3.0}
