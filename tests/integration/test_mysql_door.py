"""The MySQL door with real clients: answers equal to one server's byte by byte; sessions killed and left; bad input."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest
import sqlalchemy
from tests.support.asking import ASK_EVERY_S
from tests.support.authority import Authority
from tests.support.binary_client import BinaryClient, execute_payload
from tests.support.depth import drawn
from tests.support.open_door import OpenDoor, WireAnswer, WireClient, open_door
from tests.support.played_services import Keys, PlayedAnswer, PlayedQueries, played_services
from tests.support.running_site import wait_until
from tests.support.small_catalog import write_small_catalog
from tests.support.statement_cases import Case, read_cases
from tests.support.trouble_sky import DATABASE, Sky

from skyshard.cli.serving.query_services import TestbedSubmissions
from skyshard.cluster.door_server import DoorServer
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.history.query_history import HistoryRow
from skyshard.registry.stored.lifecycle import QueryState
from skyshard.serve.access import NO_QUOTA, Identity, Quota, Scope
from skyshard.serve.door import tls_context
from skyshard.serve.mysql.catalog_answer import limited
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.packets import Capability, Command, framed, is_eof, is_error, ok, payloads_of
from skyshard.serve.mysql.qserv_statements import PAGE_BYTES, PAGE_ROWS
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.services import LaneName
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

CASES = Path(__file__).resolve().parents[1] / "cases" / "statements.sql"
DOUBLE, FLOAT = 5, 4
COUNTED = (155).to_bytes(4, "little")
"""The number of objects in the binary protocol."""
GROUPED = 0x8000 | 0x80
"""Flags by which a server says that it made a temporary table to group, which depends on its plan."""


@pytest.fixture(scope="module")
def asked(door: OpenDoor) -> Iterator[WireClient]:
    with contextlib.closing(client_of(door, DATABASE)) as client:
        yield client


@pytest.fixture(scope="module")
def native(sky: Sky, private_cluster: PrivateCluster) -> Iterator[WireClient]:
    """The same client on the server that has all rows."""
    place = private_cluster.endpoint("mono").socket
    with contextlib.closing(WireClient(unix_socket=place, user="skyshard_reader", database=DATABASE)) as client:
        client.ask("SET sql_mode = ''")
        yield client


def client_of(door: OpenDoor, database: str = "") -> WireClient:
    return WireClient(host=door.host, port=door.port, user="me", database=database or None)


def is_same(got: bytes | None, want: bytes | None, kind: int) -> bool:
    """Equal bytes; of floating numbers, equal but for what the order of a sum changes."""
    if got == want or got is None or want is None or kind not in (DOUBLE, FLOAT):
        return got == want
    return math.isclose(float(got), float(want), rel_tol=1e-9, abs_tol=1e-12)


def plain(fields: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(*field[:8], field[8] & ~GROUPED, field[9]) for field in fields]


@pytest.mark.parametrize("case", read_cases(CASES.read_text()), ids=lambda case: case.sql[:70])
def test_answers_are_one_server_s_byte_by_byte(sky: Sky, asked: WireClient, native: WireClient, case: Case) -> None:
    """Definitions field by field, and the text of every value; of what no server knows, those of its written form."""
    want, got = native.ask(case.sql), asked.ask(case.sql)
    is_known = not want.error
    if not is_known:
        want = native.ask(sky.czar.written_out(case.sql, DATABASE))
    assert not got.error
    assert not want.error
    if is_known:
        assert plain(got.fields) == plain(want.fields)
    left, right = (one.rows if case.is_ordered else one.sorted for one in (got, want))
    assert len(left) == len(right)
    kinds = [field[7] for field in want.fields]
    for one, other in zip(left, right, strict=True):
        assert all(map(is_same, one, other, kinds)), (one, other)


def same(one: WireAnswer, other: WireAnswer) -> None:
    assert (one.error, one.fields, one.rows) == (other.error, other.fields, other.rows)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM Object", "SELECT ra FROM Nothing", "SELECT ra FORM Object", "SELECT ra FROM no.Object",
        "SELECT filterId FROM Source s, Filter f", "SELECT 1 + 1, 'a', NULL", "SELECT @@max_allowed_packet > 1",
        "SHOW COLUMNS FROM Note", "SHOW FULL COLUMNS FROM Object", "DESC Source label",
    ],
)  # fmt: skip
def test_what_is_no_catalog_s_answer_is_the_server_s(asked: WireClient, native: WireClient, sql: str) -> None:
    """Its own words for wrong names and SQL, its own results for constants and descriptions."""
    same(asked.ask(sql), native.ask(sql))


def test_no_statement_is_answered_from_empty_tables(asked: WireClient) -> None:
    """Whatever is relayed can describe tables, not read them: a row that is missing is an error."""
    for sql in (
        "SET @n = (SELECT COUNT(*) FROM Object)", "SHOW TABLES WHERE (SELECT COUNT(*) FROM Object) = 0",
        "SELECT COUNT(*) FROM information_schema.schemata, trouble.Object",
    ):  # fmt: skip
        answer = asked.ask(sql)
        assert answer.error
        assert answer.error[0] == 1142, (sql, answer)
    for sql in ("/*!50000 SELECT COUNT(*) FROM Object */", "SELECT 1 /*!50000 , (SELECT COUNT(*) FROM Object) */"):
        assert asked.ask(sql).error
    assert asked.ask("SELECT COUNT(*) FROM Object").rows == [(b"155",)]


@pytest.mark.parametrize("database", [DATABASE, "information_schema"])
@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"])
def test_no_way_around_reads_empty_tables(door: OpenDoor, database: str, mode: str) -> None:
    """A count of catalog rows is that of the catalog, or an error: with lists, schemas, strings and comments that hide
    it, in modes in which strings end elsewhere, as text and prepared."""
    count, lists = "(SELECT COUNT(*) FROM trouble.Object)", "information_schema"
    statements = [
        f"SELECT COUNT(*) FROM trouble.Object o, {lists}.processlist p",
        f"SELECT COUNT(*) FROM trouble.Object WHERE objectId NOT IN (SELECT ID FROM {lists}.queries)",
        f"SELECT {count} n, MAX(ID) FROM {lists}.queries",
        f"SELECT COUNT(*) FROM {lists}.queries WHERE {count} = 0",
        f"WITH q AS (SELECT COUNT(*) n FROM trouble.Object) SELECT n FROM q LEFT JOIN {lists}.queries l ON l.ID = n",
        f"SELECT n FROM {lists}.`queries` RIGHT JOIN (SELECT COUNT(*) n FROM trouble.Object) o ON ID = n",
        f"SELECT COUNT(ID) FROM {lists}.queries UNION ALL SELECT COUNT(*) FROM trouble.Object",
        f"SELECT COUNT(*) FROM {lists}/*!.queries*/ , trouble.Object",
        f"SELECT COUNT(*) FROM {lists}.tables, trouble.Object",
        f"SELECT {count} FROM DUAL", "SELECT COUNT(*) FROM DUAL, trouble.Object", f"SELECT IF({count} = 0, 0, 155)",
        f"/*!50000 SELECT */ {count}", f"SELECT 1 /*M! , {count} */ FROM DUAL", f"({count})",
        f'SELECT COUNT(*) FROM "trouble"."Object", {lists}.queries', f'SELECT "ID", {count} FROM {lists}.queries',
        f"SET @n = {count}", f"DO {count}",
        f"SHOW COLUMNS FROM trouble.Object WHERE {count} = 0", f"SHOW INDEX FROM trouble.Object WHERE {count} = 0",
        f"SHOW COLUMNS FROM trouble.Object WHERE Field = '\\' OR {count} = 0 OR ''",
        f"SHOW COLUMNS FROM trouble.Object WHERE /*!50000 {count} = 0 */",
        f"SHOW COLUMNS FROM trouble.Object /*!999999 ` */ WHERE {count} = 0 /*!999999 ` */",
        f"SHOW COLUMNS FROM trouble.`Object` WHERE `Field` <> '' AND {count} = 0",
        f"SHOW TABLES FROM trouble WHERE {count} = 0",
        f"SHOW VARIABLES WHERE {count} = 0", f"DESCRIBE SELECT {count}", "TABLE trouble.Object", f"VALUES ({count})",
        "HANDLER trouble.Object OPEN", f"EXECUTE IMMEDIATE 'SELECT {count}'", "EXECUTE s",
        "EXECUTE IMMEDIATE 'SELECT COUNT(*) FROM trouble.Object'", f"EXECUTE IMMEDIATE 'SELECT \\'\\', {count}'",
        f"BEGIN NOT ATOMIC SELECT {count}; END", f"SELECT {count} INTO @n", "SELECT * FROM mysql.user, trouble.Object",
        f"SELECT x FROM {lists}.queries JOIN JSON_TABLE('[0]', '$[*]' COLUMNS (x INT PATH '$')) j WHERE {count} = 0",
    ]  # fmt: skip
    with contextlib.closing(client_of(door, database)) as client:
        client.ask(f"SET sql_mode = '{mode}'")
        assert client.ask(f"PREPARE s FROM 'SELECT {count}'").rows == []
        for sql in statements:
            answer = client.ask(sql)
            assert answer.error or "155" in str(answer.rows), (sql, answer)
        for sql in statements:
            found = BinaryClient(client.raw).ask(sql)
            assert found.error or COUNTED in b"".join(found.rows), (sql, found)


def test_no_statement_hides_in_a_string_of_another_character_set(door: OpenDoor) -> None:
    """In gbk a backslash may be the second half of a letter, and the string ends behind it."""
    with contextlib.closing(client_of(door, DATABASE)) as client:
        client.ask("SET NAMES gbk")
        with client.raw.cursor() as cursor, pytest.raises(pymysql.MySQLError):
            cursor.execute(
                b"SHOW COLUMNS FROM Object WHERE Field = '\xbf\\' OR (SELECT COUNT(*) FROM Object) = 0 OR '1'"
            )


def test_lists_say_that_catalogs_are_not_joined_with_them(asked: WireClient) -> None:
    """And what a string says of them is that string."""
    answer = asked.ask("SELECT COUNT(*) FROM Object o, information_schema.queries q")
    assert answer.error[0] == 1235
    assert "cannot be joined" in answer.error[1]
    answer = asked.ask("SELECT COUNT(ID) >= 0, 'information_schema.queries' FROM information_schema.queries")
    assert answer.rows == [(b"1", b"information_schema.queries")]
    assert asked.ask("SELECT COUNT(*) > 5 FROM information_schema.queries q, information_schema.tables t").error == ()


@pytest.mark.timeout(120)
def test_set_operations_that_no_server_ends_are_answered_by_the_czar_or_refused(asked: WireClient) -> None:
    """One took the door's own MariaDB a thread that neither KILL nor a limit of time ends, and its disk."""
    endless = "SELECT 1 a INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 1"
    assert asked.ask(f"{endless} UNION ALL SELECT 7").rows == [(b"7",)]
    counted = f"SELECT COUNT(objectId) > 9, MAX(a) FROM Object, ({endless} UNION ALL SELECT 7) q"
    assert asked.ask(counted).rows == [(b"1", b"7")]
    assert "SET" in asked.ask(f"SET @x = ({endless})").error[1]


