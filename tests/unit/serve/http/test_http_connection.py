"""Each request over a raw socket gets a whole answer or a refusal, and the next one on its connection, too."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.played_services import PlayedQueries, played_services
from tests.support.raw_http import RawConnection, raw_connection, request

from skyshard.serve.door import Address
from skyshard.serve.doors import Work, http_routes, ingest_app, safe_app
from skyshard.serve.http import http_connection, safety
from skyshard.serve.http.http_door import HttpDoor
from skyshard.serve.serve_file import ServeFile

Place = tuple[str, int]
NEXT = request("GET", "/meta/version?version=55")
LONG = 3_000_000
"""More than a socket takes before it is read."""
CHUNK = b"%x\r\n" % LONG + b"x" * LONG
LIMIT_MB = 1.0


@contextlib.contextmanager
def open_http(app: ASGIApp) -> Iterator[Place]:
    """A door in a thread of its own, closed at leaving."""
    ready, ended, places = threading.Event(), threading.Event(), list[Place]()

    async def serve() -> None:
        door = HttpDoor("http", Address("127.0.0.1", 0), app)
        try:
            address = Address.of((await door.open()).removeprefix("http://").rstrip("/"))
            places.append((address.host, address.port))
        finally:
            ready.set()
        await asyncio.to_thread(ended.wait)
        await door.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="http-door")
    thread.start()
    ready.wait()
    try:
        yield places[0]
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module", params=["http", "ingest"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Of either door."""
    settings = ServeFile(http="127.0.0.1:0", open=True, body_mb=LIMIT_MB)
    work = Work(played_services(PlayedQueries({})), settings)
    if request.param == "http":
        app = safe_app(http_routes(work), settings)
    else:
        app = ingest_app(Address("127.0.0.1", 1), work)
    with open_http(app) as made:
        yield made
    work.lanes.close()


@pytest.fixture
def connection(place: Place) -> Iterator[RawConnection]:
    with raw_connection(place) as made:
        yield made


