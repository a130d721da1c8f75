"""Which statement goes where."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.czar.sql.statement import parse_statement
from skyshard.serve.mysql.asked_for import Way, has_limit, way_of
from skyshard.serve.mysql.catalog_answer import limited
from skyshard.serve.mysql.last_answer import asks_only_found_rows
from skyshard.serve.mysql.query_lists import over_lists
from skyshard.serve.mysql.text_prepared import text_prepared

CASES = {
    Way.LIMITED: [
        "SET STATEMENT max_statement_time = 1 FOR SELECT ra FROM Object",
        "set statement MAX_STATEMENT_TIME=.5 for\n(SELECT ra FROM Object)",
    ],
    Way.CATALOG: [
        "SELECT ra FROM Object",
        "  \n(select 1 from Object)",
        "WITH q AS (SELECT ra FROM Object) SELECT * FROM q",
        "-- a note\nSELECT ra FROM Object",
        "# a note\nSELECT ra /* from */ FROM Object;",
        "/* the client's */ SELECT `from` FROM Object",
        "/*My own*/ SELECT ra FROM Object",
        "SELECT 'information_schema.processlist' FROM Object",
        "SELECT a FROM Object, dual",
        "SELECT 1 INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 1",
        "SELECT 1 INTERSECT/**/ALL SELECT 2 /*!50000 EXCEPT */ ALL SELECT ID FROM information_schema.processlist",
    ],
    Way.RELAY: [
        "SELECT 1",
        "SELECT DATABASE(), @@version",
        "SELECT 'x FROM y'",
        "SELECT 1 FROM DUAL",
        "SELECT 1 AS `from`",
        "SHOW DATABASES",
        "SHOW CREATE TABLE Object",
        "set names utf8mb4",
        "SET @a = 1",
        "USE sky",
        "COMMIT",
        "DO 1",
        "VALUES (1, 2)",
        "SELECT 1 INTERSECT SELECT 2 EXCEPT SELECT 1",
        "SELECT 'INTERSECT ALL', 'EXCEPT ALL'",
        "ROLLBACK",
        "/*!40101 SET NAMES utf8 */",
        "SELECT table_name FROM information_schema.tables",
        "SELECT * FROM `INFORMATION_SCHEMA` . COLUMNS",
        "",
        "-- nothing",
    ],
    Way.DESCRIBE: [
        "DESC Object",
        "describe `sky`.`Object`;",
        "EXPLAIN Object",
        "DESC Object ra",
        "SHOW FULL COLUMNS FROM Object",
        "SHOW INDEX FROM Object",
        "show keys in Object from sky",
        "SHOW COLUMNS FROM `select`",
    ],
    Way.LISTS: [
        "SELECT ID AS id FROM information_schema.processlist",
        "SELECT STATUS FROM INFORMATION_SCHEMA.QUERIES WHERE ID = 3",
    ],
    Way.PROCESSES: ["SHOW PROCESSLIST", "show full processlist;"],
    Way.SUBMIT: [
        "SUBMIT SELECT ra FROM Object",
        "SET STATEMENT max_statement_time = 1 FOR SUBMIT SELECT ra FROM Object",
    ],
    Way.RESULT: ["SELECT * FROM qserv_result(12)", "select *  from  qserv_result( 12 );"],
    Way.DELETE_RESULT: ["CALL qserv_result_delete(12)"],
    Way.CANCEL: ["CANCEL 12"],
    Way.KILL: ["KILL 12", "kill query 12", "KILL CONNECTION 12", "KILL /*!50000 QUERY*/ 12"],
    Way.IGNORE: ["SET GLOBAL QSERV_ROW_COUNTER_OPTIMIZATION = 1"],
    Way.NAMED: ["PREPARE s FROM 'SELECT 1'", "EXECUTE s", "EXECUTE IMMEDIATE 'SELECT 1'", "DROP PREPARE s"],
    Way.REFUSE: [
        "INSERT INTO Object VALUES (1)",
        "EXPLAIN SELECT ra FROM Object",
        "DESC SELECT ra FROM Object",
        "SET STATEMENT max_statement_time = 1, sql_mode = '' FOR SELECT ra FROM Object",
        "SET STATEMENT max_statement_time = 1 FOR DELETE FROM Object",
        "SET STATEMENT max_statement_time = 1 FOR EXPLAIN SELECT ra FROM Object",
        "SET STATEMENT sql_mode = '' FOR SELECT ra FROM Object",
        "SHOW COLUMNS FROM Object WHERE Field IN (SELECT name FROM Object)",
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE Object",
        "SET PASSWORD = PASSWORD('x')",
        "/*!50000 SET PASSWORD = 'x' */",
        "SET /*M! PASSWORD */ = 'x'",
        "SET autocommit = 1, ROLE admin",
        "/*!50000 INSERT INTO Object VALUES (1) */",
        "HANDLER Object OPEN",
        "EXECUTE IMMEDIATE CONCAT('SELECT ', '1')",
        "TABLE Object",
        "CALL other(1)",
        "KILL USER x",
        "CANCEL all",
        "SET @a = (SELECT 1 INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 1)",
        "DO (SELECT 1 intersect all SELECT 2 minus all SELECT 1)",
        "SHOW PROCESSLIST WHERE ID IN (SELECT 1 INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 1)",
        "%",
    ],
}


@pytest.mark.parametrize(("way", "sql"), [(way, sql) for way, texts in CASES.items() for sql in texts])
def test_a_statement_goes_its_way(way: Way, sql: str) -> None:
    """By its first words, whatever comments and strings say."""
    assert way_of(sql).way == way


@pytest.mark.parametrize(
    "text",
    [
        "'" + "a" * 100_000,
        '"' + "\\\\" * 50_000,
        "/*" * 100_000,
        "`" + "``" * 50_000,
        "/*!" * 70_000,
        " " * 200_000,
        "-- " * 90_000,
    ],
    ids=lambda text: text[:3],
)
def test_no_text_takes_long_to_be_read(text: str) -> None:
    """What is never closed goes to the end of the statement, at once; the time limit of a unit test holds it."""
    sql = f"SELECT ra FROM Object WHERE {text} x"
    assert way_of(sql).way == Way.CATALOG
    assert limited(sql, 1).endswith("LIMIT 1")
    way_of(f"{text} SELECT 1")


@pytest.mark.parametrize(
    "words",
    [
        "CANCEL 1", "CALL qserv_result_delete(1)", "DESC a", "EXECUTE a USING @b", "KILL 1", "PREPARE a FROM 'b'",
        "SELECT * FROM qserv_result(1)", "SELECT FOUND_ROWS()", "SHOW", "SHOW PROCESSLIST",
        "SHOW TABLES", "UNLOCK TABLES",
    ],
)  # fmt: skip
def test_no_blanks_behind_a_statement_take_long_to_be_read(words: str) -> None:
    """As above: every one of them was tried as the last one before a semicolon."""
    sql = f"{words}{' ' * 100_000}; x"
    way_of(sql)
    assert text_prepared(sql) is None
    assert not asks_only_found_rows(sql)
    with pytest.raises(UserError):
        parse_statement(sql)


def test_names_without_a_schema_are_those_of_the_session_s() -> None:
    """In information_schema its tables are meant, and Qserv's lists among them."""
    assert way_of("SELECT * FROM TABLES", "information_schema").way == Way.RELAY
    assert way_of("SELECT * FROM processlist", "INFORMATION_SCHEMA").way == Way.LISTS
    assert way_of("SELECT * FROM processlist", "sky").way == Way.CATALOG


