"""Whether MariaDB reads a statement as it was written: the parser takes clauses out of order and words of other SQLs.

Rules: the server is asked for nothing but its grammar; letters beyond ASCII say nothing of it, so each is an ``x``
there. It looks at the grammar before any name where the session has a database, else no further than to a table's name.
A blank between a function and its parenthesis is taken, as many clients ask for (IGNORE_SPACE).
"""

from __future__ import annotations

import re

from skyshard.basics.errors import UserError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.czar.run.scratch_tables import query_name
from skyshard.db.connection import Connection, quote_name, quote_text
from skyshard.db.sessions import Sessions

_NEAR = re.compile(r"near '(.*)' at line \d+$", re.DOTALL)
_LETTER = re.compile(r"[^\x00-\x7f]")
_SPACED = re.compile(r"\w\s+\(")
_SHOWN = 40
_SYNTAX = 1064


def enter_scratch(connection: Connection) -> None:
    """Give a session a database."""
    connection.execute(f"USE {quote_name(SCRATCH_DATABASE)}")


def require_syntax(sessions: Sessions, sql: str) -> None:
    """Have a server prepare a statement, and forget it; ``sessions`` have a database.

    Raises:
        UserError: it is none, as the server's grammar has it; says where.
        ClusterError: the server failed.
    """
    sql = sql.rstrip("; \t\r\n")
    plain = _LETTER.sub("x", sql)
    with sessions.lease(query_name()) as connection:
        said = _refused(connection, plain, "")
        if said and _SPACED.search(plain):
            said = _refused(connection, plain, "IGNORE_SPACE")
    if said:
        raise _syntax_error(sql, plain, said)


def _refused(connection: Connection, plain: str, mode: str) -> str:
    """What the server says of the grammar of a statement; empty where it reads it."""
    try:
        connection.execute(f"SET STATEMENT sql_mode = '{mode}' FOR PREPARE asked FROM {quote_text(plain)}")
    except UserError as error:
        code, words = (*getattr(error.__cause__, "args", ()), 0, "")[:2]
        return str(words) if code == _SYNTAX else ""
    connection.execute("DEALLOCATE PREPARE asked")
    return ""


def _syntax_error(sql: str, plain: str, words: str) -> UserError:
    """As the parser's own errors: with line and column, and what comes there."""
    found = _NEAR.search(words)
    at = plain.rfind(found.group(1)) if found and found.group(1) else -1
    if at < 0:
        return UserError("syntax error: the statement ends too early", remedy="write it as MariaDB has it")
    before, near = sql[:at], " ".join(sql[at : at + _SHOWN].split())
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return UserError(f"syntax error at line {line}, column {column} near '{near}'", remedy="write it as MariaDB has it")