def test_a_statement_is_described_in_bounded_memory(door: OpenDoor) -> None:
    """Rows of a megabyte each without end: none is asked for, and where the statement has a LIMIT, few are taken."""
    counted = "WITH RECURSIVE c AS (SELECT 1 n UNION ALL SELECT n + 1 FROM c WHERE n < 1e9)"
    path = door.door._server.endpoint.socket

    async def described(sql: str) -> tuple[int, int, int]:
        describer = Describer(path)
        try:
            found = await describer.describe(sql.encode(), SessionState(database=DATABASE))
            again = await describer.describe(b"SELECT objectId, ra FROM Object", SessionState(database=DATABASE))
            return len(found.columns), len(found.rows), len(again.columns)
        finally:
            await describer.close()

    for tail in ("", " LIMIT 100000"):
        asked = described(f"{counted} SELECT n, REPEAT('x', 1000000) FROM c{tail}")
        assert asyncio.run_coroutine_threadsafe(asked, door.loop).result() == (2, 0, 2)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO Object (objectId) VALUES (1)", "CREATE TABLE x (a INT)", "DROP DATABASE trouble",
        "SET STATEMENT flush_time = 1 FOR SELECT COUNT(*) FROM Object", "LOAD DATA INFILE '/x' INTO TABLE Note",
        "SELECT ra FROM Object INTO OUTFILE '/tmp/x'", "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1; SELECT 2",
        "SELECT * FROM mysql.user", "SET GLOBAL max_connections = 1", "GRANT ALL ON *.* TO me", "SHUTDOWN",
    ],
)  # fmt: skip
def test_what_would_change_or_leave_the_catalogs_is_refused(asked: WireClient, sql: str) -> None:
    """And the session goes on."""
    assert asked.ask(sql).error
    assert asked.ask("SELECT COUNT(*) FROM Filter").error == ()


