"""TAP over HTTP, in memory: translation, documents and jobs are real, what the czar answers is played."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import httpx2 as httpx
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from starlette.testclient import TestClient
from tests.support.four_chunks import Source
from tests.support.played_services import (
    Keys,
    PlayedOwnTables,
    PlayedQueries,
    PlayedSubmissions,
    played_services,
    played_tap,
)

from skyshard.basics.errors import ClusterError
from skyshard.serve.access import Access, Scope
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.tap.jobs import JobFolder
from skyshard.serve.tap.tap_jobs import LOST

ROWS = pa.table({"objectId": pa.array(range(1, 8), pa.int64()), "ra": [float(value) for value in range(7)]})
ASKED = "SELECT objectId, ra FROM sky.Object"
CZAR = "SELECT `objectId`, `ra` FROM `sky`.`Object` LIMIT {}"
BROKEN = "SELECT `ra` FROM `sky`.`Object` LIMIT 11"
UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
OWN = "SELECT `table_name` FROM `own`.`tables` AS `tables` LIMIT 11"
Played = tuple[httpx.Client, PlayedOwnTables]


def played(folder: Path, access: Access | None = None) -> Iterator[Played]:
    answers = {CZAR.format(limit): ROWS.slice(0, limit) for limit in (1, 5, 11, 1_000_001)}
    queries = PlayedQueries({**answers, BROKEN: ClusterError("node1: /a/secret/node1.sock is gone")}, batch_rows=3)
    own = PlayedOwnTables(answers={OWN: pa.table({"table_name": ["sky.Object"]})})
    services = played_services(queries, access, played_tap(Source(), own, folder))
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True, tap_rows=10, tap_upload_mb=0.01))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        yield client, own
    work.lanes.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Played]:
    yield from played(tmp_path)


@pytest.fixture
def client(door: Played) -> httpx.Client:
    return door[0]


def status_of(document: bytes) -> list[str]:
    infos = parse(io.BytesIO(document), verify="ignore").resources[0].infos
    return [info.value for info in infos if info.name == "QUERY_STATUS"]


@pytest.mark.parametrize("maxrec", [0, 4, 10])
def test_rows_are_cut_at_maxrec_and_it_is_said(client: httpx.Client, maxrec: int) -> None:
    """Names of parameters in any case, by GET, as a form and as its parts; more rows than asked for are told."""
    given = {"query": ASKED, "Lang": "adql-2.1", "MAXREC": str(maxrec)}
    answers = [
        client.get("/tap/sync", params={**given, "Lang": "", "REQUEST": "", "FORMAT": ""}),  # as forms of pages send it
        client.get("/tap/sync", params=given),
        client.post("/tap/sync", data=given),
        client.post("/tap/sync", files={name: (None, value) for name, value in given.items()}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
            200,
            "application/x-votable+xml",
        )
        found = parse(io.BytesIO(answer.content)).get_first_table()
        assert list(found.array["objectId"].data) == list(range(1, 8))[:maxrec]
        assert [(field.name, field.datatype) for field in found.fields] == [("objectId", "long"), ("ra", "double")]
        assert status_of(answer.content) == (["OK", "OVERFLOW"] if maxrec < 7 else ["OK"])


def test_what_is_wrong_is_a_document_in_one_line(client: httpx.Client) -> None:
    """400 where the request is wrong, 503 where the cluster is."""
    wrong = {
        "there is no QUERY": {},
        "'lojban' is not known": {"QUERY": ASKED, "LANG": "lojban"},
        "no format 'fits'": {"QUERY": ASKED, "RESPONSEFORMAT": "fits"},
        "MAXREC 'x' is no whole number": {"QUERY": ASKED, "MAXREC": "x"},
        "MAXREC '1_0' is no whole number": {"QUERY": ASKED, "MAXREC": "1_0"},
        "REQUEST 'getAll' is not known": {"QUERY": ASKED, "REQUEST": "getAll"},
        "which did not come": {"QUERY": ASKED, "UPLOAD": "a,param:b"},
        "does not name a table": {"QUERY": ASKED, "UPLOAD": "1a,param:b"},
        "cannot be read": {"QUERY": ASKED, "UPLOAD": "a,http://127.0.0.1:9/"},
        "no URL of http": {"QUERY": ASKED, "UPLOAD": "a,file:///etc/passwd"},
        "there is no table 'sky.Objct'": {"QUERY": "SELECT ra FROM sky.Objct"},
        "syntax error": {"QUERY": "DUFF QUERY (SELECT"},
    }
    for words, given in wrong.items():
        answer = client.get("/tap/sync", params=given)
        info = parse(io.BytesIO(answer.content), verify="ignore").resources[0].infos[0]
        assert (answer.status_code, info.value) == (400, "ERROR"), words
        assert words in info.content or "does not begin" in info.content
        assert "\n" not in info.content
    lost = client.get("/tap/sync", params={"QUERY": "SELECT ra FROM sky.Object"})
    assert (lost.status_code, status_of(lost.content)) == (503, ["ERROR"])
    assert "node1: (a path) is gone" in lost.text


def test_a_job_is_made_run_read_and_deleted(client: httpx.Client) -> None:
    """As UWS has it: parameters change before it has begun only; rows are as those of a query at once."""
    made = client.post("/tap/async", data={"QUERY": "SELECT 1", "RUNID": "mine"}, follow_redirects=False)
    place = made.headers["location"]
    assert (made.status_code, client.get(f"{place}/phase").text) == (303, "PENDING")
    client.post(f"{place}/parameters", data={"QUERY": ASKED, "MAXREC": "4", "RESPONSEFORMAT": "csv"})
    client.post(f"{place}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"})
    client.post(f"{place}/phase", data={"PHASE": "RUN"})
    job = ElementTree.fromstring(client.get(place, params={"WAIT": "20"}).content)
    said = {part.tag.partition("}")[2]: part.text for part in job}
    assert (said["phase"], said["ownerId"], said["runId"]) == ("COMPLETED", "everyone", "mine")
    assert said["destruction"] == client.get(f"{place}/destruction").text == "2020-01-01T00:00:00.000Z"
    assert client.post(f"{place}/parameters", data={"MAXREC": "9"}).status_code == 403
    (href,) = (part.attrib["{http://www.w3.org/1999/xlink}href"] for part in job.iterfind(".//uws:result", UWS))
    assert [row[0] for row in csv.reader(client.get(href).text.splitlines())] == ["objectId", "1", "2", "3", "4"]
    assert client.get(f"{place}/error").status_code == 404
    listed = client.get("/tap/async").text  # its time has come
    assert place not in listed
    assert client.get(place).status_code == 404


def test_a_job_may_fail_be_aborted_or_ask_tap_schema(client: httpx.Client) -> None:
    """The error of one that failed is a document; one that waits can be aborted; TAP_SCHEMA needs no nodes."""

    def run(query: str, **more: str) -> str:
        made = client.post("/tap/async", data={"QUERY": query, "PHASE": "RUN", **more}, follow_redirects=False)
        return str(made.headers["location"])

    for query, words in (
        ("SELECT ra FROM sky.Object", "(a path) is gone"),
        ("SELECT x FROM nowhere", "no table"),
    ):
        place = run(query)
        client.get(place, params={"WAIT": "20"})
        assert client.get(f"{place}/phase").text == "ERROR"
        assert words in client.get(f"{place}/error").text
        assert status_of(client.get(f"{place}/results/result").content) == ["ERROR"]
    waits = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    client.post(f"{waits}/phase", data={"PHASE": "ABORT"})
    assert client.get(f"{waits}/phase").text == "ABORTED"
    own = run("SELECT table_name FROM TAP_SCHEMA.tables", RESPONSEFORMAT="csv")
    client.get(own, params={"WAIT": "20"})
    assert client.get(f"{own}/results/result").text.split() == ["table_name", '"sky.Object"']
    listed = ElementTree.fromstring(client.get("/tap/async", params={"PHASE": "ABORTED"}).content)
    assert [part.attrib["id"] for part in listed] == [waits.rpartition("/")[2]]
    assert client.delete(own, follow_redirects=False).status_code == 303
    assert client.get(own).status_code == 404


def test_a_job_s_query_has_the_time_that_is_asked_for(tmp_path: Path) -> None:
    """Whichever process runs it; at most what the door gives."""
    services = played_services(PlayedQueries({CZAR.format(11): ROWS}), None, played_tap(Source(), folder=tmp_path))
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True, tap_rows=10, tap_duration_s=60))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        for wanted in ({"EXECUTIONDURATION": "7"}, {"EXECUTIONDURATION": "61"}, {}):
            made = client.post("/tap/async", data={"QUERY": ASKED, "PHASE": "RUN", **wanted}, follow_redirects=False)
            assert "COMPLETED" in client.get(made.headers["location"], params={"WAIT": "20"}).text
    work.lanes.close()
    assert isinstance(services.submissions, PlayedSubmissions)
    assert services.submissions.limits_s == {1: 7, 2: 60, 3: 60}


@pytest.mark.parametrize(
    ("part", "given", "words"),
    [
        ("executionduration", {"EXECUTIONDURATION": "nan"}, "'nan' is no number"),
        ("executionduration", {"EXECUTIONDURATION": "inf"}, "'inf' is no number"),
        ("destruction", {"DESTRUCTION": "0001-01-01T00:00:00+14:00"}, "is no time"),
        ("destruction", {"DESTRUCTION": "9999-12-31T23:59:59-14:00"}, "is no time"),
        ("phase", {"PHASE": "COMPLETED"}, "cannot be asked for"),
    ],
)
def test_what_a_job_cannot_be_given_is_refused(
    client: httpx.Client, part: str, given: dict[str, str], words: str
) -> None:
    """The server failed by some of them, or the job did whenever it was looked at afterwards."""
    made = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    before = client.get(made).text
    answer = client.post(f"{made}/{part}", data=given)
    assert (answer.status_code, status_of(answer.content)) == (400, ["ERROR"])
    assert words in answer.text
    assert client.get(made).text == before
    for wrong in ("LAST=inf", "AFTER=yesterday", "PHASE=BEGUN"):
        assert client.get(f"/tap/async?{wrong}").status_code == 400
    held = client.get("/tap/async?PHASE=HELD")  # UWS has it, and no job is
    assert (held.status_code, "jobref" in held.text) == (200, False)
    assert client.get(made, params={"WAIT": "nan"}).status_code == 400


@pytest.mark.parametrize(
    ("given", "shown"), [("0.5", "1"), ("-1", "0"), ("0", "0"), ("90", "90"), ("1e300", "31622400")]
)
def test_a_job_s_time_is_whole_seconds(client: httpx.Client, given: str, shown: str) -> None:
    """Half a second is not for ever, and -1 not a minute."""
    made = client.post("/tap/async", data={"QUERY": ASKED, "EXECUTIONDURATION": given}, follow_redirects=False)
    assert client.get(f"{made.headers['location']}/executionduration").text == shown


def test_a_job_is_not_deleted_by_looking_at_it(client: httpx.Client) -> None:
    """A link can be followed from anywhere, and browsers may follow it before anybody wants them to."""
    made = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    assert client.get(made, params={"ACTION": "DELETE"}).status_code == 200
    assert client.get(f"{made}/phase").text == "PENDING"
    client.post(made, data={"ACTION": "DELETE"})
    assert client.get(made).status_code == 404


@pytest.mark.parametrize("processes", [1, 2])
def test_a_job_that_two_begin_at_once_runs_once(tmp_path: Path, processes: int) -> None:
    """Also in two processes over one cluster: the query of the first one was nobody's any more; it ran on, and nobody
    could stop it."""
    submitted = PlayedSubmissions(PlayedQueries({CZAR.format(11): ROWS}))
    works = []
    for _ in range(processes):
        services = played_services(submitted.queries, None, played_tap(Source(), PlayedOwnTables(), tmp_path))
        settings = ServeFile(http="127.0.0.1:0", open=True, tap_rows=10)
        works.append(Work(replace(services, submissions=submitted), settings))
    apps = [safe_app(http_routes(work), work.settings) for work in works]

    async def both() -> list[str]:
        async with contextlib.AsyncExitStack() as opened:
            clients = [
                await opened.enter_async_context(
                    httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")
                )
                for app in apps
            ]
            made = (await clients[0].post("/tap/async", data={"QUERY": ASKED})).headers["location"]
            asked = [client.post(f"{made}/phase", data={"PHASE": "RUN"}) for client in clients for _ in range(3)]
            await asyncio.gather(*asked, clients[-1].post(f"{made}/parameters", data={"RUNID": "late"}))
            for work in works:
                await work.runs.drain(100)
            return [(await client.get(f"{made}/phase")).text for client in clients]

    assert asyncio.run(both()) == ["COMPLETED"] * processes
    assert len(submitted.rows) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    for work in works:
        work.lanes.close()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_job_of_another_process_is_aborted_and_deleted(
    client: httpx.Client, tmp_path: Path, *, is_deleted: bool
) -> None:
    """It was said to run on, and left its rows where nobody looked for them."""
    made = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    folder = JobFolder(tmp_path)
    job = folder.find(made.rpartition("/")[2])
    assert job is not None
    folder.save(replace(job, is_here=True, begun_s=1.0))
    running = folder.running(job.job_id)
    assert running.take()
    assert client.get(f"{made}/phase").text == "EXECUTING"
    if is_deleted:
        client.delete(made)
        assert list(tmp_path.iterdir()) == []
    else:
        client.post(f"{made}/phase", data={"PHASE": "ABORT"})
        assert client.get(f"{made}/phase").text == "ABORTED"
    running.leave()


def test_a_job_whose_process_is_gone_has_failed(client: httpx.Client, tmp_path: Path) -> None:
    """Also one of before the host began anew, or of another host, which no number of a process tells: it was said to
    run on until the time of its destruction."""
    made = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    folder = JobFolder(tmp_path)
    job = folder.find(made.rpartition("/")[2])
    assert job is not None
    folder.save(replace(job, is_here=True, begun_s=1.0))
    (tmp_path / f"{job.job_id}.running").touch()
    assert 'skyshard_tap_jobs{phase="ERROR"} 1.0' in client.get("/metrics").text
    assert "<uws:phase>ERROR</uws:phase>" in client.get("/tap/async").text
    assert LOST in client.get(f"{made}/error").text
    assert [path.name for path in tmp_path.iterdir()] == [f"{job.job_id}.json"]


@pytest.mark.parametrize("content", ['{"version": 2, "job_id": 1}', "{}", "[]", "x", '{"version": 1}'])
def test_a_file_that_is_no_job_of_this_release_is_passed_over(
    client: httpx.Client, tmp_path: Path, content: str
) -> None:
    """Other jobs are listed, and counted, beside it."""
    place = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    (tmp_path / f"{'0' * 24}.json").write_text(content)
    assert place.rpartition("/")[2] in client.get("/tap/async").text
    assert 'skyshard_tap_jobs{phase="PENDING"} 1.0' in client.get("/metrics").text
    assert client.get(f"/tap/async/{'0' * 24}").status_code == 404


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[httpx.Client, str, Callable[[], None]]]:
    """A job that runs in this process, its place, and what lets it end and waits for that."""
    begun, go = threading.Event(), threading.Event()

    class Held(PlayedOwnTables):
        def ask(self, sql: str) -> pa.Table:
            begun.set()
            assert go.wait(60)
            return super().ask(sql)

    own = Held(answers={OWN: pa.table({"table_name": ["sky.Object"]})})
    services = played_services(PlayedQueries({}), None, played_tap(Source(), own, folder))
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True, tap_rows=10))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        query = {"QUERY": "SELECT table_name FROM TAP_SCHEMA.tables", "PHASE": "RUN"}
        made = client.post("/tap/async", data=query, follow_redirects=False).headers["location"]
        assert begun.wait(60)

        def end() -> None:
            go.set()
            while work.tap._jobs._here:
                client.get("/tap/availability")

        yield client, made, end
    work.lanes.close()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_job_that_another_process_ends_leaves_no_rows(tmp_path: Path, *, is_deleted: bool) -> None:
    """Rows that come afterwards are dropped, and the job stays as the other one has left it."""
    folder = JobFolder(tmp_path)
    with running(tmp_path) as (client, made, end):
        job = folder.find(made.rpartition("/")[2])
        assert job is not None
        if is_deleted:
            folder.forget(job.job_id)
        else:
            folder.save(replace(job, ended="ABORTED"))
        end()
        left = [] if is_deleted else [f"{job.job_id}.json"]
        assert [path.name for path in tmp_path.iterdir()] == left
        assert client.get(f"{made}/phase").text == ("there is no such job\n" if is_deleted else "ABORTED")


def test_a_time_of_destruction_that_comes_while_a_job_runs_is_kept(tmp_path: Path) -> None:
    """The end of a job that a process of the door runs put the old one back."""
    with running(tmp_path) as (client, made, end):
        before = client.get(f"{made}/destruction").text
        client.post(f"{made}/destruction", data={"DESTRUCTION": before.replace("Z", "+01:00")})
        wanted = client.get(f"{made}/destruction").text
        end()
        assert wanted < before
        assert [client.get(f"{made}/{part}").text for part in ("phase", "destruction")] == ["COMPLETED", wanted]


def test_nothing_of_a_job_that_is_deleted_stays(client: httpx.Client, tmp_path: Path) -> None:
    """Drafts that a killed process left are the job's, too."""
    made = client.post("/tap/async", data={"QUERY": ASKED}, follow_redirects=False).headers["location"]
    name = made.rpartition("/")[2]
    (tmp_path / f".{name}.parquet.12.tmp").write_bytes(b"x")
    (tmp_path / f".{name}.json.12.tmp").write_bytes(b"x")
    client.delete(made)
    assert list(tmp_path.iterdir()) == []


