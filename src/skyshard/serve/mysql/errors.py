"""Errors as packets: ours with a code that clients know. No I/O."""

from __future__ import annotations

from typing import Any

from skyshard.basics.errors import ClusterError, Refusal, SkyshardError, UserError
from skyshard.serve.mysql.packets import error, error_of
from skyshard.serve.told_errors import told
from skyshard.serve.user_limits import OverQuota

NOT_SUPPORTED, INTERRUPTED, UNKNOWN, BAD_LETTERS, TOO_LONG, NO_TABLE = 1235, 1317, 1105, 1300, 1153, 1146
UNKNOWN_COMMAND, NO_DATABASE, ACCESS_DENIED, TOO_MANY, NEEDS_TLS, NO_STATEMENTS = 1047, 1049, 1045, 1040, 3159, 1295
BAD_ARGUMENTS, NO_SUCH_STATEMENT, NO_CURSOR, TOO_MANY_STATEMENTS = 1210, 1243, 1421, 1461
OVER_QUOTA, HOST_BLOCKED, SYNTAX, OUT_OF_TIME = 1226, 1129, 1064, 1969
NOT_GROUPED = frozenset((1055, 1140))
QSERV_REFUSED, QSERV_UNKNOWN_QUERY = 4003, 4005
_NAMES_AND_SYNTAX = frozenset(
    (1046, 1049, 1052, 1054, *NOT_GROUPED, 1060, 1064, 1066, 1104, 1109, 1111, 1146, 1149, 1222, 1247, 1248)
)
"""What the server says of wrong names and wrong SQL, in words that every client's user knows."""
_STATES = {
    1038: "HY001", 1055: "42000", 1054: "42S22", 1064: "42000", 1118: "42000", 1139: "42000", 1241: "21000",
    1242: "21000", 1264: "22003", 1292: "22007", 1305: "42000", 1366: "22007", 1367: "22007", 1426: "42000",
    1582: "42000", 1583: "42000", 1690: "22003",
}  # fmt: skip
"""The states of SQL that a server gives with its numbers, where it is not HY000."""
_AS_TEXT = frozenset(("PREPARE", "EXECUTE", "DEALLOCATE"))
"""Prepared statements in SQL that are not taken."""
NO_RIGHT = frozenset((1044, 1142, 1143))
FUNCTION_UNKNOWN = frozenset((1128, 1305, 1630))


def error_packet(problem: SkyshardError) -> bytes:
    """An error of ours."""
    text = told(problem, str(problem))
    if isinstance(problem, OverQuota):
        return error(OVER_QUOTA, "42000", text)
    if isinstance(problem, Refusal):
        return error(NOT_SUPPORTED, "42000", text)
    if isinstance(problem, ClusterError):
        return error(UNKNOWN, "HY000", text)
    if isinstance(problem, UserError) and problem.what.startswith("no database"):
        return error(NO_DATABASE, "42000", text)
    number = _number_of(problem)
    return error(number, _STATES.get(number, "HY000"), text)


def _number_of(problem: SkyshardError) -> int:
    """The number that a server gave to its refusal of a statement; of our own errors only those of syntax have one."""
    if isinstance(problem, UserError) and problem.what.startswith("syntax error"):
        return SYNTAX
    said: tuple[Any, ...] = getattr(problem.__cause__, "args", ())
    is_servers = len(said) > 1 and isinstance(said[0], int) and not isinstance(problem.__cause__, OSError)
    return int(said[0]) if is_servers else UNKNOWN


def unknown_query(number: int, problem: SkyshardError) -> bytes:
    """A query that cannot be ended."""
    return error(QSERV_UNKNOWN_QUERY, "Proxy", f"Unknown query {number}: {told(problem, str(problem))}")


def refused_statement(word: str) -> bytes:
    """As Qserv refuses a statement, with what was refused."""
    shown = f": {word[:40]}" if word else ""
    shown += "; prepare it in the binary protocol" if word in _AS_TEXT else ""
    return error(QSERV_REFUSED, "Proxy", f"Sorry, this type of queries is not supported{shown}")


def is_of_names(packet: bytes) -> bool:
    """Whether a server's error is one of names or syntax, so that its own words are the best ones."""
    return error_of(packet)[0] in _NAMES_AND_SYNTAX


def of_lists(packet: bytes) -> bytes:
    """An error of a statement over the lists of queries, whose account may read nothing else."""
    if error_of(packet)[0] not in NO_RIGHT:
        return packet
    text = "lists of queries and catalogs cannot be joined; ask them one after the other"
    return error(NOT_SUPPORTED, "42000", text)


def interrupted() -> bytes:
    return error(INTERRUPTED, "70100", "Query execution was interrupted")


def out_of_time() -> bytes:
    return error(OUT_OF_TIME, "70100", "Query execution was interrupted (max_statement_time exceeded)")
