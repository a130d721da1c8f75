"""What clients set on their sessions at the MySQL door: followed as one server follows it, or refused by its name."""

from __future__ import annotations

import pytest
from tests.support.open_door import WireClient
from tests.support.trouble_sky import DATABASE, Sky

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.serve.mysql.session_state import ASK, SessionState

pytestmark = pytest.mark.integration

COUNT = "SELECT COUNT(*) FROM Object"


LIMITED = (
    "SELECT objectId FROM Object ORDER BY objectId", "(SELECT objectId FROM Object ORDER BY objectId)",
    "SELECT objectId FROM Object ORDER BY objectId LIMIT 5", "SELECT COUNT(*) FROM (SELECT ra FROM Object) AS o",
    "SELECT filterId FROM Filter UNION SELECT visitId FROM Visit ORDER BY 1", "SHOW COLUMNS FROM Filter",
    "-- why\nDESC Note", "SHOW INDEX FROM Filter", "SET @few = 5",
    "PREPARE s FROM 'SELECT objectId FROM Object WHERE objectId > ? ORDER BY objectId'", "EXECUTE s USING @few",
    "EXECUTE IMMEDIATE 'SELECT visitId FROM Visit WHERE visitId > ? ORDER BY 1' USING @few",
)  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "1", "3", "DEFAULT"])
def test_a_limit_of_the_session_is_one_server_s(asked: WireClient, native: WireClient, limit: str) -> None:
    """Of every statement that gives rows, 0 among them: its columns are told, and the session goes on."""
    for client in (asked, native):
        assert not client.ask(f"SET SQL_SELECT_LIMIT = {limit}").error
    for sql in LIMITED:
        got, want = asked.ask(sql), native.ask(sql)
        assert (got.error, got.rows) == (want.error, want.rows), sql
    lists = asked.ask("SELECT 1 AS n FROM information_schema.queries")
    assert lists.error == ()
    assert len(lists.rows) <= (0 if limit == "0" else 1000)


@pytest.mark.parametrize("charset", ["utf8", "utf8mb3", "utf8mb4", "latin1", "ascii"])
def test_letters_are_sent_as_one_server_sends_them(asked: WireClient, native: WireClient, charset: str) -> None:
    """A letter that a session's character set lacks is a question mark: of four bytes in utf8mb3, too."""
    more = "CONCAT(CONVERT(name USING utf8mb4), _utf8mb4 X'F09F9880CEB1')"
    sql = f"SELECT objectId, name, sort, {more} FROM Object ORDER BY objectId"
    for client in (asked, native):
        client.ask(f"SET NAMES {charset}")
    got, want = asked.ask(sql), native.ask(sql)
    assert got.error == want.error == ()
    assert got.rows == want.rows


@pytest.mark.parametrize("charset", ["utf16", "ucs2", "utf32"])
def test_results_of_several_bytes_a_digit_are_refused(asked: WireClient, charset: str) -> None:
    """Also where a statement has a name, and values in variables; the session goes on, and can set it back."""
    for sql in ("SET @few = 5", "PREPARE s FROM 'SELECT COUNT(*) FROM Object WHERE kind < ?'"):
        assert asked.ask(sql).error == ()
    assert asked.ask(f"SET character_set_results = {charset}, character_set_connection = {charset}").error == ()
    for sql in (COUNT, "EXECUTE s USING @few"):
        assert asked.ask(sql).error == (1105, f"results in {charset} are not written; SET NAMES utf8mb4")
    assert asked.ask("SET NAMES utf8mb4").error == ()
    assert asked.ask(COUNT).rows == [(b"155",)]


CHANGING = {
    "div_precision_increment": "10", "group_concat_max_len": "5", "default_week_format": "1",
    "lc_time_names": "'de_DE'", "timestamp": "1000", "max_sort_length": "8", "sql_auto_is_null": "1",
    "old_mode": "'ZERO_DATE_TIME_CAST'",
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGING)
def test_a_setting_that_changes_answers_is_refused_by_its_name(asked: WireClient, name: str) -> None:
    """Rather than answered otherwise than the session asks; what the error says sets it back."""
    assert asked.ask(COUNT).error == ()
    assert asked.ask(f"SET {name} = {CHANGING[name]}").error == ()
    for sql in (COUNT, f"EXECUTE IMMEDIATE '{COUNT}'"):
        number, words = asked.ask(sql).error
        assert number == 1105
        assert words.endswith(f"SET {name} = DEFAULT"), words
    assert asked.ask(f"SET {name} = DEFAULT").error == ()
    assert asked.ask(COUNT).rows == [(b"155",)]


@pytest.mark.parametrize(
    "mode",
    ["EMPTY_STRING_IS_NULL", "TIME_ROUND_FRACTIONAL", "ANSI_QUOTES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE",
     "ALLOW_INVALID_DATES", "TRADITIONAL"],
)  # fmt: skip
def test_a_mode_that_changes_answers_is_refused_by_its_name(asked: WireClient, mode: str) -> None:
    assert asked.ask(f"SET sql_mode = '{mode}'").error == ()
    assert ("NO_ZERO_DATE" if mode == "TRADITIONAL" else mode) in asked.ask(COUNT).error[1]


def test_a_blank_before_a_parenthesis_is_taken(asked: WireClient, native: WireClient) -> None:
    """As in IGNORE_SPACE, which Connector/J asks for when it connects, and as the parser reads it."""
    sql = "SELECT COUNT (*), MAX (kind), SUM  (kind) FROM Object"
    for client in (asked, native):
        assert client.ask("SET sql_mode = 'IGNORE_SPACE'").error == ()
    assert asked.ask(sql).rows == native.ask(sql).rows != []


