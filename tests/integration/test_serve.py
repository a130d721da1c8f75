"""``skyshard serve`` as a process of its own: clients of Qserv's czar, tokens, metrics, its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.brought_tables import bring as bring_into
from tests.support.brought_tables import columns
from tests.support.golden_answers import GOLDEN, difference, golden_answers, golden_statements
from tests.support.qserv_ingest import QservIngest
from tests.support.rest_cases import read_rest_cases, replay
from tests.support.served import Served, served
from tests.support.small_metadata import write_metadata_folder

from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.access.tokens import Scope
from skyshard.serve.qserv.ingest_state import IngestState
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DATABASE = "user_served"
CASE = "qcase01"
OBJECTS = "".join(f"{n},{(359.5 + n % 20 / 20) % 360:.2f},{n % 40 / 40 - 0.5:.3f}\n" for n in range(1, 2001))
"""About a place where longitudes begin, in a few chunks."""
PLACE = {"is_partitioned": "1", "is_director": "1", "longitude_col_name": "ra", "latitude_col_name": "decl"}
FOLLOWS = {
    "is_partitioned": "1", "ref_director_database": DATABASE, "ref_director_table": "Object",
    "ref_director_id_col_name": "objectId",
}  # fmt: skip
SLOW = f"SELECT {' + '.join(f'CRC32(REPEAT({n}, 100000 + objectId % 7))' for n in range(200))} FROM Object"
"""Some hundredths of a second a row."""
RUNNING = (
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%CRC32(REPEAT%' AND ID <> CONNECTION_ID()"
)


@pytest.fixture(scope="module")
def server(own_cluster: PrivateCluster) -> Iterator[Served]:
    doors = ("--http", "127.0.0.1:0", "--ingest", "127.0.0.1:0")
    with served(own_cluster.folder, *doors, "--open") as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx.Client]:
    """With three tables that it has brought, dropped at the end."""
    with httpx.Client(base_url=server.doors["http"].rstrip("/"), timeout=60) as made:
        try:
            few = {
                "database": DATABASE, "table": "Few", "charset_name": "utf8mb4",
                "schema": columns(id="BIGINT NOT NULL", name="VARCHAR(20)", flag="VARBINARY(4)"),
                "rows": [[1, 'a "b" \\c', "00FF"], [2, None, None]],
            }  # fmt: skip
            assert said(made.post("/ingest/data?version=55", json=few)) == ""
            assert bring(made, "Object", columns(objectId="BIGINT", ra="DOUBLE", decl="DOUBLE"), OBJECTS,
                         id_col_name="objectId", **PLACE) == ""  # fmt: skip
            yield made
        finally:
            made.delete(f"/ingest/database/{DATABASE}?version=55")


def said(answer: httpx.Response) -> str:
    """The error in an envelope; empty for none."""
    return str(answer.json()["error"])


def bring(client: httpx.Client, table: str, schema: list[dict[str, str]], rows: str, **form: str) -> str:
    """A table as CSV in a form; the error, empty for none."""
    return bring_into(client, DATABASE, table, schema, rows, **form)


def rows_of(client: httpx.Client, sql: str) -> Any:
    found = client.post("/query?version=55", json={"query": sql, "database": DATABASE}).json()
    assert found["error"] == "", found["error"]
    return found["rows"]


def test_requests_of_qservs_clients_are_answered_as_the_table_says(client: httpx.Client) -> None:
    """The same table that unit tests replay in memory, over a real cluster."""
    assert replay(client, read_rest_cases("qserv_czar"), database=DATABASE) == []


def test_tables_that_clients_bring_are_joined_with_each_other(client: httpx.Client) -> None:
    """A director with its dependents, one without a key, and a regular table; each row once."""
    links = "".join(f"{n},{n % 7},x{n}\n" for n in range(1, 2001) for _ in range(n % 3))
    schema = columns(objectId="BIGINT", weight="INT", note="VARCHAR(9)")
    assert bring(client, "Link", schema, links, **FOLLOWS) == ""
    assert bring(client, "Near", columns(ra="DOUBLE", decl="DOUBLE"), "1.5,-84.25\n2.5,-83.25\n", **PLACE) == ""
    joined = "SELECT COUNT(*), SUM(weight) FROM Object o JOIN Link l ON o.objectId = l.objectId"
    wanted = sum(n % 3 for n in range(1, 2001)), sum(n % 7 * (n % 3) for n in range(1, 2001))
    assert rows_of(client, joined) == [[str(value) for value in wanted]]
    assert rows_of(client, "SELECT qserv_id, ra FROM Near ORDER BY qserv_id") == [["1", "1.5"], ["2", "2.5"]]
    assert rows_of(client, "SELECT f.id FROM Object o JOIN Few f ON o.objectId = f.id ORDER BY f.id") == [["1"], ["2"]]


def test_a_brought_table_has_unique_indexes_or_is_not_there(client: httpx.Client, server: Served) -> None:
    """Of the whole table, as its collation has it; where two rows are equal nothing of it is left."""
    before = rows_of(client, "SHOW TABLES")
    place = {"is_partitioned": 1, "is_director": 1, "id_col_name": "id", "longitude_col_name": "ra",
             "latitude_col_name": "decl"}  # fmt: skip
    asked = {
        "database": DATABASE, "schema": columns(id="BIGINT NOT NULL", name="VARCHAR(9)", ra="DOUBLE", decl="DOUBLE"),
        "rows": [[number, f"x{number}" if number % 5 else None, number * 2.5, number / 3] for number in range(99)],
    }  # fmt: skip
    unique = {"index": "one", "spec": "UNIQUE", "columns": [{"column": "name", "length": 0}]}
    right = {**asked, "table": "Ones", "indexes": [unique]}
    wrong = {**right, "table": "Twos", "rows": [*asked["rows"], [100, "X7", 200.0, -40.0]]}
    for given in ({}, place):
        found = said(client.post("/ingest/data?version=55", json={**wrong, **given}))
        assert f"no unique index: 2 rows of {DATABASE}.Twos have name" in found
    for changed, words in (
        ({"index": "n" * 70}, "is no name of an index"), ({"columns": [{"column": "z"}]}, "'z'"),
        ({"index": "Primary"}, "'Primary' is the name of primary keys"),
    ):  # fmt: skip
        for given in ({}, place):
            given = {**right, "indexes": [unique | changed], **given}
            assert words in said(client.post("/ingest/data?version=55", json=given))
    assert rows_of(client, "SHOW TABLES") == before
    assert said(client.post("/ingest/data?version=55", json={**right, **place})) == ""
    listed = httpx.get(f"{server.doors['ingest']}replication/sql/index/{DATABASE}/Ones?version=55").json()
    assert [one["name"] for one in listed["status"]["indexes"] if one["unique"]] == ["PRIMARY", "one"]
    assert rows_of(client, "SELECT COUNT(*) AS n FROM Ones") == [["99"]]
    assert said(client.delete(f"/ingest/table/{DATABASE}/Ones?version=55")) == ""
    assert rows_of(client, "SHOW TABLES") == before
    assert [one for one in rows_of(client, "SHOW DATABASES") if one[0].startswith("user_unique_")] == []


NULLS: tuple[tuple[dict[str, str], str], ...] = (
    ({"fields_enclosed_by": '"'}, "1001"), ({"fields_enclosed_by": ""}, "0001"),
    ({"fields_enclosed_by": "", "fields_escaped_by": "^"}, "0010"),
    ({"fields_enclosed_by": '"', "fields_escaped_by": ""}, "1000"),
)  # fmt: skip


@pytest.mark.parametrize(("form", "nulls"), NULLS)
def test_null_is_what_load_data_takes_for_it(
    client: httpx.Client, server: Served, own_cluster: PrivateCluster, tmp_path: Path, form: dict[str, str], nulls: str
) -> None:
    """The bare word where fields may be in quotes, and N behind the escape: of a table that a client brings."""
    rows = tmp_path / "rows.csv"
    rows.write_text('1,NULL\n2,"NULL"\n3,^N\n4,\\N\n')
    enclosed, escaped = form["fields_enclosed_by"], form.get("fields_escaped_by", "\\\\")
    sql = "SELECT k, t IS NULL FROM Nulls ORDER BY k"
    with connect(own_cluster.endpoint("node1"), Account.ADMIN) as admin:
        admin.execute("CREATE DATABASE native")
        try:
            admin.execute("CREATE TABLE native.Nulls (k INT, t VARCHAR(9))")
            admin.execute(
                f"LOAD DATA INFILE '{rows}' INTO TABLE native.Nulls FIELDS TERMINATED BY ',' ENCLOSED BY '{enclosed}' "
                f"ESCAPED BY '{escaped}'"
            )
            want = [[str(value) for value in one] for one in admin.rows(sql.replace("Nulls", "native.Nulls"))]
        finally:
            admin.execute("DROP DATABASE native")
    assert [one[1] for one in want] == list(nulls)
    try:
        assert bring(client, "Nulls", columns(k="INT", t="VARCHAR(9)"), rows.read_text(), **form) == ""
        assert rows_of(client, sql) == want
    finally:
        client.delete(f"/ingest/table/{DATABASE}/Nulls?version=55")


def test_a_table_that_fails_leaves_nothing(client: httpx.Client, own_cluster: PrivateCluster) -> None:
    """A dependent without its director, a value that does not fit, a table that is there: nothing is changed."""
    before = rows_of(client, "SHOW TABLES")
    schema = columns(objectId="BIGINT", note="VARCHAR(3)")
    assert "director" in bring(client, "Lost", schema, "1,a\n999999,b\n", **FOLLOWS)
    wrong = bring(client, "Wrong", columns(id="TINYINT"), "1\n1000\n")
    assert wrong, "a value that is too large was taken"
    assert str(own_cluster.folder) not in wrong
    assert "there is a table" in bring(client, "few", columns(id="INT"), "1\n")
    assert rows_of(client, "SHOW TABLES") == before
    with Testbed(own_cluster.folder) as testbed:
        assert [row["id"] for row in testbed.registry.transactions.all() if row["state"] == "started"] == []
    assert bring(client, "Wrong", columns(id="INT"), "1\n1000\n") == ""


def test_qserv_ingest_brings_what_skyshard_ingest_brings(
    server: Served, own_cluster: PrivateCluster, tmp_path: Path
) -> None:
    """The whole workflow of qserv-ingest over REST, an aborted transaction before it: the same rows, each once."""
    sky = QservIngest(httpx.Client(base_url=server.doors["ingest"].rstrip("/"), timeout=60),
                      write_metadata_folder(tmp_path / "sky"))  # fmt: skip
    with sky.client, Testbed(own_cluster.folder) as testbed:
        try:
            sky.register()
            sky.ingest(abort=True)
            sky.ingest()
            sky.check()
            sky.publish()
            sky.finish()
            testbed.ingest(sky.folder, database="handed_same")
            same = [testbed.registry.contributions.data_digest(name) for name in ("handed", "handed_same")]
            assert same[0] == same[1]
            assert [check for check in testbed.verify("handed") if not check.is_good] == []
        finally:
            for name in ("handed", "handed_same"):
                if name in testbed.registry.published.databases():
                    testbed.drop(name)


def test_requests_of_ingest_clients_are_answered_as_the_table_says(server: Served, tmp_path: Path) -> None:
    """The same table that unit tests replay in memory, over a real cluster; it drops its database at its end."""
    (tmp_path / "chunk_7310.txt").write_text("1\t1.2\t1.1\tn1\n2\t1.21\t1.1\t\\N\n")
    (tmp_path / "Filter.tsv").write_text("1\tu\n2\tg\n")
    with httpx.Client(base_url=server.doors["ingest"].rstrip("/"), timeout=300) as made:
        try:
            assert replay(made, read_rest_cases("qserv_ingest"), given={"folder": tmp_path.as_uri()}) == []
        finally:
            made.request("DELETE", "/ingest/database/handed_cases?version=55")


@pytest.mark.deep
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/data/qserv-ingest-case01 is not here")
def test_golden_answers_hold_for_what_qserv_ingest_brought(server: Served, own_cluster: PrivateCluster) -> None:
    """All of Qserv's own test case, with an index that is added to published tables as its last task does."""
    with (
        httpx.Client(base_url=server.doors["ingest"].rstrip("/"), timeout=300) as made,
        Testbed(own_cluster.folder) as testbed,
    ):
        sky = QservIngest(made, GOLDEN)
        try:
            sky.register()
            sky.ingest()
            sky.publish()
            for table, column in (("Object", "ra_PS"), ("Source", "objectId"), ("Filter", "filterName")):
                sky.ask("POST", "/replication/sql/index", {
                    "database": CASE, "table": table, "index": f"IDX_{column}", "spec": "DEFAULT", "comment": "None",
                    "columns": [{"column": column, "length": 0, "ascending": 1}],
                })  # fmt: skip
            sky.finish()
            expected = golden_answers()
            asked = [(name, sql) for name, sql in golden_statements() if name in expected]
            wrong = {name: difference(testbed, CASE, sql, expected[name]) for name, sql in asked}
            assert {name: words for name, words in wrong.items() if words} == {}
            assert len(wrong) == 61
            assert [check for check in testbed.verify(CASE) if not check.is_good] == []
        finally:
            made.request("DELETE", f"/ingest/database/{CASE}?version=55")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_publish_that_ends_with_its_process_goes_on_once(
    server: Served, own_cluster: PrivateCluster, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed, or stopped by the end of the process, in mid-ingest: another process brings each row once."""
    settings = tmp_path / "serve.yaml"
    settings.write_text("version: 1\ningest: 127.0.0.1:0\nopen: true\ndrain_s: 0\n")
    folder = write_metadata_folder(tmp_path / "sky")
    state = IngestState(own_cluster.folder / "rest-ingest")
    with Testbed(own_cluster.folder) as testbed, ThreadPoolExecutor(1) as beside:
        try:
            with (
                served(own_cluster.folder, "--config", str(settings)) as struck,
                httpx.Client(base_url=struck.doors["ingest"].rstrip("/"), timeout=60) as first,
            ):
                sky = QservIngest(first, folder)
                sky.register()
                sky.ingest()
                sent = beside.submit(sky.publish)
                while not sent.done() and (kept := state.find("handed")) is not None and not kept.is_publishing:
                    time.sleep(0.001)
                if number is signal.SIGTERM:
                    struck.process.send_signal(number)
                    assert struck.process.stderr is not None
                    assert struck.process.stderr.readline().startswith("skyshard: closing")
                assert struck.end(number) == (0 if number is signal.SIGTERM else -number)
                wait([sent])
            with httpx.Client(base_url=server.doors["ingest"].rstrip("/"), timeout=60) as second:
                if state.find("handed") is not None:  # else it was done before the signal came
                    refused = second.post("/ingest/trans?version=55", json={"database": "handed"})
                    assert "was interrupted; publish it again" in said(refused)
                    QservIngest(second, folder).publish()
            testbed.ingest(folder, database="handed_same")
            same = [testbed.registry.contributions.data_digest(name) for name in ("handed", "handed_same")]
            assert same[0] == same[1]
            assert [check for check in testbed.verify("handed") if not check.is_good] == []
        finally:
            for name in ("handed", "handed_same"):
                if name in testbed.registry.published.databases():
                    testbed.drop(name)


def test_metrics_and_health_are_those_of_the_cluster(client: httpx.Client) -> None:
    """Nodes are up, rows were ingested, queries have ended."""
    assert client.get("/health/ready").text == "ok\n"
    text = client.get("/metrics").text
    assert 'skyshard_node_up{node="node1"} 1.0' in text
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(found["skyshard_ingest_rows_total"]) >= 2002
    assert float(found["skyshard_query_seconds_count"]) > 0


def test_tokens_decide_who_may_ask(own_cluster: PrivateCluster) -> None:
    """Without --open: no token, no answer; a scope that is too small; a token that was revoked."""
    with (
        Testbed(own_cluster.folder) as testbed,
        served(own_cluster.folder, "--http", "127.0.0.1:0") as server,
        httpx.Client(base_url=server.doors["http"].rstrip("/"), timeout=60) as client,
    ):
        tokens = {name: testbed.registry.tokens.create(f"served-{name}", Scope(name)) for name in ("query", "ingest")}
        try:
            ask = {"query": "SELECT 1 AS one", "database": ""}
            headers = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()}
            assert "a token is needed" in said(client.post("/query?version=55", json=ask))
            assert (client.get("/metrics").status_code, client.get("/health/live").status_code) == (401, 200)
            assert "scope ingest" in said(client.delete("/ingest/database/user_x?version=55", headers=headers["query"]))
            assert "token" not in said(client.delete("/ingest/database/user_x?version=55", headers=headers["ingest"]))
            assert said(client.post("/query?version=55", json=ask, headers=headers["query"])) == ""
            number = client.post("/query-async?version=55", json=ask, headers=headers["query"]).json()["queryId"]
            status = f"/query-async/status/{number}?version=55"
            assert testbed.registry.history.get(number)["owner"] == "served-query"
            assert said(client.get(status, headers=headers["query"])) == ""
            assert f"no query {number}" in said(client.get(status, headers=headers["ingest"]))
            found = testbed.registry.history.find(9, text="AS one", owner="served-query")
            assert [row["id"] for row in found] == [number]
            testbed.registry.tokens.revoke("served-query")
            until_s = time.monotonic() + 100
            while not said(client.post("/query?version=55", json=ask, headers=headers["query"])):
                assert time.monotonic() < until_s
                time.sleep(ASK_EVERY_S)
        finally:
            for row in testbed.registry.tokens.all():
                testbed.registry.tokens.revoke(row.name)
        assert server.end() == 0


def test_its_end_cancels_what_is_under_way_and_leaves_nothing(
    client: httpx.Client, own_cluster: PrivateCluster
) -> None:
    """A submitted query that would take a minute: cancelled in the history, gone from all servers; exit code 0."""
    with served(own_cluster.folder, "--http", "127.0.0.1:0", "--open") as other:
        with httpx.Client(base_url=other.doors["http"].rstrip("/"), timeout=60) as beside:
            slow = beside.post("/query-async?version=55", json={"query": SLOW, "database": DATABASE}).json()["queryId"]
            until_s = time.monotonic() + 100
            while beside.get(f"/query-async/status/{slow}?version=55").json()["status"]["totalChunks"] == 0:
                assert time.monotonic() < until_s
                time.sleep(ASK_EVERY_S)
        other.process.send_signal(signal.SIGINT)
        assert other.end() == 0
        assert other.said[-1] == "skyshard: all doors are closed"
    status = client.get(f"/query-async/status/{slow}?version=55").json()["status"]
    assert (status["status"], status["completedChunks"] < status["totalChunks"]) == ("ABORTED", True)
    for name in (CZAR_NAME, *own_cluster.node_names):
        with connect(own_cluster.endpoint(name), Account.ADMIN) as admin:
            until_s = time.monotonic() + 100
            while admin.value(RUNNING):
                assert time.monotonic() < until_s
                time.sleep(ASK_EVERY_S)
