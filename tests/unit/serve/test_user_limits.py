"""Quotas: what one user has under way, gets in an answer, keeps and brings, at every HTTP door."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient
from tests.support.four_chunks import Source
from tests.support.played_services import (
    Keys,
    PlayedAnswer,
    PlayedOwnTables,
    PlayedQueries,
    PlayedSubmissions,
    played_services,
    played_tap,
)

from skyshard.basics.errors import Refusal, UserError
from skyshard.registry.access.quotas import NO_QUOTA, QUOTAS, Quota
from skyshard.serve.access import Scope
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.user_limits import Meter, OverQuota, Seats

ROWS = pa.table({"objectId": pa.array(range(8), pa.int64())})
SQL = "SELECT objectId FROM sky.Object"
OWN = {"SELECT `table_name` FROM `own`.`tables` AS `tables` LIMIT 9": pa.table({"table_name": ["sky.Object"]})}
CZAR = "SELECT `objectId` FROM `sky`.`Object` LIMIT {}"


class Held(PlayedQueries):
    """The statement ``held`` is answered when ``go`` is set; ``begun``: its thread has it."""

    def __init__(self) -> None:
        limited = {CZAR.format(limit): ROWS.slice(0, limit) for limit in (1, 6, 7, 9)}
        super().__init__({SQL: ROWS, "held": ROWS, **limited}, batch_rows=2)
        self.begun, self.go = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[PlayedAnswer]:
        if sql == "held":
            self.begun.set()
            assert self.go.wait(60)
        with super().open(sql, database) as answer:
            yield answer


class House:
    """The HTTP door with two users, ``ann`` and ``bob``; only ann's quota is set."""

    def __init__(self, folder: Path) -> None:
        self.queries = Held()
        self.keys = Keys(ann=Scope.INGEST, bob=Scope.INGEST)
        services = played_services(self.queries, self.keys, played_tap(Source(), PlayedOwnTables({}, OWN), folder))
        assert isinstance(services.submissions, PlayedSubmissions)
        self.submissions = services.submissions
        self.work = Work(services, ServeFile(http="127.0.0.1:0", open=True, tap_rows=8))
        self.client: httpx.Client

    def of(self, user: str) -> dict[str, str]:
        return {"authorization": f"Bearer {user}"}

    def ask(self, user: str, sql: str = SQL) -> dict[str, object]:
        return dict(self.client.post("/query?version=55", json={"query": sql}, headers=self.of(user)).json())

    def submit(self, user: str, sql: str = SQL) -> dict[str, object]:
        return dict(self.client.post("/query-async?version=55", json={"query": sql}, headers=self.of(user)).json())

    def tap(self, user: str, **given: str) -> httpx.Response:
        return self.client.post("/tap/sync", data={"QUERY": SQL, "FORMAT": "csv", **given}, headers=self.of(user))

    def ended(self, number: object) -> str:
        while (state := self.submissions.rows[int(str(number))].state) in ("queued", "executing"):
            time.sleep(0.01)
        return state


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with TestClient(safe_app(http_routes(made.work), made.work.settings), base_url="http://localhost") as client:
        made.client = client
        yield made
        made.queries.go.set()
    made.work.lanes.close()


def test_no_more_queries_are_under_way_than_allowed(house: House) -> None:
    """At any door, submitted ones among them; others are not held up; who has ended one may ask again."""
    house.keys.quotas["ann"] = Quota(queries=1)
    number = house.submit("ann", "held")["queryId"]
    refused = [house.ask("ann"), house.submit("ann")]
    assert [one["success"] for one in refused] == [0, 0]
    assert all("the quota 'queries' allows" in str(one["error"]) for one in refused)
    answer = house.tap("ann")
    assert (answer.status_code, "quota" in answer.text) == (400, True)
    assert house.ask("bob")["success"] == house.submit("bob")["success"] == 1
    house.queries.go.set()
    house.ended(number)
    while house.work.lanes.seats.of("ann"):  # until the loop has seen the end, too
        time.sleep(0.01)
    assert house.ask("ann")["success"] == 1


