"""Letters beyond ASCII, and beyond latin1, in statements at the MySQL door: answers are one server's, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.binary_client import BinaryClient, text
from tests.support.open_door import WireClient

from skyshard.cluster.private_cluster import PrivateCluster

pytestmark = pytest.mark.integration


STATEMENTS = (
    "SELECT objectId, 'α', 'é' AS e FROM Object ORDER BY objectId",
    "SELECT HEX('é'), LENGTH('é'), HEX('日'), HEX(CONCAT('é', kind)) FROM Object WHERE kind = 1 ORDER BY objectId",
    "SELECT HEX(N'é'), HEX(_utf8mb4'é'), HEX(_latin1'é'), HEX(_binary'é') FROM Filter ORDER BY filterId",
    "SELECT objectId FROM Object WHERE name = 'é1' ORDER BY objectId",
    "SELECT objectId FROM Object WHERE name LIKE 'É%' OR sort IN ('é', 'one') ORDER BY objectId",
    "SELECT objectId FROM Object WHERE raw = 'é' OR raw < 'é' ORDER BY objectId",
    "SELECT objectId FROM Object WHERE raw > _binary'é' ORDER BY objectId",
    "SELECT CASE name WHEN 'É1' THEN 'ñ' ELSE name END, IF(name = 'É2', 'ü', name) FROM Object ORDER BY objectId",
    "SELECT CONCAT(CONVERT(name USING utf8mb4), '日') AS x, COUNT(*) FROM Object GROUP BY x ORDER BY x",
    "SELECT MAX(CONCAT(kind, '日')), MIN(CONCAT(name, 'é')) FROM Object",
    "SELECT x FROM (SELECT objectId, CONCAT(kind, '日') AS x FROM Object) AS q ORDER BY objectId",
    "SELECT COALESCE(CONVERT(name USING utf8mb4), '∅') FROM Object ORDER BY objectId",
    "SELECT CAST(CONCAT(kind, '日') AS CHAR), CONVERT(CONCAT(kind, '日'), CHAR(2)) FROM Object ORDER BY objectId",
    "SELECT HEX(CAST(name AS CHAR)), CAST(price AS CHAR), CAST(seen AS CHAR(7)) FROM Object ORDER BY objectId",
    "SELECT name AS 'é', kind 'ü' FROM Object ORDER BY objectId",
    "SELECT REPLACE(name, 'É', '日') FROM Object WHERE name IS NULL ORDER BY objectId",
    "SELECT 'a' 'é' \"b\", 'it''s é' FROM Filter ORDER BY filterId",
    "SELECT JSON_OBJECT('é', kind), MD5('日'), ORD('é'), UPPER('é'), REVERSE('日本') FROM Object ORDER BY objectId",
    "SELECT filterId FROM Filter WHERE filterName < '日' ORDER BY filterId",
    "SELECT name FROM Object WHERE name = '日'", "SELECT 'é' COLLATE latin1_bin FROM Filter",
)  # fmt: skip


@pytest.mark.parametrize("names", ["utf8mb4", "utf8mb3"])
@pytest.mark.parametrize("sql", STATEMENTS)
def test_letters_are_read_as_one_server_reads_them(asked: WireClient, native: WireClient, names: str, sql: str) -> None:
    """Bytes of literals, of what CAST makes, and of what is compared with them; the number of an error."""
    for client in (asked, native):
        client.ask(f"SET NAMES {names}")
    got, want = asked.ask(sql), native.ask(sql)
    assert got.error[:1] == want.error[:1]
    assert (got.fields, got.rows) == (want.fields, want.rows)


@pytest.mark.parametrize("word", ["é", "日本", "😀"])
def test_letters_can_be_bound(asked: WireClient, native: WireClient, word: str) -> None:
    """As parameters of a prepared statement."""
    sql = "SELECT filterId, ?, HEX(?) FROM Filter WHERE CONVERT(filterName USING utf8mb4) <> ? ORDER BY filterId"
    got, want = (BinaryClient(one.raw).ask(sql, text(word), text(word), text(word)) for one in (asked, native))
    assert got.error is want.error is None
    assert got.rows == want.rows
    assert got.rows


@pytest.mark.parametrize("value", [b"\xff\x01", b"\\'\\\\\xfe\\0\\%", b"''\xc3", b"\xff\\n\\Z"])
def test_bytes_that_are_no_letters_can_be_written(asked: WireClient, native: WireClient, value: bytes) -> None:
    """As clients write them, whatever the rest of the statement is in."""
    sql = b"SELECT objectId, HEX(_binary'" + value + b"'), '\xc3\xa9' FROM Object WHERE raw < _binary'" + value + b"'"
    got, want = asked.ask(sql + b" ORDER BY objectId"), native.ask(sql + b" ORDER BY objectId")
    assert (got.error, got.rows) == (want.error, want.rows)
    assert got.rows
    assert asked.ask(b"SELECT ra FROM Object WHERE name = '\xff'").error[0] == 1105


def test_what_would_lose_letters_is_refused(asked: WireClient) -> None:
    """A format of times is in the letters of the servers' sessions: better no answer than question marks."""
    number, words = asked.ask("SELECT DATE_FORMAT(seen, '%Y年') FROM Object").error
    assert number == 1105
    assert "'年'" in words
    number, words = asked.ask("SELECT DATE_FORMAT(seen, _utf8mb4 X'E5B9B4') FROM Object").error
    assert (number, "time-format" in words) == (1235, True)


