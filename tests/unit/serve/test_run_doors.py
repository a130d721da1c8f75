"""The process behind the doors, with real sockets and signals; what it asks is played."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pyarrow as pa
import pytest
from tests.support.authority import Authority
from tests.support.freed import freed_in_pieces, resident_bytes
from tests.support.played_services import PlayedQueries, PlayedSubmissions, played_services
from tests.support.raw_http import raw_connection, request

from skyshard.basics.errors import UserError
from skyshard.serve import doors
from skyshard.serve.access import OpenAccess
from skyshard.serve.door import tls_context
from skyshard.serve.doors import Work, build_house
from skyshard.serve.http import http_connection
from skyshard.serve.lanes import Lanes
from skyshard.serve.run_doors import House, run_doors
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.services import PastQuery
from skyshard.serve.submitted_runs import SubmittedRuns
from skyshard.serve.user_limits import Meter

SIZE = 64 << 20
QUERIES = PlayedQueries({"one": pa.table({"n": [1]})})


def served(settings: ServeFile, visit: Callable[[str], None], queries: PlayedQueries = QUERIES) -> list[str]:
    """What the process says; ``visit`` gets the address of the first door, then SIGTERM comes."""
    said: list[str] = []
    failed: list[BaseException] = []

    def visit_and_end(address: str) -> None:
        try:
            visit(address)
        except BaseException as error:
            failed.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def tell(words: str) -> None:
        said.append(words)
        if words == "all doors are open":
            address = said[0].rpartition(" ")[2]
            threading.Thread(target=visit_and_end, args=(address,)).start()

    run_doors(lambda: build_house(played_services(queries), settings), tell, drain_s=settings.drain_s)
    if failed:
        raise failed[0]
    return said


def test_it_says_where_doors_are_answers_and_ends() -> None:
    """One line a door; a signal ends it; nothing listens afterwards, handlers are what they were."""
    before = signal.getsignal(signal.SIGTERM)
    places: list[str] = []

    def visit(address: str) -> None:
        places.append(address)
        assert httpx.get(f"{address}meta/version?version=55").json()["version"] == 55

    said = served(ServeFile(http="127.0.0.1:0", open=True), visit)
    assert re.fullmatch(r"http is ready at http://127\.0\.0\.1:[1-9]\d+/", said[0])
    assert said[-1] == "all doors are closed"
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(places[0])


def test_a_taken_address_is_one_line() -> None:
    """And what was opened before is closed again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"cannot listen on {place}: .*; choose another address"):
            served(ServeFile(http=place, open=True), lambda _: None)


def test_idle_connections_do_not_keep_it() -> None:
    """Neither one that never asked anything nor one that is kept alive takes the seconds of draining."""
    with contextlib.ExitStack() as kept:

        def visit(address: str) -> None:
            host, _, port = address.removeprefix("http://").rstrip("/").partition(":")
            kept.enter_context(socket.create_connection((host, int(port))))
            kept.enter_context(httpx.Client()).get(f"{address}meta/version")

        said = served(ServeFile(http="127.0.0.1:0", open=True, drain_s=3600.0), visit)
    assert said[-1] == "all doors are closed"