def test_a_session_s_settings_are_obeyed_or_refused(door: OpenDoor) -> None:
    """SQL_SELECT_LIMIT, character sets, the database in use; not modes in which SQL means something else."""
    with contextlib.closing(client_of(door)) as client:
        assert client.ask("SELECT ra FROM Object").error[0] == 1046
        assert client.ask("USE trouble").error == ()
        client.ask("SET @@SQL_SELECT_LIMIT=1")
        assert len(client.ask("SELECT ra FROM Object").rows) == 1
        assert len(client.ask("SELECT ra FROM Object LIMIT 3").rows) == 3
        client.ask("SET @@SQL_SELECT_LIMIT=DEFAULT")
        assert len(client.ask("SELECT ra FROM Object").rows) == 155
        for wrong, right in (
            ("sql_mode = 'ANSI_QUOTES'", "sql_mode = ''"),
            ("time_zone = '+02:00'", "time_zone = 'SYSTEM'"),
        ):
            client.ask(f"SET {wrong}")
            assert right.split(" ")[0] in client.ask("SELECT ra FROM Object").error[1]
            client.ask(f"SET {right}")
        assert len(client.ask("SELECT ra FROM Object").rows) == 155
        client.raw.select_db("information_schema")
        assert client.ask("SELECT ra FROM Object").error


def test_letters_come_in_the_session_s_character_set(door: OpenDoor, native: WireClient) -> None:
    """As latin1, as utf8mb4, and as they are stored."""
    names = "SELECT body, CONCAT(body, 'é') FROM Note ORDER BY noteId"
    with contextlib.closing(client_of(door, DATABASE)) as client:
        for charset in ("latin1", "utf8mb4"):
            for one in (client, native):
                one.ask(f"SET NAMES {charset}")
            same(client.ask(names.replace("é", "e")), native.ask(names.replace("é", "e")))
        for one in (client, native):
            one.ask("SET character_set_results = NULL")
        got, want = client.ask("SELECT body FROM Note"), native.ask("SELECT body FROM Note")
        assert got.sorted == want.sorted
        native.ask("SET NAMES utf8mb4")


def test_sqlalchemy_reads_tables_and_rows(door: OpenDoor) -> None:
    """Its reflection, and a streamed result."""
    engine = sqlalchemy.create_engine(f"mysql+pymysql://me@{door.host}:{door.port}/{DATABASE}")
    try:
        table = sqlalchemy.Table("Object", sqlalchemy.MetaData(), autoload_with=engine)
        assert isinstance(table.c.mag.type, sqlalchemy.types.Float)
        assert [column.name for column in table.primary_key] == ["objectId"]
        with engine.connect() as connection:
            rows = connection.execution_options(stream_results=True).execute(sqlalchemy.select(table.c.objectId))
            assert len(rows.all()) == 155
    finally:
        engine.dispose()


def test_mysqlclient_reads_what_one_server_gives_it(door: OpenDoor, private_cluster: PrivateCluster) -> None:
    """The client in C: values of all types, parameters, rows as they come, names and types, errors."""
    client = pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
    from_server = pytest.importorskip("MySQLdb.cursors").SSCursor
    places = (
        {"host": door.host, "port": door.port, "user": "me"},
        {"unix_socket": private_cluster.endpoint("mono").socket, "user": "skyshard_reader"},
    )
    seen: list[list[Any]] = []
    for place in places:
        with contextlib.closing(client.connect(database=DATABASE, charset="utf8mb4", **place)) as connection:
            found: list[Any] = []
            with contextlib.closing(connection.cursor()) as cursor:
                for sql, values in (
                    ("SELECT * FROM Object ORDER BY objectId", None),
                    ("SELECT * FROM Note ORDER BY noteId", None),
                    ("SELECT objectId, flux FROM Object WHERE ra > %s AND name <> %s ORDER BY objectId", (10.5, "é")),
                    ("SELECT COUNT(*), AVG(mag) > 0, MIN(objectId) FROM Object", None),
                    ("SHOW COLUMNS FROM Object", None),
                ):
                    cursor.execute(sql, values)
                    found += [[one[:2] for one in cursor.description], cursor.fetchall()]
                with pytest.raises(client.Error) as caught:
                    cursor.execute("SELECT nothing FROM Object")
                found.append(caught.value.args)
            with contextlib.closing(connection.cursor(from_server)) as cursor:
                cursor.execute("SELECT objectId FROM Object ORDER BY objectId")
                found.append([cursor.fetchone(), *cursor.fetchmany(9), *cursor.fetchall()])
            seen.append(found)
    assert len(seen[0][-1]) == 155
    assert seen[0] == seen[1]


