"""Errors as packets: ours with a code that clients know. No I/O."""

from __future__ import annotations

from skyshard.basics.errors import ClusterError, Refusal, SkyshardError, UserError
from skyshard.serve.mysql.packets import error, error_of
from skyshard.serve.user_limits import OverQuota

NOT_SUPPORTED, INTERRUPTED, UNKNOWN, BAD_LETTERS, TOO_LONG, NO_TABLE = 1235, 1317, 1105, 1300, 1153, 1146
UNKNOWN_COMMAND, NO_DATABASE, ACCESS_DENIED, TOO_MANY, NEEDS_TLS, NO_STATEMENTS = 1047, 1049, 1045, 1040, 3159, 1295
BAD_ARGUMENTS, NO_SUCH_STATEMENT, NO_CURSOR, TOO_MANY_STATEMENTS = 1210, 1243, 1421, 1461
OVER_QUOTA, HOST_BLOCKED = 1226, 1129
QSERV_REFUSED, QSERV_UNKNOWN_QUERY = 4003, 4005
_NAMES_AND_SYNTAX = frozenset(
    (1046, 1049, 1052, 1054, 1060, 1064, 1066, 1104, 1109, 1111, 1146, 1149, 1222, 1247, 1248)
)
"""What the server says of wrong names and wrong SQL, in words that every client's user knows."""
_AS_TEXT = frozenset(("PREPARE", "EXECUTE", "DEALLOCATE"))
"""Prepared statements in SQL that are not taken."""
NO_RIGHT = frozenset((1044, 1142, 1143))
FUNCTION_UNKNOWN = frozenset((1128, 1305, 1630))


def error_packet(problem: SkyshardError) -> bytes:
    """An error of ours."""
    if isinstance(problem, OverQuota):
        return error(OVER_QUOTA, "42000", str(problem))
    if isinstance(problem, Refusal):
        return error(NOT_SUPPORTED, "42000", str(problem))
    if isinstance(problem, ClusterError):
        return error(UNKNOWN, "HY000", str(problem))
    if isinstance(problem, UserError) and problem.what.startswith("no database"):
        return error(NO_DATABASE, "42000", str(problem))
    return error(UNKNOWN, "HY000", str(problem))


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
