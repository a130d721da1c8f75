"""Who gets the page and its data, who may stop a query, and what its files hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import httpx2 as httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient
from tests.support.played_services import Keys, PlayedOverview, PlayedQueries, played_services

from skyshard.serve.access import NO_QUOTA, Access, Identity, Quota, Scope
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.page.routes import STATIC
from skyshard.serve.serve_file import ServeFile

HERE = {"sec-fetch-site": "same-origin"}


class Key:
    """One token."""

    def identify(self, token: str) -> Identity | None:
        return Identity("me", Scope.QUERY) if token == "key" else None

    def quota_of(self, name: str) -> Quota:
        return NO_QUOTA

    def is_known(self, name: str) -> bool:
        return name == "me"


@pytest.fixture
def overview() -> PlayedOverview:
    return PlayedOverview()


def client_of(overview: PlayedOverview, access: Access | None = None) -> Iterator[httpx.Client]:
    services = replace(played_services(PlayedQueries({}), access), overview=overview)
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    app = safe_app(http_routes(work), work.settings)
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client
    work.lanes.close()


@pytest.fixture
def client(overview: PlayedOverview) -> Iterator[httpx.Client]:
    yield from client_of(overview)


@pytest.fixture
def guarded(overview: PlayedOverview) -> Iterator[httpx.Client]:
    yield from client_of(overview, Key())


def test_a_browser_at_the_root_is_sent_to_the_page(client: httpx.Client) -> None:
    """Other clients find nothing there, as before."""
    found = client.get("/", headers={"accept": "text/html,*/*"})
    assert (found.status_code, found.headers["location"]) == (307, "/ui/")
    assert client.get("/", headers={"accept": "*/*"}).status_code == 404


@pytest.mark.parametrize("path", ["/ui/", "/ui/sign-in", "/ui/query/1", "/ui/node/node1", "/ui/transaction/1"])
def test_all_that_a_page_names_is_there_and_nothing_is_inline(client: httpx.Client, path: str) -> None:
    """Scripts and styles are files of this server, as the security policy asks."""
    found = client.get(path)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|//[a-z]", found.text)
    named = re.findall(r'(?:src|href)="([^"#]*static/[^"]+)"', found.text)
    assert named
    for name in named:
        file = client.get(str(httpx.URL(f"http://localhost{path}").join(name)))
        assert (file.status_code, file.headers["x-content-type-options"]) == (200, "nosniff")


def test_modules_import_what_is_there(client: httpx.Client) -> None:
    """Every import of every module, with the type that browsers want."""
    for path in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text()):
            found = client.get(f"/ui/static/{name}")
            assert (found.status_code, found.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


@pytest.mark.parametrize("name", ["../routes.py", "..%2Froutes.py", "routes.py", "nothing.js"])
def test_other_files_are_not_served(client: httpx.Client, name: str) -> None:
    """Names are looked up, never joined to a path."""
    assert client.get(f"/ui/static/{name}").status_code == 404


def test_what_others_wrote_comes_with_its_licence(client: httpx.Client) -> None:
    """uPlot's."""
    assert "MIT" in client.get("/ui/static/uplot.LICENSE.txt").text


@pytest.mark.parametrize(
    "path", ["/ui/live", "/ui/data/history", "/ui/data/sky/sky/Object", "/ui/data/query/1", "/ui/data/node/node1"]
)
def test_data_need_a_token(guarded: httpx.Client, path: str) -> None:
    """Without one nothing is said; the shell holds nothing."""
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get("/ui/").status_code == 200


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"--b\r\nno header\r\n\r\n", b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--c',
     b'--b\r\nContent-Disposition: form-data; name="token"; filename="x"\r\n\r\nkey\r\n--b--\r\n',
     b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nkey\r\n' * 9 + b"--b--\r\n"],
)  # fmt: skip
def test_what_is_no_form_signs_nobody_in(guarded: httpx.Client, kind: str, body: bytes) -> None:
    """Files, too many fields, and what cannot be read: the server had failed, and logged it."""
    found = guarded.post("/ui/sign-in", content=body, headers={**HERE, "content-type": kind})
    assert (found.status_code, found.headers["location"], "set-cookie" in found.headers) == (
        303, "/ui/sign-in?wrong", False,
    )  # fmt: skip


def test_asking_whether_the_stream_may_be_read_ends(guarded: httpx.Client) -> None:
    """The page asks so when it has lost the stream. A browser sends its next request on the same connection: while the
    answer had no end, that was never answered."""
    assert guarded.head("/ui/live").status_code == 401
    guarded.post("/ui/sign-in", data={"token": "key"}, headers=HERE)
    found = guarded.head("/ui/live")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(guarded: httpx.Client) -> None:
    """It goes with requests of the page only; signing out ends it."""
    found = guarded.post("/ui/sign-in", data={"token": " key "}, headers=HERE)
    assert (found.status_code, found.headers["location"]) == (303, "/ui/")
    [token] = [one for one in found.headers.get_list("set-cookie") if one.startswith("skyshard_token=")]
    assert {"HttpOnly", "SameSite=strict", "Path=/ui"} <= set(token.split("; "))
    assert guarded.get("/ui/data/history").status_code == 200
    assert guarded.post("/query?version=55", json={"query": "SELECT 1"}).json()["success"] == 0
    guarded.post("/ui/sign-out", headers=HERE)
    assert guarded.get("/ui/data/history").status_code == 401


