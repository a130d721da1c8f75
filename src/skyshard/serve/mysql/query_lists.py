"""Running and past queries as Qserv lists them: temporary tables that any SELECT may ask, made for one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from skyshard.basics.errors import UserError
from skyshard.db.connection import quote_name, quote_text
from skyshard.serve import user_limits
from skyshard.serve.mysql.asked_for import LISTED, LISTED_HERE
from skyshard.serve.services import PastQuery
from skyshard.serve.sql_words import masked

LIST_DATABASE = "skyshard_scratch"
_PROCESSES = (
    "ID BIGINT NULL, TYPE VARCHAR(16) NOT NULL, CZAR VARCHAR(63) NOT NULL, CZAR_ID INT NOT NULL, "
    "SUBMITTED DATETIME NOT NULL, UPDATED DATETIME NULL, CHUNKS INT NULL, CHUNKS_COMP INT NULL, "
    "QUERY MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL"
)
_QUERIES = (
    "ID BIGINT NOT NULL, TYPE VARCHAR(16) NOT NULL, CZAR VARCHAR(63) NOT NULL, CZAR_ID INT NOT NULL, "
    "STATUS VARCHAR(16) NOT NULL, SUBMITTED DATETIME NOT NULL, COMPLETED DATETIME NULL, RETURNED DATETIME NULL, "
    "CHUNKS INT NULL, BYTES BIGINT NULL, ROWS_COLLECTED BIGINT NULL, `ROWS` BIGINT NULL, "
    "DBS VARCHAR(255) CHARACTER SET utf8mb4 NULL, QUERY MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL, "
    "ERROR MEDIUMTEXT CHARACTER SET utf8mb4 NULL"
)
_STATES = {
    "queued": "EXECUTING", "executing": "EXECUTING", "completed": "COMPLETED", "failed": "FAILED",
    "cancelled": "ABORTED", "expired": "COMPLETED",
}  # fmt: skip
"""Our states → Qserv's."""
TOO_LARGE = f"[{user_limits.TOO_LARGE}]"
CZAR, CZAR_ID = "skyshard", 1
ROWS_A_STATEMENT, LETTERS_A_STATEMENT = 500, 1 << 20
"""Of one INSERT; a row that is longer goes alone, since a list leaves none out."""
SHOW_COLUMNS = "ID, TYPE AS COMMAND, CZAR, CZAR_ID, SUBMITTED, UPDATED, CHUNKS, CHUNKS_COMP, "


def over_lists(sql: str, database: str = "") -> tuple[list[str], str]:
    """The names of the lists that a statement asks, as it spells them, and the statement over the temporary tables.

    What strings and comments say names no list. ``database``: the session's.

    >>> over_lists("SELECT ID, 'FROM information_schema.queries' FROM information_schema.`PROCESSLIST`")
    (['PROCESSLIST'], "SELECT ID, 'FROM information_schema.queries' FROM skyshard_scratch.`PROCESSLIST`")

    Raises:
        UserError: a part of it is in a comment that only a server reads.
    """
    words = masked(sql)
    if "/*" in words:
        raise UserError("lists are not read by statements with /*! */", remedy="write it without such a comment")
    found = list(LISTED.finditer(words))
    if database.lower() == "information_schema":
        found = sorted([*found, *LISTED_HERE.finditer(words)], key=lambda one: one.start())
    made, end = [], 0
    for one in found:
        made += [sql[end : one.start("place")], f"{LIST_DATABASE}."]
        end = one.start("named")
    return list(dict.fromkeys(one["list"] for one in found)), "".join([*made, sql[end:]])


def is_of_running(name: str) -> bool:
    """Whether a list is that of running queries; the other one has all of them."""
    return name.lower() == "processlist"


def make_list(name: str) -> str:
    """The statement that makes one list, without rows."""
    columns = _PROCESSES if is_of_running(name) else _QUERIES
    return f"CREATE OR REPLACE TEMPORARY TABLE {_table(name)} ({columns}) ENGINE=MyISAM"


def fill_list(name: str, queries: Iterable[PastQuery]) -> Iterator[str]:
    """The statements that bring some queries into one list, in their order, each one of a bounded length."""
    made = _process if is_of_running(name) else _past
    rows: list[str] = []
    letters = 0
    for one in queries:
        row = f"({', '.join(made(one))})"
        if rows and (len(rows) == ROWS_A_STATEMENT or letters + len(row) > LETTERS_A_STATEMENT):
            yield _insert(name, rows)
            rows, letters = [], 0
        rows.append(row)
        letters += len(row)
    if rows:
        yield _insert(name, rows)


def _insert(name: str, rows: Iterable[str]) -> str:
    return f"INSERT INTO {_table(name)} VALUES {', '.join(rows)}"


def _table(name: str) -> str:
    return f"{LIST_DATABASE}.{quote_name(name)}"


def drop_list(name: str) -> str:
    return f"DROP TEMPORARY TABLE IF EXISTS {_table(name)}"


def show_processes(*, is_full: bool) -> str:
    """SHOW PROCESSLIST over the list ``processlist``."""
    query = "QUERY" if is_full else "LEFT(QUERY, 100) AS QUERY"
    return f"SELECT {SHOW_COLUMNS}{query} FROM {LIST_DATABASE}.processlist"


def _process(one: PastQuery) -> list[str]:
    return [
        str(one.number) if one.number else "NULL", _kind(one), quote_text(CZAR), str(CZAR_ID), _time(one.submitted_s),
        _time(one.begun_s or one.submitted_s), str(one.chunks), str(one.chunks_done), quote_text(one.statement),
    ]  # fmt: skip


def _past(one: PastQuery) -> list[str]:
    state = "FAILED_LR" if one.error.startswith(TOO_LARGE) else _STATES.get(one.state, one.state.upper())
    error = quote_text(one.error) if one.error else "NULL"
    ended = _time(one.ended_s)
    return [
        str(one.number), _kind(one), quote_text(CZAR), str(CZAR_ID), quote_text(state), _time(one.submitted_s), ended,
        ended, str(one.chunks), str(one.bytes), str(one.rows), str(one.rows), quote_text(one.database),
        quote_text(one.statement), error,
    ]  # fmt: skip


def _kind(one: PastQuery) -> str:
    return quote_text("ASYNC" if one.is_submitted else "SYNC")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "NULL"
    return quote_text(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S"))
