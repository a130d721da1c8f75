"""Whether MariaDB reads a statement as it was written: the parser takes clauses out of order and words of other SQLs.

Rules: the server is asked for nothing but its grammar; letters beyond ASCII say nothing of it, so each is a ``$``
there, which no word of SQL has. It looks at the grammar before any name where the session has a database, else no
further than to a table's name. A blank between a function and its parenthesis is taken, as many clients ask for
(IGNORE_SPACE); so are the names ``dec`` and ``Match`` without backticks.
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
_OF_SKIES = "dec|match"
"""Words of MariaDB that catalogs of the sky have as names: they need no backticks."""
_AS_MARIADB = "write it as MariaDB has it"
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
    plain = _LETTER.sub("$", sql)
    with sessions.lease(query_name()) as connection:
        said = _refused(connection, plain)
        if not said or not _refused(connection, _in_backticks(plain, _OF_SKIES)):
            return
        at = _place(plain, said)
        word = _WORD.match(plain, max(at, 0))
        name = word.group() if word and at >= 0 and not _OF_CLAUSES.fullmatch(word.group()) else ""
        is_name = bool(name) and not _refused(connection, _in_backticks(plain, name))
    remedy = f"{name} is a word of SQL: as a name write it in backticks, `{name}`" if is_name else _AS_MARIADB
    raise _syntax_error(sql, at, remedy)


def _place(plain: str, words: str) -> int:
    """Where the server stopped reading; -1: at the end."""
    found = _NEAR.search(words)
    return plain.rfind(found.group(1)) if found and found.group(1) else -1


def _in_backticks(plain: str, words: str) -> str:
    """The statement with words (a regular expression) as names wherever they stand bare.

    >>> _in_backticks("SELECT ra, dec, o.dec, 'dec' FROM Match AS o", _OF_SKIES)
    "SELECT ra, `dec`, o.dec, 'dec' FROM `Match` AS o"
    """
    bare = rf"'[^']*'|\"[^\"]*\"|`[^`]*`|(?<![\w.@$])(?P<name>{words})(?![\w$]|\s*\()"
    return re.sub(bare, lambda one: f"`{one.group()}`" if one["name"] else one.group(), plain, flags=re.IGNORECASE)


def _refused(connection: Connection, plain: str) -> str:
    """What the server says of the grammar of a statement; empty where it reads it, perhaps by ``IGNORE_SPACE``."""
    said = _refused_in(connection, plain, "")
    return _refused_in(connection, plain, "IGNORE_SPACE") if said and _SPACED.search(plain) else said


def _refused_in(connection: Connection, plain: str, mode: str) -> str:
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
