"""Prepared statements through the MySQL door: packets equal to one server's, for texts as they are and with values."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from tests.support.binary_client import (
    BLOB,
    LONG_DATA,
    TEXT,
    BinaryAnswer,
    BinaryClient,
    Parameter,
    double,
    execute_payload,
    text,
    whole,
)
from tests.support.open_door import OpenDoor
from tests.support.statement_cases import Case, read_cases
from tests.support.trouble_sky import DATABASE, KEY, Sky

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.serve.mysql.definitions import Definition
from skyshard.serve.mysql.packets import Command, Reader, lenenc_text

pytestmark = pytest.mark.integration

CASES = Path(__file__).resolve().parents[1] / "cases" / "statements.sql"
DOUBLE, FLOAT = 5, 4
KEY_FLAGS = 2 | 4 | 8 | 0x4000 | 0x1000
GROUPED = 0x8000 | 0x80
WIDTHS = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 8: 8, FLOAT: 4, DOUBLE: 8}
TIMES = (7, 10, 11, 12)


def connected(database: str | None = DATABASE, **place: object) -> Any:
    return pymysql.connect(charset="utf8mb4", autocommit=True, database=database, **place)


@pytest.fixture(scope="module")
def asked(door: OpenDoor) -> Iterator[BinaryClient]:
    with contextlib.closing(connected(host=door.host, port=door.port, user="me")) as raw:
        yield BinaryClient(raw)


@pytest.fixture(scope="module")
def native(sky: Sky, private_cluster: PrivateCluster) -> Iterator[BinaryClient]:
    """The same client on the server that has all rows."""
    place = private_cluster.endpoint("mono").socket
    with contextlib.closing(connected(unix_socket=place, user="skyshard_reader")) as raw:
        with raw.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
        yield BinaryClient(raw)


def values_of(payload: bytes, columns: list[Definition]) -> list[Any]:
    """A row's values: bytes as they came, floating numbers as such."""
    width = (len(columns) + 9) // 8
    nulls = int.from_bytes(payload[1 : 1 + width], "little") >> 2
    assert payload[0] == 0
    reader = Reader(payload, 1 + width)
    found: list[Any] = []
    for index, column in enumerate(columns):
        if nulls >> index & 1:
            found.append(None)
        elif column.type in WIDTHS:
            raw = reader.take(WIDTHS[column.type])
            is_float = column.type in (FLOAT, DOUBLE)
            found.append(struct.unpack("<f" if column.type == FLOAT else "<d", raw)[0] if is_float else raw)
        elif column.type in TIMES:
            found.append(reader.take(reader.number(1)))
        else:
            found.append(reader.lenenc_text())
    assert reader.place == len(payload)
    return found


def is_same(one: bytes | float | None, other: bytes | float | None) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def rank(value: bytes | float | None) -> tuple[bool, str]:
    return value is None, f"{value:.8e}" if isinstance(value, float) else str(value)


def plain(columns: list[Definition]) -> list[tuple[object, ...]]:
    return [
        (one.name, one.org_name, one.table, one.org_table, one.schema, one.charset, one.length, one.type,
         one.flags & ~KEY_FLAGS & ~GROUPED, one.decimals)
        for one in columns
    ]  # fmt: skip


def require_same(got: BinaryAnswer, want: BinaryAnswer, *, is_ordered: bool = False, is_native: bool = True) -> None:
    assert (got.error, want.error) == (None, None)
    if is_native:
        assert plain(got.columns) == plain(want.columns)
    left, right = ([values_of(row, one.columns) for row in one.rows] for one in (got, want))
    if not is_ordered:
        for rows in (left, right):
            rows.sort(key=lambda row: [rank(value) for value in row])
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert all(map(is_same, one, other)), (one, other)


@pytest.mark.parametrize("case", read_cases(CASES.read_text()), ids=lambda case: case.sql[:70])
def test_answers_are_one_server_s(sky: Sky, asked: BinaryClient, native: BinaryClient, case: Case) -> None:
    """Definitions field by field, and the bytes of every value; of what no server knows, those of its written form."""
    want = native.ask(case.sql)
    is_known = not want.error
    if not is_known:
        want = native.ask(sky.czar.written_out(case.sql, DATABASE))
    require_same(asked.ask(case.sql), want, is_ordered=case.is_ordered, is_native=is_known)