def test_jobs_are_counted_by_phase(client: httpx.Client) -> None:
    """For monitoring: of all owners, those that wait, that have ended, and whose query the history has forgotten."""

    def counted() -> dict[str, float]:
        shown = re.findall(r'^skyshard_tap_jobs{phase="(\w+)"} (\S+)$', client.get("/metrics").text, re.MULTILINE)
        return {phase: float(number) for phase, number in shown if float(number)}

    assert counted() == {}
    client.post("/tap/async", data={"QUERY": ASKED})
    made = client.post("/tap/async", data={"QUERY": ASKED, "PHASE": "RUN"}, follow_redirects=False)
    assert "COMPLETED" in client.get(made.headers["location"], params={"WAIT": "60"}).text
    client.post("/tap/async", data={"QUERY": "SELECT nothing", "PHASE": "RUN"})
    assert counted() == {"PENDING": 1, "COMPLETED": 1, "ERROR": 1}
    client.delete(made.headers["location"])
    assert counted() == {"PENDING": 1, "ERROR": 1}


def test_jobs_are_their_owners(tmp_path: Path) -> None:
    """Others see neither them nor that they are there; without a token nothing is answered."""

    for client, _ in played(tmp_path, Keys(me=Scope.QUERY, other=Scope.QUERY)):
        mine, other = ({"authorization": f"Bearer {name}"} for name in ("me", "other"))
        made = client.post("/tap/async", data={"QUERY": ASKED}, headers=mine, follow_redirects=False)
        place = made.headers["location"]
        assert [client.get(place, headers=who).status_code for who in (mine, other, {})] == [200, 404, 401]
        assert place not in client.get("/tap/async", headers=other).text
        client.post(f"{place}/phase", data={"PHASE": "RUN"}, headers=mine)
        answers = [client.get("/query-async/status/1?version=55", headers=who).json() for who in (mine, other)]
        assert [one["success"] for one in answers] == [1, 0]  # the query that a job is, too
        assert client.get("/tap/sync", params={"QUERY": ASKED}).status_code == 401
        assert client.get("/tap/capabilities").status_code == 200


