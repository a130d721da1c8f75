"""What the numbers and words of a server's errors mean. No driver, no I/O."""

from __future__ import annotations

import re
from enum import Enum, auto

from skyshard.basics.errors import ClusterError, NoRoom, SkyshardError, UserError

NO_SERVER = {2002, 2003}
CONNECTION_LOST = {2002, 2003, 2006, 2013, 2014, 2055, 1053, 1927, 0}
ACCESS_DENIED = 1045
DISK_FULL = {28, 1021}
BUSY = {1040, 1203, 1205, 1213, 1317, 1615}
SERVER_TROUBLE = {3, 5, 9, 11, 23, 24, 28, 29, 122, 126, 127, 130, 134, 135, 144, 145, 1004, 1005, 1006, 1014, 1015}
SERVER_TROUBLE |= {1016, 1017, 1021, 1023, 1024, 1026, 1030, 1033, 1034, 1035, 1036, 1037, 1038, 1041, 1078, 1079, 1105}
SERVER_TROUBLE |= {1114, 1135, 1194, 1195, 1459, 1877, 1932}
_HARMED = re.compile(r"\btable '(?:\./)?([\w@]+)[/.]([\w@]+)(?:\.MYI)?'.*repair", re.IGNORECASE)
"""How a server says that an index is not that of its table."""

UNKNOWN_DATABASE = 1049
TABLE_GONE = {1016, 1017, 1146, 1168, 1412, 1932}
"""No such table; no such file of it, or of one that a MERGE table shows; another one since the session saw it."""

NO_RESOURCES = {5, 23, 1037, 1038, 1041, 1135}
"""No memory, no file, no thread is to be had: of the server, whatever it was asked for."""
_PASSING = re.compile(r"\b(?:err(?:no|code)|error):? (?:12|23|24)\b|\binterrupted\b", re.IGNORECASE)
"""The system's numbers for no memory and too many files, and a check that was ended."""

UNKNOWN = 1105
"""Of a server in trouble, and of XPATH expressions that it cannot read."""
STATEMENT_TROUBLE = {139, 140}
"""Rows too big for any table, an option that no engine has: the statement's fault although the engine says so."""

SEE_STATUS = "see `skyshard cluster status`"


class UnknownDatabase(UserError):
    """A server has no database of this name: what else it refuses says nothing of tables."""


class Kind(Enum):
    """Whose error it is: the system's, the server's own trouble, or a server's answer."""

    SYSTEM = auto()
    INTERNAL = auto()
    SERVER = auto()


def error_of(
    kind: Kind, code: int, words: str, where: str, sql: str = "", *, when_lost: str = SEE_STATUS
) -> SkyshardError:
    """Who can fix an error, in one line, with the server's own words.

    Args:
        where: the server, as its endpoint says it.
        when_lost: the remedy where no server answers.

    >>> error_of(Kind.SERVER, 1064, "You have an error", "node1.sock", "SELECT").what
    "node1.sock: You have an error (1064) in 'SELECT'"
    """
    is_lost = kind is Kind.SYSTEM or code in CONNECTION_LOST
    if kind is Kind.SYSTEM or code in NO_SERVER:
        words = f"no server answers: {words}"
    statement = f" in {sql.strip()[:120]!r}" if sql else ""
    what = f"{where}: {words} ({code}){statement}".replace("\n", " ")
    if is_lost:
        return ClusterError(what, remedy=when_lost, retryable=True)
    if code in DISK_FULL or "No space left on device" in words:
        return NoRoom(f"{where}: {words} ({code})", remedy="make room on the disk of the server's folder")
    if code == UNKNOWN_DATABASE:
        return UnknownDatabase(what)
    if code in BUSY:
        return ClusterError(what, retryable=True)
    if code in SERVER_TROUBLE and (harmed := harmed_index(words)) is not None:
        return ClusterError(f"{where}: {harmed.what} ({code})", remedy=harmed.remedy)
    is_trouble = code in SERVER_TROUBLE or kind is Kind.INTERNAL
    if code in NO_RESOURCES or (is_trouble and is_passing_trouble(words)):
        return out_of_resources(what)
    if is_trouble and code not in STATEMENT_TROUBLE and not (code == UNKNOWN and "XPATH" in words):
        return ClusterError(what, remedy="see the server's log in the cluster folder")
    return UserError(what)


def is_passing(error: SkyshardError) -> bool:
    """True for what says nothing of a table: no answer, no room, no memory or files, too much at once."""
    return isinstance(error, ClusterError) and (error.retryable or isinstance(error, NoRoom))


def is_passing_trouble(words: str) -> bool:
    """True where a server that cannot read a table lacks memory or files, or was interrupted.

    >>> is_passing_trouble("Out of resources when opening file './sky/t.MYD' (Errcode: 24)")
    True
    >>> is_passing_trouble("Can't find file: './sky/t.MYI' (errno: 2)")
    False
    """
    return bool(_PASSING.search(words))


def out_of_resources(what: str) -> ClusterError:
    return ClusterError(what, remedy="raise its limits on files and memory, or end other work there", retryable=True)


def server_words(error: SkyshardError) -> str:
    """What the server said, without its address and the statement.

    >>> server_words(UserError("no driver's error is its cause"))
    "no driver's error is its cause"
    """
    said: tuple[object, ...] = getattr(error.__cause__, "args", ())
    return " ".join(str(said[1]).split()) if len(said) > 1 else error.what


def harmed_index(words: str) -> ClusterError | None:
    """What to say of a table that a server finds damaged, and which command fixes it; None for other words."""
    found = _HARMED.search(words)
    if found is None:
        return None
    database, table = found.groups()
    owner = table.partition("__")[0] if database.startswith("skyshard_") else database
    what = f"table {database}.{table} or its index is damaged"
    return ClusterError(what, remedy=f"run skyshard verify {owner}, then skyshard index rebuild {owner}")


def unwritable(error: UnicodeError, where: str) -> UserError:
    """A statement with a letter that latin1 has not, or a result that is no text."""
    if isinstance(error, UnicodeEncodeError):
        letter = str(error.object[error.start])
        what = f"the statement holds {letter!r}, which latin1 has no letter for"
        return UserError(what, remedy=f"write it as _utf8mb4 X'{letter.encode('utf-8', 'replace').hex().upper()}'")
    return UserError(f"{where}: a text of the result is no text: {error}", remedy="select HEX() of it")