def test_kill_of_a_query_is_told_from_that_of_a_session() -> None:
    """Ctrl-C of a client ends the statement, not the session."""
    assert way_of("KILL QUERY 12").is_query
    assert way_of("KILL /*!50000 QUERY */ 12").is_query
    assert not way_of("KILL 12").is_query
    assert way_of("KILL CONNECTION 12").number == 12


@pytest.mark.parametrize(
    ("sql", "is_limited"),
    [
        ("SELECT a FROM t LIMIT 3", True),
        ("SELECT a FROM (SELECT b FROM t LIMIT 3) x", False),
        ("SELECT `limit` FROM t WHERE a = 'limit 3' -- limit 4", False),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY", True),
        ("SELECT a FROM t ORDER BY a OFFSET 3 ROWS", True),
        ("SELECT offset FROM t WHERE offset > 3", False),
    ],
)
def test_a_limit_of_the_statement_wins_over_the_session_s(sql: str, is_limited: bool) -> None:
    """Only one of the outermost SELECT does; so does an OFFSET alone, as on one server."""
    assert has_limit(sql) == is_limited
    assert (limited(sql, 7) == sql) == is_limited


def test_lists_are_asked_where_they_are_made() -> None:
    """The statement keeps its words; only the schema changes."""
    sql = "SELECT q.ID FROM INFORMATION_SCHEMA.QUERIES q JOIN `information_schema` . `processlist` p USING (ID)"
    names, written = over_lists(sql)
    assert names == ["QUERIES", "processlist"]
    assert written == "SELECT q.ID FROM skyshard_scratch.QUERIES q JOIN skyshard_scratch.`processlist` p USING (ID)"
    here = "SELECT 1 FROM processlist p, queries JOIN information_schema.queries q"
    assert over_lists(here, "information_schema") == (
        ["processlist", "queries"],
        "SELECT 1 FROM skyshard_scratch.processlist p, skyshard_scratch.queries JOIN skyshard_scratch.queries q",
    )