def test_a_format_of_a_column_is_one_server_s(asked: WireClient, native: WireClient) -> None:
    """Where the column is in latin1, whose letters are kept."""
    sql = "SELECT objectId, DATE_FORMAT(seen, CONCAT('%Y ', name)), TIME_FORMAT(clock, name) FROM Object ORDER BY 1"
    got, want = asked.ask(sql), native.ask(sql)
    assert (got.error, got.rows) == (want.error, want.rows)
    assert got.rows


PAGES = 10_000
"""Far below what a text of 16 MiB takes for each of 88 chunks on two nodes: 5,000 a chunk."""


def test_a_text_in_letters_of_its_own_takes_little_memory(asked: WireClient, private_cluster: PrivateCluster) -> None:
    """What declares that a text may have any length is short itself: nodes convert its letters for each chunk."""
    places = [private_cluster.folder / "servers" / name / "server.pid" for name in private_cluster.node_names]
    before = [pages_taken(int(place.read_text())) for place in places]
    assert asked.ask("SELECT CONCAT(kind, '日') FROM Object").rows
    taken = [pages_taken(int(place.read_text())) for place in places]
    assert all(after - earlier < PAGES for after, earlier in zip(taken, before, strict=True)), (before, taken)


def pages_taken(process: int) -> int:
    """How many pages of memory a process was given since it began."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[7])


LOCALES = 200
"""More than the server has."""


def test_names_of_months_are_answered_in_the_languages_that_latin1_holds(asked: WireClient, native: WireClient) -> None:
    """By their locales, all that the server has; the others are refused."""
    names = []
    for number in range(LOCALES):
        if native.ask(f"SET lc_time_names = {number}").error:
            break
        names.append((native.ask("SELECT @@lc_time_names").rows[0][0] or b"").decode())
    assert len(names) > 100
    refused = set()
    for name in names:
        days = [f"'2020-01-01' + INTERVAL {31 * month} DAY" for month in range(12)]
        said = ", ".join(f"DATE_FORMAT({day}, '%M%b%W%a', '{name}')" for day in days)
        sql = f"SELECT {said} FROM Filter LIMIT 1"
        got, want = asked.ask(sql), native.ask(sql)
        if got.error:
            assert got.error[0] == 1235
            refused.add(name)
        else:
            assert got.rows == want.rows, name
    assert 40 < len(refused) < 60
    assert {"ru_RU", "ja_JP"} <= refused