def date(year: int, month: int, day: int, *rest: int) -> bytes:
    """As it is bound: with hour, minute and second, or microseconds, too."""
    made = struct.pack("<HBB", year, month, day) + bytes(rest[:3])
    made += struct.pack("<I", rest[3]) if len(rest) > 3 else b""
    return bytes([len(made)]) + made


NONE: Parameter = (TEXT, None)
AT = date(2020, 1, 2, 1, 2, 3)
BOUND: list[tuple[str, list[Parameter]]] = [
    ("SELECT objectId, ra FROM Object WHERE objectId = ?", [whole(KEY + 3)]),
    ("SELECT objectId, ra FROM Object WHERE objectId IN (?, ?, ?)", [whole(KEY), whole(KEY + 9, unsigned=True), NONE]),
    ("SELECT objectId FROM Object WHERE kind = ? AND tiny > ?", [(1, b"\2"), (1 | 0x8000, b"\xc8")]),
    ("SELECT objectId FROM Object WHERE wide < ? OR kind = ?", [(3, struct.pack("<i", -8388600)), (2, b"\3\0")]),
    ("SELECT objectId FROM Object WHERE ra BETWEEN ? AND ?", [double(10.5), (FLOAT, struct.pack("<f", 40.25))]),
    ("SELECT objectId, ra-? FROM Object WHERE ra-?>300", [whole(-3), double(-1e-7)]),
    ("SELECT noteId, '?', \"it's ?\", body /* ? */ FROM Note WHERE body LIKE ? -- ?\n", [text("%'x'%")]),
    ("SELECT noteId AS `?` FROM Note WHERE body = ? # ?", [text("note\t4\\ \n'x'")]),
    ("SELECT name FROM Object WHERE name = ? OR name = ?", [text("É1"), text("n3")]),
    ("SELECT objectId FROM Object WHERE raw = ? OR bin = ?", [(BLOB, b"\3\5\x09\\"), (251, b"\4\0\7\x20\0")]),
    ("SELECT objectId FROM Object WHERE price = ?", [(246, lenenc_text(b"0.125"))]),
    ("SELECT objectId FROM Object WHERE price > ?", [(0, lenenc_text(b"124"))]),
    ("SELECT objectId FROM Object WHERE day > ? AND seen > ?", [(10, date(2010, 2, 3)), (12, AT)]),
    ("SELECT objectId FROM Object WHERE fine > ?", [(7, date(2001, 2, 3, 4, 5, 6, 50))]),
    ("SELECT objectId FROM Object WHERE clock < ?", [(11, b"\x08\1" + struct.pack("<IBBB", 2, 3, 4, 5))]),
    ("SELECT ? FROM Filter", [whole(-5)]), ("SELECT ?, ?, ? FROM Filter", [double(0.1), NONE, text("it's")]),
    ("SELECT ? + 1, ? * 2, CONCAT(?, '?') FROM Filter", [whole(2**63, unsigned=True), whole(7), text("é")]),
    ("SELECT ?, ?, ? FROM Filter", [(12, AT), (10, date(2020, 1, 2)), (12, date(2020, 1, 2, 3, 4, 5, 6))]),
    ("SELECT ?, ?, ? FROM Filter", [(11, b"\0"), (246, lenenc_text(b"-1.50")), (BLOB, b"\3a\0b")]),
    ("SELECT ? + INTERVAL ? DAY FROM Filter", [(10, date(2020, 1, 2)), whole(3)]),
    ("SELECT filterId FROM Filter ORDER BY filterId LIMIT ?", [whole(2)]),
    ("SELECT filterId FROM Filter ORDER BY filterId LIMIT ?, ?", [text("1"), whole(-1)]),
    ("SELECT filterId FROM Filter ORDER BY filterId LIMIT ? OFFSET ?", [double(1.7), NONE]),
    ("SELECT -filterId FROM Filter ORDER BY ?, 1", [whole(1)]),
    ("SELECT filterId, COUNT(*) FROM Source GROUP BY ?", [whole(1)]),
    ("SELECT COUNT(*), SUM(n) FROM Source WHERE objectId = ?", [whole(KEY + 21)]),
    ("SELECT kind, COUNT(*) n FROM Object WHERE mag > ? GROUP BY kind HAVING n > ?", [double(15.0), whole(3)]),
    ("SELECT o.objectId FROM Object o JOIN Source s USING (objectId) WHERE s.flux > ?", [double(50.0)]),
    ("SELECT objectId FROM Object WHERE season = ? OR sort = ? OR marks = ?", [whole(1971), text("é"), text("x,z")]),
    ("SELECT objectId FROM Object WHERE flag = ? AND big > ?", [whole(1), whole(2**63 + 9, unsigned=True)]),
    ("SELECT CASE WHEN kind=? THEN ? ELSE ? END FROM Object", [whole(1), text("one"), NONE]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "parameters"), BOUND, ids=lambda one: one[:60] if isinstance(one, str) else "")