def test_tables_are_those_of_tap_schema(door: Played) -> None:
    """The same tables and columns with the same types, TAP_SCHEMA's own among them."""
    client, own = door
    document = client.get("/tap/tables").text
    root = ElementTree.fromstring(document)
    listed = [
        (table.findtext("name"), column.findtext("name"), column.findtext("dataType"))
        for table in root.iter("table") for column in table.iter("column")
    ]  # fmt: skip
    assert listed == [tuple(row[:3]) for row in own.rows["columns"]]
    assert ("TAP_SCHEMA.columns", '"size"', "int") in listed
    assert ("sky.Object", "ra", "double") in listed
    assert "<column" not in client.get("/tap/tables", params={"detail": "min"}).text
    one = ElementTree.fromstring(client.get("/tap/tables/sky.Object").content)
    assert (one.tag.partition("}")[2], one.findtext("name")) == ("table", "sky.Object")


def test_examples_can_be_asked(client: httpx.Client) -> None:
    """As they stand on the page."""
    page = client.get("/tap/examples").text
    queries = re.findall(r'property="query">([^<]*)<', page)
    assert len(queries) > 1
    for query in queries:
        found = client.get("/tap/sync", params={"QUERY": unescape(query), "MAXREC": "1"})
        assert "no such statement" in found.text, query  # it was translated; the played czar knows few