@pytest.mark.skipif(shutil.which("mariadb") is None, reason="the mariadb client is not installed")
def test_the_mariadb_client_prints_what_one_server_prints(door: OpenDoor, private_cluster: PrivateCluster) -> None:
    """In batches, with binary values in hexadecimal, as Qserv's own tests call it."""
    sql = "SELECT * FROM Object ORDER BY objectId; SELECT ROUND(ra, 2), flux * 1e20, raw FROM Object ORDER BY objectId"
    places = (
        ("--host", door.host, "--port", str(door.port), "--user", "me"),
        ("--socket", private_cluster.endpoint("mono").socket, "--user", "skyshard_reader"),
    )
    command = ("--no-defaults", "--batch", "--binary-as-hex", "--database", DATABASE, "-e", sql)
    got, want = (
        subprocess.run(["mariadb", command[0], *place, *command[1:]], capture_output=True, check=True).stdout
        for place in places
    )
    assert got.count(b"\n") == 312
    assert got == want


@pytest.mark.skipif(shutil.which("mariadb-dump") is None, reason="mariadb-dump is not installed")
def test_mariadb_dump_writes_what_one_server_s_rows_are(door: OpenDoor, private_cluster: PrivateCluster) -> None:
    places = (
        ("--host", door.host, "--port", str(door.port), "--user", "me"),
        ("--socket", private_cluster.endpoint("mono").socket, "--user", "skyshard_reader"),
    )
    command = ("--single-transaction", "--no-tablespaces", "--compact", "--no-create-info", "--order-by-primary")
    got, want = (
        subprocess.run(
            ["mariadb-dump", "--no-defaults", *place, *command, DATABASE, "Filter", "Object"],
            capture_output=True,
            check=True,
        ).stdout
        for place in places
    )
    assert got.count(b"INSERT INTO") == 2
    assert got == want


def test_what_dumps_ask_is_answered(asked: WireClient, native: WireClient) -> None:
    """Statements that they write in comments, and the end of locks that there are not."""
    text = "SELECT 'SELECT /*!40001 SQL_NO_CACHE */' t FROM Filter LIMIT 1"
    for sql in ("SELECT /*!40001 SQL_NO_CACHE */ * FROM `Filter` ORDER BY filterId", "UNLOCK TABLES", text):
        same(asked.ask(sql), native.ask(sql))
    assert asked.ask("LOCK TABLES Filter READ").error[0] == asked.ask("UNLOCK TABLES Filter").error[0] == 4003


@pytest.mark.parametrize("wanted", [b"Filter\0", b"Object\0%ra%", b"Nothing there\0"])
def test_columns_of_a_table_are_listed(asked: WireClient, native: WireClient, wanted: bytes) -> None:
    """By the command that the mariadb client completes names with."""
    found: list[list[bytes]] = []
    for client in (asked, native):
        packets = BinaryClient(client.raw)
        packets.command(Command.FIELD_LIST, wanted)
        found.append([packets.payload()])
        while not is_eof(found[-1][-1]) and not is_error(found[-1][-1]):
            found[-1].append(packets.payload())
    assert found[0] == found[1]
    assert asked.ask("SELECT 1").rows == [(b"1",)]


def test_a_client_that_compresses_though_nobody_has_offered_it_is_answered(door: OpenDoor) -> None:
    """As mysql-connector-python in pure Python does; the door waited for the rest of a packet for ever."""
    login = bytearray(LOGIN)
    login[0] |= Capability.COMPRESS
    content = framed(bytes([Command.QUERY]) + b"SELECT COUNT(*) FROM trouble.Object", 0)
    inside = zlib.compress(content)
    header = len(inside).to_bytes(3, "little") + b"\0" + len(content).to_bytes(3, "little")
    with socket.create_connection((door.host, door.port), 60) as client, client.makefile("rb") as file:
        file.read(int.from_bytes(file.read(4)[:3], "little"))
        client.sendall(framed(bytes(login), 1))
        assert file.read(11)[4:] == ok()
        client.sendall(header + inside)
        length, sequence, whole = struct.unpack("<HxBHx", file.read(7))
        payloads = [payload for _, payload in payloads_of(file.read(length))]
        assert (sequence, whole, payloads[3]) == (1, 0, b"\x03155")


def test_a_statement_of_several_packets_is_answered(asked: WireClient) -> None:
    """By the czar, by the server, and with values that take several packets, too."""
    long = "x" * ((1 << 24) + 7)
    assert asked.ask(f"SELECT COUNT(*) /* {long} */ FROM Filter").rows == asked.ask("SELECT COUNT(*) FROM Filter").rows
    assert asked.ask(f"SELECT '{long}'").rows == [(long.encode(),)]
    assert asked.ask(f"INSERT {long}").error[0] == 4003


def test_a_submitted_query_is_its_owners(private_cluster: PrivateCluster) -> None:
    """Others see that there is one, in lists, without its statement; an administrator has it as its owner has."""
    sql = "SELECT a FROM sky.Few"
    keys = Keys(ann=Scope.QUERY, bob=Scope.QUERY, root=Scope.ADMIN)
    rows_of = {sql: pa.table({"a": [7, 8]}), limited(sql, 1): pa.table({"a": [7]})}
    services = played_services(PlayedQueries(rows_of), keys)
    with (
        open_door(replace(services, empty_server=DoorServer(private_cluster.folder))) as opened,
        contextlib.ExitStack() as stack,
    ):
        ann, bob, root = (
            stack.enter_context(
                contextlib.closing(WireClient(host=opened.host, port=opened.port, user=key, password=key))
            )
            for key in ("ann", "bob", "root")
        )
        number = int(ann.ask(f"SUBMIT {sql}").rows[0][0] or b"")
        rows, listed = f"SELECT * FROM qserv_result({number})", "SELECT ID, QUERY FROM information_schema.queries"
        assert bob.ask(rows).error[0] == 1146
        assert bob.ask(f"CALL qserv_result_delete({number})").error
        assert bob.ask(f"CANCEL {number}").error[0] == 4005
        number_text = str(number).encode()
        while ann.ask(f"SELECT STATUS FROM information_schema.queries WHERE ID = {number}").rows != [(b"COMPLETED",)]:
            time.sleep(ASK_EVERY_S)
        assert bob.ask(listed).rows == [(number_text, b"")]
        for client in (ann, root):
            assert client.ask(listed).rows == [(number_text, sql.encode())]
            assert client.ask(rows).rows == [(b"7",), (b"8",)]
        for limit in (0, 2, 1):
            assert root.ask(f"SET SQL_SELECT_LIMIT = {limit}").error == ()
            assert root.ask(rows).rows == [(b"7",), (b"8",)][:limit]
        assert root.ask(f"SUBMIT {sql}").error == ()
        root.ask("SET SQL_SELECT_LIMIT = DEFAULT")
        assert (limited(sql, 1).encode(),) in root.ask("SELECT QUERY FROM information_schema.queries").rows
        assert ann.ask(f"CALL qserv_result_delete({number})").error == ()


