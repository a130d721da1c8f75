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
_WORD = re.compile(r"[A-Za-z_]\w*")
_OF_CLAUSES = re.compile(
    "select|from|where|group|order|by|having|limit|union|join|on|using|as|and|or|not|in|is|between|like", re.IGNORECASE
)
"""Words of which one too many, or out of place, is no name that lacks backticks."""
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
        if not said:
            return
        at = _place(plain, said)
        name = _WORD.match(plain, max(at, 0))
        quoted = _in_backticks(plain, name.group()) if at >= 0 and name else ""
        is_name = bool(quoted) and not _refused(connection, quoted, "")
    if is_name and name:
        remedy = f"{name.group()} is a word of SQL: as a name write it in backticks, `{name.group()}`"
    else:
        remedy = "write it as MariaDB has it"
    raise _syntax_error(sql, at, remedy)


def _place(plain: str, words: str) -> int:
    """Where the server stopped reading; -1: at the end."""
    found = _NEAR.search(words)
    return plain.rfind(found.group(1)) if found and found.group(1) else -1


def _in_backticks(plain: str, word: str) -> str:
    """The statement with a word as a name wherever it stands bare; empty if it is one of the clauses'.

    >>> _in_backticks("SELECT ra, dec, o.dec, 'dec' FROM Object o", "dec")
    "SELECT ra, `dec`, o.dec, 'dec' FROM Object o"
    """
    if _OF_CLAUSES.fullmatch(word):
        return ""
    return re.sub(rf"'[^']*'|\"[^\"]*\"|`[^`]*`|(?<![\w.@]){word}\b", lambda one: _named(one.group(), word), plain)


def _named(text: str, word: str) -> str:
    return f"`{word}`" if text == word else text


def _refused(connection: Connection, plain: str, mode: str) -> str:
    """What the server says of the grammar of a statement; empty where it reads it."""
    try:
        connection.execute(f"SET STATEMENT sql_mode = '{mode}' FOR PREPARE asked FROM {quote_text(plain)}")
    except UserError as error:
        code, words = (*getattr(error.__cause__, "args", ()), 0, "")[:2]
        return str(words) if code == _SYNTAX else ""
    connection.execute("DEALLOCATE PREPARE asked")
    return ""


def _syntax_error(sql: str, at: int, remedy: str) -> UserError:
    """As the parser's own errors: with line and column, and what comes there."""
    if at < 0:
        return UserError("syntax error: the statement ends too early", remedy=remedy)
    before, near = sql[:at], " ".join(sql[at : at + _SHOWN].split())
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return UserError(f"syntax error at line {line}, column {column} near '{near}'", remedy=remedy)