VOTABLE = """<VOTABLE version="1.3"><RESOURCE><TABLE>
<FIELD name="n" datatype="unsignedByte"/><FIELD name="x" datatype="double" unit="deg"/>
<FIELD name="word" datatype="char" arraysize="*"/><FIELD name="is" datatype="boolean"/>
<DATA><TABLEDATA><TR><TD>7</TD><TD>1.5</TD><TD>a</TD><TD>true</TD></TR><TR><TD/><TD>NaN</TD><TD>b</TD><TD/></TR></TABLEDATA></DATA>
</TABLE></RESOURCE></VOTABLE>"""


def test_tables_are_brought_with_a_query(client: httpx.Client) -> None:
    """At once and with a job, as a file or a text; columns come back as they were declared."""
    query = {"QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:t1"}
    at_once = [
        client.post("/tap/sync", data=query, files={"t1": ("t.xml", VOTABLE.encode(), "application/xml")}),
        client.post("/tap/sync", data={**query, "t1": VOTABLE}),
    ]
    made = client.post("/tap/async", data={**query, "t1": VOTABLE}, follow_redirects=False).headers["location"]
    assert "VOTABLE" not in client.get(f"{made}/parameters").text
    client.post(f"{made}/phase", data={"PHASE": "RUN"})
    client.get(made, params={"WAIT": "20"})
    for answer in (*at_once, client.get(f"{made}/results/result")):
        found = parse(io.BytesIO(answer.content)).get_first_table()
        kinds = [(field.name, field.datatype, str(field.unit or "")) for field in found.fields]
        assert kinds == [("n", "unsignedByte", ""), ("x", "double", "deg"), ("word", "char", ""), ("is", "boolean", "")]
        assert list(found.array["n"].filled(0)) == [7, 0]
        assert [bool(found.array["is"].data[0]), bool(found.array["is"].mask[1])] == [True, True]
        assert [str(word) for word in found.array["word"].data] == ["a", "b"]