@pytest.mark.parametrize(
    "text",
    [
        "'information_schema.queries'",
        "'it''s \\' from information_schema.processlist'",
        '"FROM queries" /* FROM information_schema.processlist */',
        "`from processlist` -- information_schema.processlist\n",
    ],
)
def test_what_strings_and_comments_say_of_lists_stays(text: str) -> None:
    """A text is compared with the very words that were written."""
    for database in ("", "information_schema"):
        names, written = over_lists(f"SELECT {text} FROM information_schema.queries", database)
        assert names == ["queries"]
        assert written == f"SELECT {text} FROM skyshard_scratch.queries"


def test_a_list_in_a_comment_that_a_server_reads_is_refused() -> None:
    """It would be the server's own list of sessions."""
    with pytest.raises(UserError):
        over_lists("SELECT 1 FROM information_schema /*! .processlist */")


def test_a_statement_is_given_a_time() -> None:
    """What is to be answered is what stands behind FOR; constants are the server's own."""
    asked = way_of("SET STATEMENT max_statement_time = 1.5 FOR SELECT 'FOR' FROM Object")
    assert (asked.text, asked.limit_s) == ("SELECT 'FOR' FROM Object", 1.5)
    assert way_of("SET STATEMENT max_statement_time = 1 FOR SELECT 1").way is Way.RELAY


@pytest.mark.parametrize(
    ("sql", "limit_s"),
    [("SUBMIT SELECT ra FROM Object", None), ("SET STATEMENT max_statement_time=.5 FOR SUBMIT SELECT ra FROM t", 0.5),
     ("SET STATEMENT max_statement_time = 0 FOR SUBMIT SELECT ra FROM t", 0.0),
     ("SET STATEMENT max_statement_time = 7 FOR SELECT ra FROM t", 7.0)],
)  # fmt: skip
def test_a_time_is_read_and_none_is_not_said(sql: str, limit_s: float | None) -> None:
    """0 means no limit, whatever the session has; without a word of it the session's holds."""
    assert way_of(sql).limit_s == limit_s