def test_a_wrong_token_is_said_and_sets_nothing(guarded: httpx.Client) -> None:
    found = guarded.post("/ui/sign-in", data={"token": "wrong"}, headers=HERE)
    assert (found.headers["location"], "set-cookie" in found.headers) == ("/ui/sign-in?wrong", False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (HERE, 200),
        ({"origin": "http://localhost"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_the_page_itself_stops_queries(
    client: httpx.Client, overview: PlayedOverview, headers: dict[str, str], status: int
) -> None:
    """Another site's form, and another port's, get nowhere; nor does a GET."""
    assert client.post("/ui/stop/17", headers=headers).status_code == status
    assert overview.stopped == (["17"] if status == 200 else [])
    assert client.get("/ui/stop/17", headers=HERE).status_code == 405


def test_a_query_that_has_ended_is_not_called_stopped(client: httpx.Client) -> None:
    assert client.post("/ui/stop/99", headers=HERE).json() == {"stopped": False}


def test_a_story_of_a_query_waits_for_no_plan(client: httpx.Client) -> None:
    """Which is asked for apart."""
    found = client.get("/ui/data/query/1").json()
    assert found["story"]["facts"]["statement"] == "SELECT 1 FROM Few"
    assert set(found) == {"story"}


@pytest.mark.parametrize(("sql", "told"), [("SELECT 1 FROM Few", "plan"), ("SELECT 1 FROM Nowhere", "plan_error")])
def test_a_query_of_the_history_has_a_plan_or_why_there_is_none(overview: PlayedOverview, sql: str, told: str) -> None:
    """What the statement would do now; a statement that is refused says so."""
    services = replace(played_services(PlayedQueries({"SELECT 1 FROM Few": pa.table({"a": [1]})})), overview=overview)
    number = services.submissions.submit(sql, "sky", "")
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        assert set(client.get(f"/ui/data/plan/{number}").json()) == {told}
        assert client.get("/ui/data/plan/999").status_code == 400


def test_a_query_is_measured_only_from_its_page(overview: PlayedOverview) -> None:
    """It is one of the history, and is answered once more."""
    services = replace(played_services(PlayedQueries({"SELECT 1 FROM Few": pa.table({"a": [1]})})), overview=overview)
    number = services.submissions.submit("SELECT 1 FROM Few", "sky", "")
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        assert client.post(f"/ui/measure/{number}").status_code == 403
        assert client.post(f"/ui/measure/{number}", headers=HERE).json() == {"rows": 1, "nodes": []}
        assert client.post("/ui/measure/99", headers=HERE).status_code == 400
    work.lanes.close()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/ui/data/history?state=done", "no state of a query"),
        ("/ui/data/history?since=yesterday", "no time"),
        ("/ui/data/history?below=-1", "no number"),
        ("/ui/data/sky/other/Object", "unknown database"),
        ("/ui/data/transaction/9", "no transaction 9"),
    ],
)
def test_a_wrong_question_is_answered_with_a_line(client: httpx.Client, path: str, words: str) -> None:
    """What, and the remedy."""
    found = client.get(path)
    assert found.status_code == 400
    assert words in found.json()["error"]
    assert found.json()["remedy"]


def test_other_subjects_have_no_story(client: httpx.Client) -> None:
    assert client.get("/ui/data/czar/1").status_code == 404


def test_queries_of_others_are_not_stopped_nor_their_statements_shown(overview: PlayedOverview) -> None:
    """Their rows are in the lists; the story, a measurement and the end of a query are its owner's."""
    queries = PlayedQueries({"SELECT 1 FROM Few": pa.table({"a": [1]})})
    services = replace(played_services(queries, Keys(me=Scope.QUERY, root=Scope.ADMIN)), overview=overview)
    for owner in ("me", "other"):
        services.submissions.submit("SELECT 1 FROM Few", "sky", owner)
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:

        def status(method: str, path: str, key: str) -> int:
            headers = {**HERE, "authorization": f"Bearer {key}"}
            return int(client.request(method, f"/ui{path}", headers=headers).status_code)

        assert [status("POST", f"/stop/{key}", "me") for key in (1, 2, "q_1")] == [200, 400, 400]
        assert [status("POST", f"/stop/{key}", "root") for key in (2, "q_1")] == [200, 200]
        assert [status("POST", f"/measure/{number}", "me") for number in (1, 2)] == [200, 400]
        assert [status("GET", f"/data/query/{number}", "me") for number in (1, 2)] == [200, 400]

        def listed(key: str, **wanted: str) -> list[tuple[int, str]]:
            headers = {"authorization": f"Bearer {key}"}
            found = client.get("/ui/data/history", params=wanted, headers=headers).json()["queries"]
            return [(one["number"], one["statement"]) for one in found]

        sql = "SELECT 1 FROM Few"
        assert (listed("me"), listed("root")) == ([(2, ""), (1, sql)], [(2, sql), (1, sql)])
        assert (listed("me", text="Few"), listed("root", text="Few")) == ([(1, sql)], [(2, sql), (1, sql)])
    work.lanes.close()