def test_values_are_bound_as_on_one_server(
    asked: BinaryClient, native: BinaryClient, sql: str, parameters: list[Parameter]
) -> None:
    """Of all types: parameters and columns as they are prepared, definitions and rows as they are executed."""
    made, want = asked.prepare(sql), native.prepare(sql)
    assert (made.error, want.error) == (None, None)
    assert made.parameters == want.parameters
    assert plain(made.columns) == plain(want.columns)
    require_same(asked.execute(made.number, parameters), native.execute(want.number, parameters))
    again = asked.execute(made.number, parameters, bound=False)
    require_same(again, native.execute(want.number, parameters, bound=False))
    for one, number in ((asked, made.number), (native, want.number)):
        one.close(number)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM Object WHERE ra = ?", "SELECT ra FROM Nothings", "SELECT ra FORM Object",
        "SELECT ? ? FROM Object",
    ],
)  # fmt: skip
def test_what_cannot_be_prepared_is_refused_in_the_server_s_words(
    asked: BinaryClient, native: BinaryClient, sql: str
) -> None:
    """And the session goes on."""
    assert asked.prepare(sql).error == native.prepare(sql).error
    assert len(asked.ask("SELECT filterId FROM Filter").rows) == 4


def test_areas_are_bound(asked: BinaryClient) -> None:
    """Of statements that no server knows, too."""
    sql = "SELECT objectId FROM Object WHERE qserv_areaspec_box(?, ?, ?, ?) AND kind < ?"
    made = asked.prepare(sql)
    assert (len(made.parameters), [one.name for one in made.columns]) == (5, [b"objectId"])
    got = asked.execute(made.number, [whole(0), whole(-6), double(40), double(60.0), whole(3)])
    want = asked.ask("SELECT objectId FROM Object WHERE qserv_areaspec_box(0, -6, 40, 60) AND kind < 3")
    require_same(got, want)
    assert got.rows
    made = asked.prepare("SELECT objectId FROM Object WHERE scisql_angSep(?, ?, ra, decl) < ? LIMIT ?")
    assert len(asked.execute(made.number, [whole(20), whole(10), double(9.0), whole(2)]).rows) == 2


def test_long_data_comes_in_parts(asked: BinaryClient, native: BinaryClient) -> None:
    """It is a parameter's value until the next execute, or a reset."""
    sql = "SELECT noteId, ? FROM Note WHERE body = ? OR noteId = ?"
    answers = [executed_long(one, sql) for one in (asked, native)]
    for got, want in zip(*answers, strict=True):
        require_same(got, want)
    assert len(answers[0][0].rows) == 2


def executed_long(one: BinaryClient, sql: str) -> list[BinaryAnswer]:
    made = one.prepare(sql)
    for part in (b"note\t", b"4\\ \n", b"'x'"):
        one.send_long(made.number, 1, part)
    one.send_long(made.number, 0, b"long" * 100)
    long = [(TEXT, LONG_DATA), (TEXT, LONG_DATA), whole(9999)]
    found = [one.execute(made.number, long), one.execute(made.number, [text("a"), text("b"), whole(1)])]
    one.send_long(made.number, 1, b"gone")
    assert one.reset(made.number)[0] == 0
    found.append(one.execute(made.number, [text("a"), NONE, whole(1)]))
    one.send_long(made.number, 7, b"no such parameter")
    assert one.execute(made.number, [text("a"), NONE, whole(1)]).error
    one.close(made.number)
    return found