def test_requests_that_wait_for_one_another_are_answered_in_order(connection: RawConnection) -> None:
    """Sent at once, among them HEAD, an empty line, one with a body that nobody reads, one in chunks."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"version": 55}') + b"0\r\n\r\n"
    connection.send(
        NEXT, request("HEAD", "/meta/version"), b"\r\n", request("GET", "/nothing", body=b"x" * 1000),
        request("GET", "/meta/version", "Transfer-Encoding: chunked", body=chunks), request("OPTIONS", "*"), NEXT,
    )  # fmt: skip
    statuses = [connection.answer(to_head=number == 1).status for number in range(6)]
    assert statuses == [200, 200, 404, 200, 404, 200]


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://localhost:80/meta/version", 200), ("http://127.0.0.1", 404), ("HTTP://elsewhere.example/ui/", 400),
     ("/meta%2Fversion/", 200), ("/meta/version%00", 404), ("/%ff%zz", 404)],
)  # fmt: skip
def test_targets_are_paths_or_addresses_of_this_server(connection: RawConnection, target: str, status: int) -> None:
    """A whole address, as for a proxy, means the path in it, of the host in it: its header is not asked."""
    connection.send(request("GET", target))
    found = connection.answer()
    assert found.status == status or (status == 404 and found.body == b"skyshard ingest\n")
    if not found.is_last:
        connection.send(NEXT)
        assert connection.answer().status == 200


@pytest.mark.parametrize("expected", ["Expect: 100-continue", ""])
def test_an_answer_before_the_end_of_a_body_ends_the_connection(connection: RawConnection, expected: str) -> None:
    """A client that was to be told whether to send it need not; what it sends next would be taken for the body, and
    never be answered."""
    connection.send(request("POST", "/nothing", *([expected] if expected else []), f"Content-Length: {LONG // 10}"))
    found = connection.answer()
    assert (found.status, found.is_last) == (404, True)
    connection.send(b"x" * 100)
    assert connection.has_ended()


def test_a_body_is_asked_for_where_it_is_read(connection: RawConnection) -> None:
    """``Expect: 100-continue`` of a request that is answered from its body."""
    connection.send(request("GET", "/meta/version", "Expect: 100-continue", "Content-Length: 14"))
    connection.send(b'{"version":55}', NEXT)
    assert [connection.answer().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [(request("POST", "/query", body=b"x" * LONG), 413, "longer than 1,000,000 bytes"),
     (request("GET", "/meta/version", "Transfer-Encoding: chunked", body=CHUNK), 413, ""),
     (request("POST", "/query", "Host: x.example", "Transfer-Encoding: chunked", body=CHUNK), 400, "Host"),
     (request("GET", "/?" + "a" * LONG), 431, "65,536 bytes"),
     (request("GET", "/", *[f"X-{number}: {'a' * 1000}" for number in range(3000)]), 431, "65,536 bytes"),
     (request("GET", "/?" + "a" * 70_000), 431, "65,536 bytes"),
     (request("POST", "/query", "Transfer-Encoding: chunked", body=b"zz\r\n" + b"x" * LONG), 400, "chunk"),
     (request("POST", "/query", "Transfer-Encoding: chunked", "Content-Length: 9", body=b"0\r\n\r\n"), 400, "not both"),
     (request("POST", "/query", "Transfer-Encoding: gzip, chunked"), 501, "chunked"),
     (request("POST", "/query", "Content-Length: -1"), 400, "Content-Length"),
     (request("GET", "/", "Host: a", "Host: b"), 400, "Host"),
     (request("GET", "/", version="9.9"), 505, "HTTP/1.1"),
     (b"\x16\x03\x01\x02\x00\x01" + b"\0" * LONG, 400, "")],
    ids=["long body", "long chunks", "wrong name", "long target", "long headers", "target at once", "no chunk",
         "two lengths", "no coding", "no length", "two hosts", "version", "tls"],
)  # fmt: skip
def test_a_refusal_is_read_whole_whatever_the_client_still_sends(
    connection: RawConnection, raw: bytes, status: int, words: str
) -> None:
    """The connection is not reset before the client has read why, and ends then."""
    connection.send(raw)
    found = connection.answer()
    assert (found.status, found.is_last) == (status, True)
    assert words in found.body.decode()
    assert connection.has_ended()


def test_old_clients_get_an_answer_and_the_end(connection: RawConnection) -> None:
    """HTTP/1.0."""
    connection.send(request("GET", "/meta/version", version="1.0"))
    assert (connection.answer().status, connection.has_ended()) == (200, True)


@pytest.mark.parametrize("last", [request("GET", "/", "Connection: close"), request("GET", "/", version="1.0")])
@pytest.mark.parametrize("behind", [b"\r\n", NEXT])
def test_what_comes_behind_the_last_request_is_nothing_to_its_answer(last: bytes, behind: bytes) -> None:
    """An empty line, as old clients send one, or another request: it had been refused in the place of the answer."""
    begun, go_on = threading.Event(), threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.to_thread(go_on.wait)
        await PlainTextResponse("whole")(scope, receive, send)

    with open_http(app) as place, raw_connection(place) as connection:
        connection.send(last)
        assert begun.wait(20)
        connection.send(behind)
        go_on.set()  # the door reads what has come before it goes on
        assert (connection.answer().body, connection.has_ended()) == (b"whole", True)


def test_an_aborted_body_concerns_its_own_connection_only(place: Place) -> None:
    """The next one is answered."""
    with raw_connection(place) as aborted:
        aborted.send(request("POST", "/query", "Content-Length: 1000"), b"x")
    with raw_connection(place) as other:
        other.send(NEXT)
        assert other.answer().status == 200


def test_a_head_that_does_not_end_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many bytes come meanwhile; where nothing has come the connection just ends."""
    with raw_connection(place) as slow:
        slow.send(NEXT)
        assert slow.answer().status == 200
        monkeypatch.setattr(http_connection, "HEAD_S", 0.05)  # from the first byte of the next head on
        slow.send(b"GET / HTTP/1.1\r\nHost: loc")
        assert slow.answer().status == 408
        assert slow.has_ended()
    with raw_connection(place) as silent:
        assert silent.has_ended()


def test_a_body_that_does_not_go_on_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection was kept for ever."""
    monkeypatch.setattr(safety, "BODY_S", 0.05)
    with raw_connection(place) as slow:
        slow.send(request("GET", "/meta/version", "Content-Length: 1000"), b"x")
        assert slow.answer().status == 408
        assert slow.has_ended()


def test_a_client_that_takes_nothing_of_its_answer_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what answers it is told."""
    monkeypatch.setattr(http_connection, "WRITE_S", 0.2)
    told = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(20):
            await send({"type": "http.response.body", "body": b"x" * LONG, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        if (await receive())["type"] == "http.disconnect":
            told.set()

    with open_http(app) as place, raw_connection(place) as silent:
        silent.send(NEXT)
        assert told.wait(20)
        with pytest.raises((AssertionError, OSError)):
            silent.answer()


def test_a_client_that_goes_is_seen_behind_its_next_request() -> None:
    """What answers is told, though a request that waits for its turn was not read on from."""
    begun, told = threading.Event(), threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        begun.set()
        if (await receive())["type"] == "http.disconnect":
            told.set()

    with open_http(app) as place:
        with raw_connection(place) as gone:
            gone.send(NEXT + NEXT)
            assert begun.wait(20)
        assert told.wait(20)


def test_what_is_no_request_is_refused_behind_answers(connection: RawConnection) -> None:
    """Those before it are whole, to HEAD, too."""
    connection.send(NEXT, request("HEAD", "/meta/version"), b"nothing of it\r\n\r\n", NEXT)
    found = [connection.answer(to_head=number == 1) for number in range(3)]
    assert [one.status for one in found] == [200, 200, 400]
    assert (found[-1].is_last, connection.has_ended()) == (True, True)