def test_measuring_a_query_of_the_page_takes_a_seat(house: House) -> None:
    """It answers the statement once more."""
    done = house.submit("ann")["queryId"]
    house.ended(done)
    house.keys.quotas["ann"] = Quota(queries=1)
    house.submit("ann", "held")
    headers = house.of("ann") | {"sec-fetch-site": "same-origin"}
    found = house.client.post(f"/ui/measure/{done}", headers=headers)
    assert (found.status_code, "the quota 'queries' allows" in found.json()["error"]) == (400, True)


def test_an_answer_with_more_rows_ends_in_an_error(house: House) -> None:
    """As many as allowed are no error; a submitted one fails as Qserv's too large ones do."""
    house.keys.quotas["ann"] = Quota(rows=8)
    assert house.ask("ann")["success"] == 1
    house.keys.quotas["ann"] = Quota(rows=7)
    found = house.ask("ann")
    assert (found["success"], "the quota 'rows' of 'ann'" in str(found["error"])) == (0, True)
    assert house.ask("bob")["success"] == 1
    number = house.submit("ann")["queryId"]
    assert house.ended(number) == "failed"
    status = house.client.get(f"/query-async/status/{number}?version=55", headers=house.of("ann")).json()["status"]
    assert status["status"] == "FAILED_LR"


def test_an_answer_with_more_bytes_ends_in_an_error(house: House) -> None:
    """Bytes of rows as they are in memory, the same in every format."""
    house.keys.quotas["ann"] = Quota(answer_mb=60e-6)
    assert "the quota 'answer_mb' of 'ann'" in str(house.ask("ann")["error"])
    house.keys.quotas["ann"] = Quota(answer_mb=64e-6)
    assert house.ask("ann")["success"] == 1


def test_tap_cuts_rows_at_the_quota_and_says_overflow(house: House) -> None:
    """As at MAXREC, at once and in jobs: a limit of rows is no error there."""
    house.keys.quotas["ann"] = Quota(rows=6)
    assert len(house.tap("ann").text.split()) == 1 + 6
    assert 'value="OVERFLOW"' in house.tap("ann", FORMAT="votable").text
    assert len(house.tap("bob").text.split()) == 1 + 8
    made = house.client.post(
        "/tap/async", data={"QUERY": SQL, "PHASE": "RUN"}, headers=house.of("ann"), follow_redirects=False
    )
    job = made.headers["location"]
    assert "COMPLETED" in house.client.get(job, params={"WAIT": "60"}, headers=house.of("ann")).text
    assert 'value="OVERFLOW"' in house.client.get(f"{job}/results/result", headers=house.of("ann")).text


def test_no_more_results_are_kept_than_allowed(house: House) -> None:
    """Those to come among them; what is deleted makes room."""
    house.keys.quotas["ann"] = Quota(results=2)
    numbers = [house.submit("ann")["queryId"], house.submit("ann")["queryId"]]
    assert "the quota 'results' allows" in str(house.submit("ann")["error"])
    made = house.client.post("/tap/async", data={"QUERY": SQL, "PHASE": "RUN"}, headers=house.of("ann"))
    assert "the quota 'results' allows" in made.text
    for number in numbers:
        house.ended(number)
    path = f"/query-async/result/{numbers[0]}?version=55"
    assert house.client.delete(path, headers=house.of("ann")).json()["success"] == 1
    assert house.submit("ann")["success"] == house.submit("bob")["success"] == 1