def test_doors_speak_tls_where_there_is_a_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.2 or later, of the certificate that was given; nothing is answered in the clear, and refusals arrive whole."""
    authority = Authority(tmp_path / "authority")
    tls = authority.issue(tmp_path / "tls", "localhost")

    def visit(address: str) -> None:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        assert httpx.get(f"{address}meta/version", verify=context).json()["success"] == 1
        with pytest.raises(httpx.HTTPError):
            httpx.get(address.replace("https:", "http:"))
        place = httpx.URL(address)
        with raw_connection((str(place.host), int(place.port or 0)), context) as refused:
            refused.send(request("GET", "/?" + "a" * 3_000_000))
            assert refused.answer().status == 431
            monkeypatch.setattr(http_connection, "QUIET_S", 0.01)  # from the next byte on; before, the client was busy
            refused.send(b"a")
            assert refused.has_ended()

    settings = ServeFile(http="localhost:0", open=True, certificate=Path(tls.cert), key=Path(tls.key))
    assert served(settings, visit)[0].startswith("http is ready at https://localhost:")
    assert tls_context(Path(tls.cert), Path(tls.key)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_key_of_another_certificate_is_one_line(tmp_path: Path) -> None:
    """Before anything listens."""
    authority = Authority(tmp_path / "authority")
    one, other = (authority.issue(tmp_path / name, "localhost") for name in ("one", "other"))
    settings = ServeFile(http="localhost:0", open=True, certificate=Path(one.cert), key=Path(other.key))
    with pytest.raises(UserError, match=r"are no certificate and its key: .*; give PEM files that belong together"):
        served(settings, lambda _: None)


def test_a_client_that_goes_away_has_its_query_cancelled() -> None:
    """In the middle of a result, of which most was not read from the nodes yet; nothing else tells that it is gone."""
    many = PlayedQueries({"many": pa.table({"n": pa.repeat("x" * 1000, 60_000)})})

    def visit(address: str) -> None:
        with httpx.stream("POST", f"{address}query?version=55", json={"query": "many"}) as answer:
            next(answer.iter_raw())
        assert many.closed.wait(100)

    served(ServeFile(http="127.0.0.1:0", open=True), visit, many)
    assert many.cancelled == ["of many"]
    assert sum(many.read) < 30_000


def test_what_is_behind_the_doors_is_closed_when_a_door_fails() -> None:
    """Threads of the process would keep it otherwise."""
    ended: list[str] = []

    class Behind:
        async def open(self) -> None:
            await asyncio.sleep(0)

        async def drain(self, seconds: float) -> None: ...

        async def close(self) -> None:
            ended.append("closed")

    class Stuck:
        name = "stuck"

        async def open(self) -> str:
            raise UserError("it is stuck")

        async def drain(self, seconds: float) -> None: ...

        async def close(self) -> None: ...

    with pytest.raises(UserError, match="it is stuck"):
        run_doors(lambda: House([Stuck()], Behind()), lambda _: None)
    assert ended == ["closed"]


def test_a_second_signal_leaves_what_does_not_end() -> None:
    """A work that hangs keeps nobody from ending the process, and it is said."""
    said: list[str] = []
    left: list[int] = []

    class Hangs:
        async def open(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        async def drain(self, seconds: float) -> None: ...

        async def close(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()

    run_doors(lambda: House([], Hangs()), said.append, leave=left.append)
    assert left == [1]
    assert said[-1] == "what is under way does not end: it is left as it is"


def test_what_was_left_over_is_run_later_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that was too young at the start to be taken for lost."""
    monkeypatch.setattr(doors, "UPKEEP_S", 0.01)
    queries = PlayedQueries({"one": pa.table({"n": [1]})})
    services = played_services(queries)
    submissions = services.submissions
    assert isinstance(submissions, PlayedSubmissions)
    lost = submissions.submit("one", "", "")

    async def until(state: str, number: int) -> None:
        while submissions.rows[number].state != state:
            await asyncio.sleep(0.01)

    async def run() -> None:
        work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
        await work.open()
        assert submissions.rows[lost].state == "queued"
        submissions.waiting = [lost]
        await until("completed", lost)
        submissions.waiting = []
        await work.close()

    asyncio.run(run())


def test_memory_that_answers_took_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is busy for once is not large for ever."""
    monkeypatch.setattr(doors, "UPKEEP_S", 0.01)

    async def run() -> None:
        work = Work(played_services(QUERIES), ServeFile(http="127.0.0.1:0", open=True))
        with freed_in_pieces(SIZE):
            before = resident_bytes()
            await work.open()
            while resident_bytes() > before - SIZE // 2:
                await asyncio.sleep(0.01)
            await work.close()

    asyncio.run(run())


def test_what_was_taken_over_and_waits_is_left_to_others() -> None:
    """It may be another process's, which lives: only what was submitted here, or has begun here, is cancelled."""
    begun, go = threading.Event(), threading.Event()

    class Slow(PlayedSubmissions):
        def run(self, number: int, meter: Meter | None = None) -> None:
            begun.set()
            go.wait()

        def cancel(self, number: int) -> PastQuery:
            go.set()
            return super().cancel(number)

    submissions = Slow(QUERIES)

    async def run() -> None:
        lanes = Lanes(QUERIES, scan=1)
        runs = SubmittedRuns(submissions, lanes, OpenAccess())
        mine = await runs.submit("one", "", "")
        await asyncio.to_thread(begun.wait)
        theirs = submissions.submit("one", "", "")
        submissions.waiting = [mine, theirs]
        assert list(await runs.resume()) == [theirs]
        assert list(await runs.resume()) == []
        await runs.close()
        await lanes.end()
        assert [submissions.rows[one].state for one in (mine, theirs)] == ["cancelled", "queued"]

    asyncio.run(run())