DATES = "SELECT CAST('0000-00-00' AS DATE) IS NULL, DATE('2020-00-01') IS NULL, CAST('2020-02-31' AS DATE) IS NULL"


@pytest.mark.parametrize("mode", ["NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ALLOW_INVALID_DATES"])
def test_modes_of_dates_change_what_one_server_answers(native: WireClient, mode: str) -> None:
    """So they are not passed over."""
    plain = native.ask(DATES).rows
    native.ask(f"SET sql_mode = '{mode}'")
    assert native.ask(DATES).rows != plain


LONG = "SELECT COUNT(*) FROM Object a, Object b, Object c WHERE SIN(a.ra) + SIN(b.ra) * COS(c.ra) > 0.1"


def test_a_statement_has_the_time_that_it_is_given(asked: WireClient, native: WireClient) -> None:
    """By its session, or by itself: then it ends with the server's own error, and the session goes on."""
    for client in (asked, native):
        assert client.ask("SET max_statement_time = 0.02").error == ()
    for sql in (LONG, f"EXECUTE IMMEDIATE '{LONG}'"):
        assert asked.ask(sql).error == native.ask(sql).error == (1969, native.ask(sql).error[1])
    for client in (asked, native):
        assert client.ask("SET max_statement_time = DEFAULT").error == ()
    given = f"SET STATEMENT max_statement_time = 0.02 FOR {LONG}"
    assert asked.ask(given).error == native.ask(given).error != ()
    enough = f"SET STATEMENT max_statement_time = 60 FOR {COUNT}"
    assert asked.ask(enough).rows == native.ask(enough).rows == asked.ask(COUNT).rows


@pytest.mark.parametrize(
    ("given", "limit_s"), [("", 0.0), ("2.5", 2.5), ("60", 60.0), ("3600", 3600.0), ("0", 0.0), ("DEFAULT", 0.0)]
)
def test_no_statement_over_catalogs_ends_before_its_client_wants(asked: WireClient, given: str, limit_s: float) -> None:
    """The server behind the door, which ends what it answers itself after a minute, does not say how long they take."""
    if given:
        assert asked.ask(f"SET max_statement_time = {given}").error == ()
    (row,) = asked.ask(ASK.decode()).rows
    assert SessionState.of(list(row)).limit_s == limit_s


def test_bytes_of_other_character_sets_are_not_mixed(asked: WireClient) -> None:
    """Results as they are stored would be in other letters than those of this session's."""
    asked.ask("SET character_set_results = binary")
    assert "binary" in asked.ask(COUNT).error[1]
    asked.ask("SET NAMES utf8mb4")
    assert asked.ask(COUNT).error == ()


@pytest.mark.parametrize(
    "sql", ["SELECT objectId, kind FROM Object GROUP BY kind", "SELECT objectId, COUNT(*) FROM Object"]
)
def test_full_groups_are_asked_for_as_on_one_server(asked: WireClient, native: WireClient, sql: str) -> None:
    """Its number, its words; what is grouped in full is answered."""
    for client in (asked, native):
        client.ask("SET sql_mode = 'ONLY_FULL_GROUP_BY'")
    assert asked.ask(sql).error == native.ask(sql).error != ()
    grouped = "SELECT kind, COUNT(*) FROM Object GROUP BY kind ORDER BY kind"
    assert asked.ask(grouped).rows == native.ask(grouped).rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ABS() FROM Object", "SELECT ra FROM Object WHERE objectId = (SELECT objectId FROM Source)",
        "SELECT big * 2 FROM Object", "SELECT EXP(1000) FROM Object", "SELECT ra FROM Object WHERE name RLIKE '['",
        "SELECT ra FROM Object WHERE (objectId, ra) = (1)", "SELECT CAST(price AS DECIMAL(70, 2)) FROM Object",
        "SELECT name COLLATE nothing FROM Object", "SELECT CONVERT(name USING nothing) FROM Object",
        "SELECT ra FROM Object WHERE", "SELECT ra FORM Object", "SELECT nothing FROM Object",
    ],
)  # fmt: skip
def test_an_error_has_the_number_that_one_server_gives(asked: WireClient, native: WireClient, sql: str) -> None:
    """And says what that says, in one line, without a place on disk."""
    (number, words), (wanted, said) = asked.ask(sql).error, native.ask(sql).error
    assert number == wanted
    assert said in words
    assert "\n" not in words
    assert ".sock" not in words


def test_the_least_year_is_written_as_one_server_writes_it(
    asked: WireClient, native: WireClient, sky: Sky, private_cluster: PrivateCluster
) -> None:
    """A year of an aggregate is a number, one of a column has four digits."""
    zero = f"UPDATE {DATABASE}.Object SET season = 0 WHERE season = 1970"
    servers = {"mono": ["Object"]} | {node: [] for node in private_cluster.node_names}
    for name in servers:
        with connect(private_cluster.endpoint(name), Account.ADMIN, DATABASE) as connection:
            for (table,) in list(connection.rows("SHOW TABLES LIKE 'Object%'")):
                if "Overlap" not in str(table):
                    connection.execute(zero.replace(".Object ", f".`{table}` "))
    for sql in (
        "SELECT MIN(season), MAX(season) FROM Object", "SELECT season FROM Object WHERE season = 0 ORDER BY 1",
        "SELECT kind, MIN(season) FROM Object GROUP BY kind ORDER BY kind",
    ):  # fmt: skip
        got, want = asked.ask(sql), native.ask(sql)
        assert got.error == want.error == ()
        assert got.rows == want.rows, sql
        assert got.rows