def test_uploads_that_are_no_tables_are_refused(client: httpx.Client) -> None:
    """With the name of the upload and the column."""
    wrong = {
        "is no VOTable": "hello",
        "has a DTD": '<!DOCTYPE x [<!ENTITY a "b">]>' + VOTABLE,
        "column 'x': double[3] is not taken": VOTABLE.replace('"double"', '"double" arraysize="3"'),
        "two columns of one name": VOTABLE.replace('"word"', '"N"'),
        "no infinity": VOTABLE.replace("1.5", "+Inf"),
    }
    for words, document in wrong.items():
        query = {"QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:t1", "t1": document}
        answer = client.post("/tap/sync", data=query)
        assert answer.status_code == 400
        assert "upload 'mine'" in answer.text
        assert words in answer.text


def test_uploads_have_a_limit_that_clients_are_told(client: httpx.Client) -> None:
    """Far below that of tables that stay, for they are read into memory; so many may come and no more."""
    told = ElementTree.fromstring(client.get("/tap/capabilities").content).find(".//uploadLimit")
    assert told is not None
    assert [(one.tag, one.get("unit"), one.text) for one in told] == [
        ("default", "row", "100000"), ("hard", "byte", "10000"),
    ]  # fmt: skip
    query = {"QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:t1", "t1": VOTABLE + " " * 10_000}
    for path in ("/tap/sync", "/tap/async"):
        found = client.post(path, data=query)
        assert (found.status_code, "10,000 bytes" in found.text) == (413, True)
    many = {**query, "UPLOAD": ";".join(f"t{number},param:t1" for number in range(17)), "t1": VOTABLE}
    assert "names 17 tables, more than 16" in client.post("/tap/sync", data=many).text


@pytest.mark.parametrize("path", ["/tap/sync", "/tap/async"])
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
@pytest.mark.parametrize("body", [b"x", b"--b\r\nno header\r\n\r\n", b"--b\r\nX: y\r\n\r\nx\r\n--b--\r\n"])
def test_what_is_no_form_is_refused(client: httpx.Client, path: str, kind: str, body: bytes) -> None:
    """The server had failed, and logged it."""
    found = client.post(path, content=body, headers={"content-type": kind})
    assert (found.status_code, "the form cannot be read" in found.text) == (400, True)


@pytest.mark.parametrize("path", ["/tap/sync", "/tap/async"])
def test_a_form_of_too_many_fields_is_refused(client: httpx.Client, path: str) -> None:
    """Whatever they say."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post(path, content=b"a=%ff&" * 300, headers=kind).status_code == 400