def noted(number: int, statement: str) -> HistoryRow:
    """A query that has ended, as a process notes it."""
    return {
        "name": f"noted-{number}", "statement": statement, "database": "noted", "is_async": False,
        "state": QueryState.COMPLETED, "submitted_s": time.time(), "rows": number % 7, "owner": "me",
    }  # fmt: skip


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


def test_lists_of_queries_are_the_whole_history_page_by_page(testbed: Testbed) -> None:
    """In its order, cut, filtered and joined, however long the statements are."""
    history = testbed.registry.history
    long = [f"SELECT {'7' * (PAGE_BYTES // 2)}{number}" for number in range(3)]
    texts = [*map(str, range(2 * PAGE_ROWS)), *long, *map(str, range(PAGE_ROWS // 2))]
    history.record([noted(number, text) for number, text in enumerate(texts)])
    rows = [row for row in history.find(9 * PAGE_ROWS) if row["database"] == "noted"]
    assert len(rows) == len(texts)
    played = played_services(PlayedQueries({}))
    services = replace(played, submissions=TestbedSubmissions(testbed), empty_server=DoorServer(testbed.cluster.folder))
    listed = "FROM information_schema.queries"
    all_of_them = f"SELECT ID, `ROWS`, QUERY {listed} WHERE DBS = 'noted'"
    expected = [(str(row["id"]).encode(), str(row["rows"]).encode(), row["statement"].encode()) for row in rows]
    with open_door(services) as opened, contextlib.closing(client_of(opened)) as asked:
        assert asked.ask(all_of_them).rows == expected
        assert asked.ask(f"{all_of_them} LIMIT 700, 9").rows == expected[700:709]
        assert asked.ask(f"{all_of_them} AND ID = {rows[800]['id']}").rows == expected[800:801]
        joined = f"SELECT COUNT(*) {listed} q LEFT JOIN information_schema.processlist p USING (ID) WHERE DBS = 'noted'"
        assert asked.ask(joined).rows == [(str(len(rows)).encode(),)]


@pytest.mark.parametrize("sizes", [(10, 10, 10), (90, 90, 90), (5, 900, 5), (900, 5, 5)])
def test_a_page_of_the_history_has_no_more_bytes_than_are_wanted(testbed: Testbed, sizes: tuple[int, ...]) -> None:
    """But for one query at least: so that pages below pages have all."""
    history, name = testbed.registry.history, f"pages of {sizes}"
    history.record([noted(0, "x" * size) | {"database": name} for size in sizes])
    pages: list[list[int]] = []
    below = None
    while page := history.find(2, database=name, below=below, most_bytes=100):
        pages.append([len(row["statement"]) for row in page])
        below = page[-1]["id"]
    assert [size for page in pages for size in page] == [*reversed(sizes)]
    assert all(len(page) == 1 or sum(page) <= 100 for page in pages)


class OneToken:
    """Ann's is the only one."""

    def identify(self, token: str) -> Identity | None:
        return Identity("ann", Scope.QUERY) if token == "ann's token" else None

    def quota_of(self, name: str) -> Quota:
        return NO_QUOTA

    def is_known(self, name: str) -> bool:
        return name == "ann"


def test_only_tokens_open_a_door_and_only_by_tls(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """Where tokens are asked for; whatever user is named, those of the server behind the door among them."""
    tls = Authority(tmp_path / "authority").issue(tmp_path / "tls", "localhost", "127.0.0.1")
    services = replace(played_services(PlayedQueries({}), OneToken()), empty_server=DoorServer(private_cluster.folder))
    with open_door(services, tls_context(Path(tls.cert), Path(tls.key))) as opened:
        place = {"host": opened.host, "port": opened.port, "ssl": {"ca": tls.ca}}
        with contextlib.closing(WireClient(user="ann", password="ann's token", **place)) as client:
            assert client.ask("SELECT CURRENT_USER()").rows == [(b"ann@localhost",)]
            assert client.ask("SET PASSWORD = PASSWORD('x')").error[0] == 4003
            with contextlib.closing(WireClient(user="other", password="ann's token", **place)) as again:
                assert again.ask("SELECT 1").rows == [(b"1",)]
        for user, password in (("ann", "other"), ("ann", ""), ("skyshard_admin", ""), ("root", ""), ("", "")):
            with pytest.raises(pymysql.MySQLError, match=r"1045.*no token"):
                WireClient(user=user, password=password, **place)
        with pytest.raises(pymysql.MySQLError, match=r"3159.*TLS only"):
            WireClient(user="ann", password="ann's token", **place | {"ssl": None, "ssl_disabled": True})


class Endless(PlayedQueries):
    """A statement that gives a row, and then none until it is cancelled."""

    def __init__(self) -> None:
        super().__init__({})
        self.is_waiting, self.is_over = threading.Event(), threading.Event()

    def lane(self, sql: str, database: str) -> LaneName:
        return "scan"

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[PlayedAnswer]:
        yield PlayedAnswer(("a",), pa.schema([("a", pa.int64())]), self._rows(), "endless")
        self.closed.set()

    def _rows(self) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        self.is_waiting.set()
        self.is_over.wait()

    def cancel(self, query: str) -> bool:
        self.is_over.set()
        return super().cancel(query)


@pytest.fixture
def endless(private_cluster: PrivateCluster) -> Iterator[tuple[OpenDoor, Endless]]:
    queries = Endless()
    services = replace(played_services(queries), empty_server=DoorServer(private_cluster.folder))
    with open_door(services) as opened:
        yield opened, queries


class Broken(PlayedQueries):
    """Fails as nobody expects, with rows on their way."""

    def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        raise RuntimeError("out of its mind")


def test_what_nobody_expects_is_logged_and_told(
    private_cluster: PrivateCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """With its class in the log, without it at the client; other sessions go on."""
    services = played_services(Broken({"SELECT a FROM sky.Broken": pa.table({"a": [1]})}))
    with open_door(replace(services, empty_server=DoorServer(private_cluster.folder))) as door:
        with contextlib.closing(client_of(door)) as one, contextlib.closing(client_of(door)) as other:
            found = one.ask("SELECT a FROM sky.Broken")
            assert (found.error[0], "log" in found.error[1], "mind" in found.error[1]) == (1105, True, False)
            assert other.ask("SELECT 1").rows == [(b"1",)]
            assert one.ask("SELECT 1").error[0] in (0, 2006, 2013)
        said = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "door_failed"]
    assert said == ["the door mysql failed at a request: RuntimeError: out of its mind"]


def test_a_statement_is_killed_from_another_session(endless: tuple[OpenDoor, Endless]) -> None:
    """As Ctrl-C of a client does it: the statement ends with the server's own error, its session goes on."""
    door, queries = endless
    with contextlib.closing(client_of(door)) as one, contextlib.closing(client_of(door)) as other:
        found: list[WireAnswer] = []
        asking = threading.Thread(target=lambda: found.append(one.ask("SELECT a FROM sky.Endless")))
        asking.start()
        queries.is_waiting.wait()
        assert other.ask(f"KILL QUERY {one.raw.thread_id()}").error == ()
        asking.join()
        assert found[0].error == (1317, "Query execution was interrupted")
        assert queries.cancelled == ["endless"]
        assert one.ask("SELECT 1").rows == [(b"1",)]
        assert other.ask("KILL 999999").error[0] == 1094
        assert other.ask(f"KILL {one.raw.thread_id()}").error == ()
        assert one.ask("SELECT 1").error[0] in (2006, 2013)


def test_a_statement_that_is_killed_when_its_answer_is_whole_leaves_nothing_behind_it(
    private_cluster: PrivateCluster,
) -> None:
    """Its client reads slowly: an error behind the last row would be the answer of the next command. One that comes
    before the last row is that of the statement."""
    queries = PlayedQueries({"SELECT a FROM sky.Wide": pa.table({"a": pa.repeat("x" * 100_000, 300)})})
    services = replace(played_services(queries), empty_server=DoorServer(private_cluster.folder))
    with (
        open_door(services) as door,
        contextlib.closing(client_of(door)) as one,
        contextlib.closing(client_of(door)) as other,
    ):
        one.raw._execute_command(Command.QUERY, "SELECT a FROM sky.Wide")
        assert queries.closed.wait(100)
        for _ in range(20):
            assert other.ask("SELECT 1").rows == [(b"1",)]
        assert other.ask(f"KILL QUERY {one.raw.thread_id()}").error == ()
        with contextlib.suppress(pymysql.MySQLError):
            assert one.raw._read_query_result() == 300
        assert one.ask("SELECT 2").rows == [(b"2",)]


def test_the_query_of_a_client_that_goes_away_is_cancelled(endless: tuple[OpenDoor, Endless]) -> None:
    """Though nothing is written to it at that time."""
    door, queries = endless
    client = client_of(door)
    sock = client.raw._sock
    sock.sendall(framed(bytes([Command.QUERY]) + b"SELECT a FROM sky.Endless", 0))
    queries.is_waiting.wait()
    client.raw._force_close()
    assert queries.is_over.wait(100)
    assert queries.closed.wait(100)
    assert queries.cancelled == ["endless"]


PROCESSES = "SELECT ID, TYPE, QUERY FROM information_schema.processlist"


@pytest.mark.parametrize("is_prepared", [False, True])
def test_what_sessions_run_is_listed_and_killed_by_its_number(
    endless: tuple[OpenDoor, Endless], is_prepared: bool
) -> None:
    """As text and prepared; the number is that of its session, and the list is empty when it has ended."""
    door, queries = endless
    sql = "SELECT a FROM (SELECT 1 AS a) b"
    with contextlib.closing(client_of(door)) as one, contextlib.closing(client_of(door)) as other:
        assert other.ask(PROCESSES).rows == []
        ask = BinaryClient(one.raw).ask if is_prepared else one.ask
        asking = threading.Thread(target=ask, args=(sql,))
        asking.start()
        assert queries.is_waiting.wait(60)
        number = str(one.raw.thread_id()).encode()
        assert other.ask(PROCESSES).rows == [(number, b"SYNC", sql.encode())]
        assert other.ask("SHOW PROCESSLIST").rows[0][0] == number
        assert other.ask(f"KILL QUERY {number.decode()}").error == ()
        asking.join()
        assert queries.cancelled == ["endless"]
        assert other.ask(PROCESSES).rows == []


def test_what_another_token_runs_is_listed_without_its_statement(private_cluster: PrivateCluster) -> None:
    """And is not theirs to kill, but an administrator's."""
    queries, keys = Endless(), Keys(ann=Scope.QUERY, bob=Scope.QUERY, root=Scope.ADMIN)
    services = replace(played_services(queries, keys), empty_server=DoorServer(private_cluster.folder))
    with open_door(services) as opened, contextlib.ExitStack() as stack:
        place = {"host": opened.host, "port": opened.port}
        ann, bob, root = (
            stack.enter_context(contextlib.closing(WireClient(user=key, password=key, **place)))
            for key in ("ann", "bob", "root")
        )
        found: list[WireAnswer] = []
        asking = threading.Thread(target=lambda: found.append(ann.ask("SELECT a FROM sky.Endless")))
        asking.start()
        assert queries.is_waiting.wait(60)
        number = str(ann.raw.thread_id()).encode()
        assert bob.ask(PROCESSES).rows == [(number, b"SYNC", b"")]
        assert bob.ask(f"KILL {number.decode()}").error[0] == 1094
        assert root.ask(PROCESSES).rows == [(number, b"SYNC", b"SELECT a FROM sky.Endless")]
        assert root.ask(f"KILL QUERY {number.decode()}").error == ()
        asking.join()
        assert found[0].error[0] == 1317


def test_nodes_stop_when_a_client_goes_away_amid_its_rows(
    sky: Sky, door: OpenDoor, private_cluster: PrivateCluster
) -> None:
    """Some rows are there, others wait for a lock on a node: what waits there is ended while the lock is held."""
    chunk = next(iter(sky.catalog_.tables["Object"].chunks))
    node = sky.catalog_.tables["Object"].chunks[chunk].nodes[0]
    with connect(private_cluster.endpoint(node), Account.ADMIN) as holder:
        holder.execute(f"LOCK TABLES {DATABASE}.Object_{chunk} WRITE, {DATABASE}.Object_{chunk} AS o WRITE")
        client = client_of(door, DATABASE)
        packets = BinaryClient(client.raw)
        packets.command(Command.QUERY, b"SELECT objectId, ra, decl FROM Object")
        assert len([packets.payload() for _ in range(6)][5]) > 20  # behind their number, three columns and an end
        wait_until(lambda: waiting_on(private_cluster, node, chunk) > 0, "a statement waits")
        client.raw._force_close()
        wait_until(lambda: waiting_on(private_cluster, node, chunk) == 0, "it is ended")
        holder.execute("UNLOCK TABLES")


@pytest.mark.parametrize("is_prepared", [False, True])
def test_nodes_stop_when_a_client_reads_no_more(
    sky: Sky, door: OpenDoor, private_cluster: PrivateCluster, is_prepared: bool
) -> None:
    """After as long as its session says; what waits on a node is ended, and other clients are answered meanwhile."""
    chunk = next(iter(sky.catalog_.tables["Object"].chunks))
    node = sky.catalog_.tables["Object"].chunks[chunk].nodes[0]
    with (
        connect(private_cluster.endpoint(node), Account.ADMIN) as holder,
        contextlib.closing(client_of(door, DATABASE)) as one,
        contextlib.closing(client_of(door, DATABASE)) as other,
    ):
        sql, packets = "SELECT objectId, REPEAT('x', 500000) AS text FROM Object", BinaryClient(one.raw)
        assert one.ask("SET SESSION net_write_timeout = 1").error == ()
        if is_prepared:
            number = packets.prepare(sql).number
        holder.execute(f"LOCK TABLES {DATABASE}.Object_{chunk} WRITE, {DATABASE}.Object_{chunk} AS o WRITE")
        if is_prepared:
            packets.command(Command.STMT_EXECUTE, execute_payload(number, ()))
        else:
            packets.command(Command.QUERY, sql.encode())
        wait_until(lambda: waiting_on(private_cluster, node, chunk) > 0, "a statement waits")
        assert other.ask("SELECT COUNT(*) FROM Filter").error == ()
        wait_until(lambda: waiting_on(private_cluster, node, chunk) == 0, "it is ended")
        wait_until(lambda: other.ask(PROCESSES).rows == [], "nothing is left of it")
        with pytest.raises(pymysql.err.OperationalError):
            read_on(packets)
        holder.execute("UNLOCK TABLES")


def read_on(client: BinaryClient) -> None:
    """To the end of the connection."""
    while True:
        client.payload()


def waiting_on(cluster: PrivateCluster, node: str, chunk: int) -> int:
    """Statements over a chunk's table that a node works on."""
    asked = f"SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%Object\\_{chunk}%' "
    with connect(cluster.endpoint(node), Account.ADMIN) as admin:
        return int(admin.rows(f"{asked} AND id <> CONNECTION_ID()")[0][0])


@pytest.mark.parametrize("more", [framed(bytes([Command.QUIT]), 0), framed(bytes([Command.PING]), 0) * 3])
def test_a_client_that_goes_away_is_noticed_though_it_sent_more(endless: tuple[OpenDoor, Endless], more: bytes) -> None:
    """The next command, or that it quits, before the answer had ended."""
    door, queries = endless
    client = client_of(door)
    client.raw._sock.sendall(framed(bytes([Command.QUERY]) + b"SELECT a FROM sky.Endless", 0))
    assert queries.is_waiting.wait(60)
    client.raw._sock.sendall(more)
    client.raw._force_close()
    assert queries.is_over.wait(60)
    assert queries.closed.wait(60)
    assert queries.cancelled == ["endless"]


@pytest.mark.parametrize("statement", [b"\xf6\x84 no letters", b"SUBMIT SELECT '\xff' FROM Object", b"CANCEL \xff"])
def test_what_is_no_text_is_refused(asked: WireClient, statement: bytes) -> None:
    """And the session goes on."""
    with asked.raw.cursor() as cursor, pytest.raises(pymysql.MySQLError):
        cursor.execute(statement)
    assert asked.ask("SELECT COUNT(*) FROM Filter").error == ()


def test_one_session_too_many_is_told_so(endless: tuple[OpenDoor, Endless]) -> None:
    """And there is room again when one has gone."""
    door, _ = endless
    door.door._most = 1
    with contextlib.closing(client_of(door)), pytest.raises(pymysql.MySQLError, match="1040"):
        client_of(door)
    wait_until(lambda: not len(door.door._sessions), "the session has ended")
    with contextlib.closing(client_of(door)) as again:
        assert again.ask("SELECT 1").rows == [(b"1",)]


@pytest.mark.parametrize("seed", range(drawn(1)))
def test_malformed_packets_hurt_nobody(door: OpenDoor, asked: WireClient, seed: int) -> None:
    """Logins and commands with bytes changed, cut and repeated: the door goes on, and other sessions with it."""
    randomly = random.Random(seed)
    with contextlib.closing(client_of(door, DATABASE)) as sound:
        for _ in range(60):
            with contextlib.suppress(OSError), socket.create_connection((door.host, door.port), 5) as bare:
                bare.settimeout(0.05)
                bare.recv(4096)
                _send_mutations(bare, randomly)
        assert sound.ask("SELECT COUNT(*) FROM Object").rows == [(b"155",)]
    assert asked.ask("SELECT COUNT(*) FROM Object").rows == [(b"155",)]


LOGIN = bytes.fromhex("05a62a00000000012d") + bytes(23) + b"me\0" + b"\0" + b"mysql_native_password\0"
COMMANDS = [bytes([code]) + b"SELECT ra FROM Object" for code in (3, 2, 22, 4)] + [bytes([23]) + bytes(9), b"\x1f", b""]


def _send_mutations(bare: socket.socket, randomly: random.Random) -> None:
    is_login_sound = randomly.random() < 0.7
    bare.sendall(framed(LOGIN, 1) if is_login_sound else _mutated(framed(LOGIN, 1), randomly))
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            bare.recv(4096)
        bare.sendall(_mutated(framed(randomly.choice(COMMANDS), 0), randomly))


def _mutated(data: bytes, randomly: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(randomly.randrange(1, 4)):
        place = randomly.randrange(len(found)) if found else 0
        match randomly.randrange(3):
            case 0 if found:
                found[place] = randomly.randrange(256)
            case 1:
                del found[place : place + randomly.randrange(1, 8)]
            case _:
                found[place:place] = randomly.randbytes(randomly.randrange(1, 8))
    return bytes(found)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``skyshard serve`` in a process of its own, and the port of its MySQL door."""
    command = [
        sys.executable,
        "-m",
        "skyshard.cli.app",
        "serve",
        "--mysql",
        "127.0.0.1:0",
        "--open",
        "--cluster",
        str(folder),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "all doors are open" in line:
                break
        yield process, int(said.split("mysql://127.0.0.1:")[1].split("/")[0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def test_a_served_cluster_from_submission_to_the_end(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """Qserv's statements over a published catalog; names follow changes; nothing is left, after -9 neither."""
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(write_small_catalog(tmp_path / "in", database="served"), runtime="inline")
        with served(private_cluster.folder) as (process, port), contextlib.closing(
            WireClient(host="127.0.0.1", port=port, user="me", database="served")
        ) as client:  # fmt: skip
            _ask_qserv_s_way(client)
            testbed.alias("latest", "served")
            assert client.ask("SELECT COUNT(*) FROM latest.Object").rows == [(b"300",)]
            assert client.ask("SHOW TABLES FROM latest").rows == client.ask("SHOW TABLES FROM served").rows
            assert (b"latest",) in client.ask("SHOW DATABASES").rows
            testbed.remove_alias("latest")
            assert client.ask("SHOW TABLES FROM latest").error
            _follow_an_alias(testbed, client, tmp_path)
            assert len(left_of_doors(private_cluster)) == 1
        assert process.returncode == 0
        assert left_of_doors(private_cluster) == []
        with served(private_cluster.folder) as (process, _):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        with served(private_cluster.folder):
            assert len(left_of_doors(private_cluster)) == 1
        assert left_of_doors(private_cluster) == []
        testbed.drop("served")


def _follow_an_alias(testbed: Testbed, client: WireClient, folder: Path) -> None:
    """An alias given to a release of other types: at once the new rows, defined as the new columns are."""
    other = write_small_catalog(folder / "other", database="other")
    schema = other / "data" / "schema" / "Object.schema"
    schema.write_text(schema.read_text().replace("`flag` tinyint(4)", "`flag` double"))
    testbed.ingest(other, runtime="inline")
    for database, kind in (("served", 1), ("other", 5)) * 3:
        testbed.alias("latest", database)
        found = client.ask("SELECT flag FROM latest.Object WHERE objectId = 400000000000000")
        assert ([field[7] for field in found.fields], found.rows) == ([kind], [(b"1",)])
        described = client.ask("SHOW COLUMNS FROM latest.Object LIKE 'flag'").rows[0][1]
        assert described == (b"tinyint(4)" if kind == 1 else b"double")
    testbed.remove_alias("latest")
    testbed.drop("other")


def left_of_doors(cluster: PrivateCluster) -> list[Path]:
    """Folders of servers behind doors, those of this process's own doors left out."""
    found = (cluster.folder / "servers").glob("door-*")
    return [one for one in found if not one.name.startswith(f"door-{os.getpid()}-")]


def _ask_qserv_s_way(client: WireClient) -> None:
    submitted = client.ask("SUBMIT SELECT objectId, flux FROM Object ORDER BY objectId")
    assert [field[0] for field in submitted.fields] == ["jobId", "resultLocation"]
    number = int(submitted.rows[0][0] or b"0")
    assert submitted.rows[0][1] == f"table:result_{number}".encode()
    state = f"SELECT STATUS, QUERY FROM INFORMATION_SCHEMA.QUERIES WHERE ID = {number}"
    while (found := client.ask(state)).rows[0][0] == b"EXECUTING":
        client.ask("SELECT SLEEP(0.02)")
    assert found.rows == [(b"COMPLETED", b"SELECT objectId, flux FROM Object ORDER BY objectId")]
    kept = client.ask(f"SELECT * FROM qserv_result({number})")
    same(kept, client.ask("SELECT objectId, flux FROM Object ORDER BY objectId"))
    assert client.ask(f"CALL qserv_result_delete({number})").error == ()
    assert client.ask(f"SELECT * FROM qserv_result({number})").error
    assert client.ask("SELECT * FROM qserv_result(999999)").error[0] == 1146
    assert client.ask("CANCEL 999999").error[0] == 4005
    processes = client.ask("SELECT ID AS id, UPDATED AS updated, CHUNKS FROM information_schema.processlist")
    assert [field[7] for field in processes.fields] == [8, 12, 3]
    assert [field[0] for field in client.ask("SHOW FULL PROCESSLIST").fields][:2] == ["ID", "COMMAND"]