def test_kept_results_are_counted_and_not_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a quota of thousands each submit read as many whole statements."""
    house.keys.quotas["ann"] = Quota(results=2)
    monkeypatch.setattr(house.submissions, "find", None)
    assert [house.submit("ann")["success"] for _ in range(3)] == [1, 1, 0]


def test_jobs_that_no_submitted_query_answers_count_at_every_door(house: House) -> None:
    """Those with tables, and over TAP's own, were counted by TAP alone: Qserv's REST kept results beyond the quota."""
    house.keys.quotas["ann"] = Quota(results=2)
    own = {"QUERY": "SELECT table_name FROM TAP_SCHEMA.tables", "PHASE": "RUN"}
    made = [
        house.client.post("/tap/async", data=own, headers=house.of("ann"), follow_redirects=False).headers["location"]
        for _ in range(2)
    ]
    for job in made:
        assert "COMPLETED" in house.client.get(job, params={"WAIT": "60"}, headers=house.of("ann")).text
    assert "the quota 'results' allows" in str(house.submit("ann")["error"])
    house.client.delete(made[0], headers=house.of("ann"))
    assert house.submit("ann")["success"] == 1


def test_what_is_brought_has_a_limit(house: House) -> None:
    """With a query of TAP, at once and as a job, and as a table of Qserv's REST; capabilities declare it."""
    house.keys.quotas["ann"] = Quota(upload_mb=50e-6, rows=5)
    table = b"<VOTABLE>" + b" " * 100 + b"</VOTABLE>"
    data = {"QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:part"}
    said = "the quota 'upload_mb' of 'ann' allows"
    for path in ("sync", "async"):
        found = house.client.post(
            f"/tap/{path}", data=data, files={"part": ("part", table)}, headers=house.of("ann"), follow_redirects=False
        )
        assert (found.status_code, said in found.text.replace("&apos;", "'")) == (400, True)
    form = {"schema": ("s", b'[{"name":"a","type":"INT"}]'), "rows": ("r", b"1\n" * 30)}
    told = {"database": "user_a", "table": "t", "version": "55"}
    answers = [
        house.client.post("/ingest/csv", data=told, files=form, headers=house.of(user)).json()
        for user in ("ann", "bob")
    ]
    assert [(one["success"], said in one["error"]) for one in answers] == [(0, True), (1, False)]
    texts = [house.client.get("/tap/capabilities", headers=house.of(user)).text for user in ("ann", "bob")]
    assert ['<hard unit="byte">50</hard>' in text for text in texts] == [True, False]
    assert ['<hard unit="row">5</hard>' in text for text in texts] == [True, False]


def test_what_a_token_does_not_say_the_doors_say() -> None:
    """0 of a token lifts the doors' limit; words are read as they are written."""
    doors = Quota(queries=4, rows=100)
    own = Quota.of(["rows=0", "answer_mb=1.5"])
    assert Quota.of(own.text.split()) == own
    assert own.over(doors) == Quota(queries=4, rows=0, answer_mb=1.5)
    assert (own.over(doors).most_rows, own.over(doors).most_bytes) == (None, 1_500_000)
    assert ServeFile().with_quota(["results=3"]).quota.as_quota() == Quota(0, 0, 0.0, 3, 0.0)
    assert set(ServeFile().quota.model_dump()) == set(QUOTAS)


@pytest.mark.parametrize("word", ["rows", "rows=", "rows=-1", "rows=1.5", "rows=nan", "rows=1e99", "speed=3"])
def test_what_is_no_quota_is_refused(word: str) -> None:
    """With the names that there are, or what the number has to be."""
    with pytest.raises(UserError, match="quota"):
        Quota.of([word])


def test_seats_are_counted_by_user() -> None:
    """Whoever leaves makes room; who has none is forgotten; without a quota there is no limit."""
    seats, quota = Seats(), Quota(queries=2)
    with seats.taken("ann", quota), seats.taken("ann", quota):
        with pytest.raises(OverQuota, match=r"2 queries of 'ann' are under way"):
            seats.take("ann", quota)
        seats.take("bob", quota)
        assert (seats.of("ann"), seats.of("bob")) == (2, 1)
    assert seats.of("ann") == 0
    for _ in range(100):
        seats.take("eve", NO_QUOTA)


def test_a_meter_lets_so_many_more_rows_through_as_its_caller_cuts_off() -> None:
    """TAP asks for one more, to see that there are more."""
    meter = Meter("ann", Quota(rows=8), more_rows=1)
    for batch in ROWS.to_batches():
        meter(batch)
    meter(ROWS.slice(0, 1).to_batches()[0])
    with pytest.raises(Refusal, match="result-too-large"):
        meter(ROWS.slice(0, 1).to_batches()[0])
