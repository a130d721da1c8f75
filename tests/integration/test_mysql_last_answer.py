"""What a session asks of its last statement at the MySQL door, as of one server: rows found, errors, flags."""

from __future__ import annotations

import contextlib

import pytest
from tests.support.binary_client import BinaryClient
from tests.support.open_door import OpenDoor, WireClient
from tests.support.trouble_sky import DATABASE

from skyshard.serve.mysql.packets import Command, is_eof, status_of

pytestmark = pytest.mark.integration

ROWS = "SELECT objectId FROM Object ORDER BY objectId"


@pytest.mark.parametrize(
    "before",
    [
        ROWS, f"{ROWS} LIMIT 3", "SELECT COUNT(*) FROM Object", "SELECT objectId FROM Object WHERE 1 = 0",
        "SELECT filterId FROM Filter UNION ALL SELECT visitId FROM Visit", "SHOW TABLES LIKE 'Fil%'", "SELECT 1",
        "SELECT FOUND_ROWS()", "EXECUTE IMMEDIATE 'SELECT filterId FROM Filter'",
    ],
)  # fmt: skip
def test_rows_that_were_found_are_one_server_s(asked: WireClient, native: WireClient, before: str) -> None:
    """Of statements over catalogs, and of those that are relayed."""
    for client in (asked, native):
        client.ask(ROWS)
        assert client.ask(before).error == ()
    for sql in ("SELECT FOUND_ROWS()", "SELECT FOUND_ROWS() AS found;", "SELECT ROW_COUNT()"):
        got, want = asked.ask(sql), native.ask(sql)
        assert (got.error, got.fields, got.rows) == (want.error, want.fields, want.rows), sql


@pytest.mark.parametrize(
    ("before", "sql"),
    [
        (f"{ROWS} LIMIT 2, 3", "SELECT FOUND_ROWS()"), (f"{ROWS} LIMIT 3 OFFSET 2", "SELECT FOUND_ROWS()"),
        (ROWS.replace("SELECT", "SELECT SQL_CALC_FOUND_ROWS") + " LIMIT 3", "SELECT FOUND_ROWS()"),
        (ROWS, "SELECT FOUND_ROWS() + 1"), (ROWS, "SET @n = FOUND_ROWS()"), ("DESC Filter", "SELECT FOUND_ROWS()"),
        (ROWS, "EXECUTE IMMEDIATE 'SELECT FOUND_ROWS()'"), (ROWS, "PREPARE s FROM 'SELECT FOUND_ROWS()'"),
    ],
)  # fmt: skip
def test_rows_that_are_not_known_are_refused(asked: WireClient, before: str, sql: str) -> None:
    """Rather than told of another statement; prepared in the binary protocol it is always refused."""
    assert asked.ask(before).error == ()
    assert asked.ask(sql).error[0] in (1235, 4003)
    prepared = BinaryClient(asked.raw).ask("SELECT FOUND_ROWS()")
    assert prepared.error is not None
    assert prepared.error[0] == 1295


@pytest.mark.parametrize(
    "before",
    [
        "SELECT COUNT(*) FROM Object", "SELECT nothing FROM Object", "SELECT ra FORM Object", "SELECT 'b' + 1",
        "SELECT nothing",
    ],
)  # fmt: skip
def test_what_happened_is_told_of_the_last_statement(asked: WireClient, native: WireClient, before: str) -> None:
    """Its error, or none, whatever the ones before it left."""
    for sql in ("SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) ERRORS", "SELECT @@warning_count, @@error_count"):
        for client in (asked, native):
            client.ask("SELECT 'a' + 1")
            client.ask(before)
        got, want = asked.ask(sql), native.ask(sql)
        assert (got.error, got.fields, got.rows) == (want.error, want.fields, want.rows), sql


def test_errors_of_the_door_s_own_are_told_too(asked: WireClient) -> None:
    error = asked.ask("SELECT COUNT(*) INTO @n FROM Object").error
    assert asked.ask("SHOW ERRORS").rows == [(b"Error", str(error[0]).encode(), error[1].encode())]
    error = asked.ask("HANDLER Object OPEN").error
    assert asked.ask("SHOW WARNINGS").rows == [(b"Error", str(error[0]).encode(), error[1].encode())]


def flags(client: WireClient, sql: str) -> list[int]:
    """Those of both ends of an answer."""
    packets = BinaryClient(client.raw)
    packets.command(Command.QUERY, sql.encode())
    found: list[int] = []
    while len(found) < 2:
        if is_eof(payload := packets.payload()):
            found.append(status_of(payload))
    return found


def test_an_answer_ends_with_the_flags_of_its_session(asked: WireClient, native: WireClient) -> None:
    """By which clients in C know whether they commit by themselves, and are in a transaction."""
    for sql in ("SET autocommit = 0", "SET autocommit = 1", "BEGIN", "COMMIT", "START TRANSACTION", "ROLLBACK"):
        for client in (asked, native):
            assert client.ask(sql).error == ()
        got, want = (flags(client, "SELECT filterId FROM Filter") for client in (asked, native))
        assert [one & 3 for one in got] == [one & 3 for one in want], sql


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_uca1400_as_cs", "utf8mb4_nopad_bin"])
def test_a_collation_that_changes_answers_is_refused_by_its_name(
    door: OpenDoor, native: WireClient, collation: str
) -> None:
    """One server answers otherwise with it."""
    sql = "SELECT 'a' = 'A' FROM Filter LIMIT 1"
    before = native.ask(sql).rows
    assert native.ask(f"SET NAMES utf8mb4 COLLATE {collation}").error == ()
    assert native.ask(sql).rows != before
    native.ask("SET NAMES utf8mb4")
    with contextlib.closing(WireClient(host=door.host, port=door.port, user="me", database=DATABASE)) as client:
        client.ask(f"SET NAMES utf8mb4 COLLATE {collation}")
        assert collation in client.ask(sql).error[1]
        client.ask("SET NAMES utf8mb4")
        assert client.ask(sql).rows == before


def test_letters_in_two_character_sets_are_refused(asked: WireClient, native: WireClient) -> None:
    """A server reads the texts of a statement into that of the connection; what is ASCII is the same in both."""
    for client in (asked, native):
        assert client.ask("SET character_set_connection = latin1").error == ()
    plain = "SELECT LENGTH('e') FROM Filter LIMIT 1"
    assert asked.ask(plain).rows == native.ask(plain).rows == [(b"1",)]
    assert "character_set_connection latin1" in asked.ask(plain.replace("e", "é")).error[1]


def test_the_character_set_of_columns_is_told_and_of_other_texts_refused(asked: WireClient, native: WireClient) -> None:
    """Those that a statement makes are in its session's."""
    for sql in (
        "SELECT CHARSET(name), COLLATION(o.`name`) FROM Object o LIMIT 1",
        "SELECT CHARSET('a'), COLLATION('a')",
    ):
        assert asked.ask(sql).rows == native.ask(sql).rows != []
    for sql in ("SELECT CHARSET('a') FROM Filter", "SELECT COLLATION(CONCAT(1)) FROM Filter"):
        assert "answered of columns only" in asked.ask(sql).error[1]
