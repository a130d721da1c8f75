"""Answers below ``/v1``: the envelope, and the HTTP status that it asks for."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2 as httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient
from tests.support.played_services import Keys, PlayedQueries, played_services

from skyshard.basics.errors import Bug, ClusterError, InUse, NoRoom, Refusal, SkyshardError, UserError
from skyshard.serve.access import Scope
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.qserv.coded_answers import status_of
from skyshard.serve.qserv.envelope import NotAllowed, NoToken, NotThere, WrongVersion, envelope
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.user_limits import OverQuota

FEW = "SELECT n FROM Few"
KEY = {"authorization": "Bearer key"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    queries = PlayedQueries({FEW: pa.table({"n": [1]}), "SELECT 1 FROM Gone": ClusterError("node1 is gone")})
    settings = ServeFile(http="127.0.0.1:0", open=True)
    work = Work(played_services(queries, Keys(key=Scope.QUERY)), settings)
    with TestClient(safe_app(http_routes(work), settings), base_url="http://localhost") as made:
        yield made
    work.lanes.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("a"), 400), (Refusal("b", "c"), 400), (WrongVersion(3), 400), (NoToken("a"), 401),
        (NotAllowed("a"), 403), (NotThere("a"), 404), (InUse("a", retryable=True), 409), (OverQuota("a"), 429),
        (ClusterError("a"), 502), (ClusterError("a", retryable=True), 503), (NoRoom("a"), 507), (Bug("a"), 500),
        (SkyshardError("the server failed"), 500),
    ],
)  # fmt: skip
def test_a_status_says_whose_fault_it_is(error: SkyshardError, status: int) -> None:
    """Of every kind of error; no error is 200."""
    assert status_of(envelope(error)) == status
    assert status_of(envelope()) == 200


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/query", {"query": FEW}, KEY, 200),
        ("/query/", {"query": FEW}, KEY, 200),
        ("/query", {"query": FEW}, {}, 401),
        ("/query", {"query": "SELECT 1 FROM Gone"}, KEY, 502),
        ("/query", {"query": FEW, "version": 5}, KEY, 400),
        ("/query", {}, KEY, 400),
        ("/query-async", {"query": FEW}, {"authorization": "Bearer wrong"}, 401),
    ],
)
def test_the_body_is_the_same_with_and_without(
    client: httpx.Client, path: str, body: dict[str, object], headers: dict[str, str], status: int
) -> None:
    """Only the status differs, which is always 200 where Qserv's clients ask."""
    body = {"version": 55, **body}
    qserv, own = (client.post(f"{prefix}{path}", json=body, headers=headers) for prefix in ("", "/v1"))
    assert (qserv.status_code, own.status_code) == (200, status)
    assert qserv.content == own.content


def test_a_query_that_is_not_there_is_404(client: httpx.Client) -> None:
    """As a path that is not."""
    assert client.get("/v1/query-async/status/77", headers=KEY).status_code == 404
    assert client.get("/query-async/status/77", headers=KEY).status_code == 200
    assert client.get("/v1/nothing", headers=KEY).status_code == 404