def test_statements_are_known_until_they_are_closed(asked: BinaryClient, native: BinaryClient) -> None:
    """By their numbers, which differ from those that the server gives to relayed ones; cursors are not opened."""
    for one in (asked, native):
        first, relayed = one.prepare("SELECT filterId FROM Filter WHERE filterId = ?"), one.prepare("SELECT ? + 1")
        assert first.number != relayed.number
        assert len(one.execute(first.number, [whole(2)]).rows) == 1
        assert len(one.execute(relayed.number, [whole(2)]).rows) == 1
        assert one.execute(first.number, [], bound=False).error
        one.close(first.number)
        found = one.execute(first.number, [whole(2)])
        assert found.error is not None
        assert found.error[0] == 1243
        assert len(one.execute(relayed.number, [whole(2)]).rows) == 1
    made = asked.prepare("SELECT filterId FROM Filter")
    assert len(asked.execute(made.number, cursor=1).rows) == 4
    asked.command(Command.STMT_FETCH, struct.pack("<II", made.number, 2))
    assert int.from_bytes(asked.payload()[1:3], "little") == 1421
    asked.command(Command.RESET_CONNECTION, b"")
    assert asked.payload()[0] == 0
    assert asked.execute(made.number).error is not None
    asked.raw.select_db(DATABASE)
    asked.raw.set_character_set("utf8mb4")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\0", 1210), (b"\0\0", 1210), (b"\0\1\x08\0\1", 1210), (b"\0\1\x09\0\1\0\0\0", 1210),
        (b"\0\1\x0c\0\3\0\0\0", 1210), (b"\0\1\xfd\0\xfe", 1210), (b"\0\1\x05\0" + struct.pack("<d", math.nan), 1210),
        (b"\0\1\xfd\0\2\xff\xff", 1105), (b"", 1210),
    ],
)  # fmt: skip
def test_values_that_cannot_be_read_are_refused(asked: BinaryClient, payload: bytes, code: int) -> None:
    """Cut short, of unknown types, no text: an error of the execute, and the statement is as it was."""
    made = asked.prepare("SELECT filterId FROM Filter WHERE filterId = ?")
    asked.command(Command.STMT_EXECUTE, execute_payload(made.number, []) + payload)
    found = asked.answer()
    assert found.error is not None
    assert found.error[0] == code
    assert len(asked.execute(made.number, [whole(2)]).rows) == 1


def test_values_never_end_their_literals(door: OpenDoor) -> None:
    """Quotes, backslashes, comments and zeros in texts; modes in which strings end elsewhere are refused."""
    nasty = ["' OR '1'='1", "\\' OR 1=1 -- ", "\\", "a\0b", "?", "/*", "*/", "';--", '"', "`", "\x1a\r\n", "x'41'"]
    with contextlib.closing(connected(host=door.host, port=door.port, user="me")) as raw:
        client = BinaryClient(raw)
        made = client.prepare("SELECT ?, COUNT(*) FROM Object WHERE name = ?")
        for value in nasty:
            found = client.execute(made.number, [text(value), text(value)])
            assert [values_of(row, found.columns) for row in found.rows] == [[value.encode(), bytes(8)]]
        with raw.cursor() as cursor:
            cursor.execute("SET NAMES latin1")
        found = client.execute(made.number, [(TEXT, lenenc_text(b"\xc91"))] * 2)
        first, count = values_of(found.rows[0], found.columns)
        assert first == b"\xc91"
        assert int.from_bytes(count, "little") > 0
        for mode in ("NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"):
            with raw.cursor() as cursor:
                cursor.execute(f"SET sql_mode = '{mode}'")
            found = client.execute(made.number, [text("a"), text("a")])
            assert found.error is not None
            assert mode in found.error[1]
            assert client.prepare("SELECT ra FROM Object WHERE name = ?").error is not None
