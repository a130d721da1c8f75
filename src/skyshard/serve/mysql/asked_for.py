"""Which statement goes where: read from its first words, without a parser. No I/O.

Rule: what is relayed can do no harm, whatever it says: the account of clients' sessions on the server reads no table.
So a statement that is taken for the wrong kind is refused there, and never answered from empty tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from skyshard.serve.mysql.text_prepared import text_prepared
from skyshard.serve.sql_words import COMMENT, QUIET


class Way(StrEnum):
    """What is done with a statement."""

    CATALOG = "catalog"
    """The czar answers it."""
    LIMITED = "limited"
    """The same, within so much time: SET STATEMENT max_statement_time = ... FOR."""
    RELAY = "relay"
    """The client's session on the server answers it."""
    DESCRIBE = "describe"
    """The door's own session answers it, which may read the empty tables: SHOW COLUMNS, DESCRIBE."""
    LISTS = "lists"
    """Over the lists of running and past queries, which are made for it."""
    PROCESSES = "processes"
    """SHOW PROCESSLIST."""
    SUBMIT = "submit"
    RESULT = "result"
    """The rows of a submitted query."""
    DELETE_RESULT = "delete result"
    CANCEL = "cancel"
    """A submitted query."""
    NAMED = "named"
    """PREPARE, EXECUTE, EXECUTE IMMEDIATE, DEALLOCATE PREPARE as text."""
    KILL = "kill"
    """What another session runs."""
    IGNORE = "ignore"
    """Qserv's own switches, and what would end locks."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A statement's way; ``number`` of a query or session, ``text`` submitted or limited, or its first word."""

    way: Way
    number: int = 0
    text: str = ""
    is_query: bool = False
    """Of KILL: only the statement, not the session."""
    is_full: bool = False
    """Of SHOW PROCESSLIST."""
    limit_s: float | None = None
    """Of SET STATEMENT: seconds; None: it says nothing of them."""


_NOT_QUIET = re.compile(r"['\"`#]|/\*|--")
"""Where there is none of these, all is words."""
_LEADING = re.compile(rf"(?:\s++|{COMMENT})++", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+|\(")
_NAME = r"(?:`(?:[^`]|``)++`|[0-9A-Za-z_$\x80-\U0010ffff]+)"
_PLAIN_NAME = re.compile(r"`\w+`")
_DESCRIBED = re.compile(
    rf"(?:DESC|DESCRIBE|EXPLAIN)\s+{_NAME}(?:\s*\.\s*{_NAME})?(?:\s+(?:{_NAME}|''))?\s*+;?\s*+$", re.I
)
_SHOW_COLUMNS = re.compile(
    r"SHOW\s+(?:EXTENDED\s+)?(?:FULL\s+)?(?:COLUMNS|FIELDS|INDEX|INDEXES|KEYS)\s+(?:FROM|IN)\s", re.I
)
_PROCESSES = re.compile(r"SHOW\s+(FULL\s+)?PROCESSLIST\s*+;?\s*+$", re.I)
_RESULT = re.compile(r"SELECT\s+\*\s+FROM\s+qserv_result\s*\(\s*([0-9]+)\s*\)\s*+;?\s*+$", re.I)
_DELETE = re.compile(r"CALL\s+qserv_result_delete\s*\(\s*([0-9]+)\s*\)\s*+;?\s*+$", re.I)
_CANCEL = re.compile(r"CANCEL\s+([0-9]+)\s*+;?\s*+$", re.I)
_KILL = re.compile(r"KILL\s+(?:HARD\s+|SOFT\s+)?(?:(CONNECTION|QUERY)\s+)?([0-9]+)\s*+;?\s*+$", re.I)
_VERSIONED = re.compile(r"/\*M?!\d*+((?:[^*]|\*(?!/))*+)(?:\*/|\Z)", re.DOTALL)
_UNLOCK = re.compile(r"UNLOCK\s+TABLES?\s*+;?\s*+$", re.I)
_SWITCH = re.compile(r"SET\s+GLOBAL\s+QSERV_", re.I)
_LIMITED = re.compile(r"SET\s+STATEMENT\s+max_statement_time\s*=\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s+FOR\s+", re.I)
_NOT_SET = re.compile(r"\b(?:PASSWORD|ROLE)\b", re.I)
_SCHEMA_TABLE = re.compile(r"(?:\binformation_schema\b|`information_schema`)\s*\.", re.I)
_LIST = r"(?P<named>`?(?P<list>processlist|queries)\b`?)"
LISTED = re.compile(rf"(?P<place>\binformation_schema\b|`information_schema`)\s*\.\s*{_LIST}", re.I)
LISTED_HERE = re.compile(rf"(?:\b(?:FROM|JOIN)\b|[,(])\s*(?P<place>){_LIST}(?!\s*\.)", re.I)
"""The same where the session is in ``information_schema``."""
_SELECT = re.compile(r"SELECT\b|WITH\b|\(", re.I)
_FROM = re.compile(r"\bFROM\b", re.I)
_FROM_DUAL = re.compile(r"\bFROM\s+DUAL\b", re.I)
_RELAYED = {"SHOW", "SET", "USE", "COMMIT", "ROLLBACK", "BEGIN", "START", "SAVEPOINT", "RELEASE", "DO", "VALUES"}
_SELECTING = {"SELECT", "WITH", "("}
_OF_SERVER = {Way.RELAY, Way.LISTS, Way.DESCRIBE, Way.PROCESSES}
_INTERSECT, _EXCEPT, _ALL = (re.compile(rf"\b(?:{words})\b", re.I) for words in ("INTERSECT", "EXCEPT|MINUS", "ALL"))


def way_of(sql: str, database: str = "") -> AskedFor:
    """Where a statement goes.

    Args:
        database: the session's.

    >>> way_of("/* hi */ select ra from Object").way, way_of("SELECT @@version_comment LIMIT 1").way
    (<Way.CATALOG: 'catalog'>, <Way.RELAY: 'relay'>)
    >>> way_of("KILL QUERY 12").number, way_of("INSERT INTO t VALUES (1)").way
    (12, <Way.REFUSE: 'refuse'>)
    """
    text = without_leading(sql)
    if text.startswith(("/*!", "/*M!")):
        text = without_leading(_VERSIONED.sub(r" \1 ", text))
    found = _WORD.match(text)
    word = found.group().upper() if found else ""
    asked = _begun_with(word, text, database)
    if asked.way in _OF_SERVER and may_not_end(text):
        return AskedFor(Way.CATALOG) if word in _SELECTING else AskedFor(Way.REFUSE, text=word)
    return asked


def _begun_with(word: str, text: str, database: str) -> AskedFor:
    if word in _SELECTING:
        return _selecting(text, database)
    if word in _STARTS:
        return _STARTS[word](quiet(text), text)
    return AskedFor(Way.RELAY if word in _RELAYED or not text else Way.REFUSE, text=word)


def may_not_end(text: str) -> bool:
    """INTERSECT ALL before EXCEPT ALL, which nothing ends on a server: the czar writes it otherwise."""
    if not _INTERSECT.search(text):
        return False
    words = nameless(quiet(text))
    return all(one.search(words) for one in (_INTERSECT, _EXCEPT, _ALL))


def without_leading(sql: str) -> str:
    """A statement from its first word on."""
    leading = _LEADING.match(sql)
    return sql[leading.end() :] if leading else sql


def quiet(text: str) -> str:
    """A statement without comments and without what its strings say; names in backticks stay, and what a server runs
    though it is in a comment.

    >>> quiet("SELECT 'from' /* x */ FROM `a`")
    "SELECT ''   FROM `a`"
    """
    if not _NOT_QUIET.search(text):
        return text
    plain = QUIET.sub(lambda one: one["name"] or (" " if one["note"] else "''"), text)
    return _VERSIONED.sub(r" \1 ", plain) if "/*" in plain else plain


def nameless(words: str) -> str:
    """What :func:`quiet` gives, without names in backticks of letters only: what else is between two backticks may be
    none, where the first is in a comment that a server runs by its version.

    >>> nameless("SHOW COLUMNS FROM `select`"), nameless("/*!999999 ` */ SELECT ` */")
    ('SHOW COLUMNS FROM ``', '/*!999999 ` */ SELECT ` */')
    """
    return _PLAIN_NAME.sub("``", words)


def _selecting(text: str, database: str) -> AskedFor:
    if not _FROM.search(text):
        return AskedFor(Way.RELAY)
    words = quiet(text)
    if found := _RESULT.match(words):
        return AskedFor(Way.RESULT, int(found.group(1)))
    is_schema = database.lower() == "information_schema"
    if LISTED.search(words) or (is_schema and LISTED_HERE.search(words)):
        return AskedFor(Way.LISTS)
    plain = nameless(words)
    sources = len(_FROM.findall(plain))
    if is_schema or _SCHEMA_TABLE.search(words) or not sources or sources == len(_FROM_DUAL.findall(plain)):
        return AskedFor(Way.RELAY)
    return AskedFor(Way.CATALOG)


def _described(words: str, _: str) -> AskedFor:
    is_table = _DESCRIBED.match(words) and not re.match(r"\w+\s+(SELECT|WITH|INSERT|UPDATE|DELETE)\b", words, re.I)
    return AskedFor(Way.DESCRIBE) if is_table else AskedFor(Way.REFUSE, text=words.split(None, 1)[0].upper())


def _show(words: str, _: str) -> AskedFor:
    if found := _PROCESSES.match(words):
        return AskedFor(Way.PROCESSES, is_full=bool(found.group(1)))
    if _SHOW_COLUMNS.match(words):
        is_asking = re.search(r"\bSELECT\b", nameless(words), re.I)
        return AskedFor(Way.REFUSE if is_asking else Way.DESCRIBE, text="SHOW")
    return AskedFor(Way.RELAY)


def _set(words: str, text: str) -> AskedFor:
    """Variables; neither the password of the account that all clients share, nor a statement behind its settings, but
    for a SELECT, submitted or not, that is given a time."""
    if _SWITCH.match(words):
        return AskedFor(Way.IGNORE)
    if found := _LIMITED.match(text):
        rest = text[found.end() :]
        asked = way_of(rest)
        limit_s = float(found.group(1))
        if asked.way is Way.SUBMIT:
            return replace(asked, limit_s=limit_s)
        if asked.way in (Way.CATALOG, Way.RELAY) and _SELECT.match(without_leading(rest)):
            return AskedFor(Way.LIMITED, text=rest, limit_s=limit_s) if asked.way is Way.CATALOG else asked
    refused = re.match(r"SET\s+STATEMENT\b", words, re.I) or _NOT_SET.search(words)
    return AskedFor(Way.REFUSE, text=refused.group().upper()) if refused else AskedFor(Way.RELAY)


def _submit(words: str, text: str) -> AskedFor:
    rest = text[len("SUBMIT") :].strip()
    return AskedFor(Way.SUBMIT, text=rest)


def _call(words: str, _: str) -> AskedFor:
    found = _DELETE.match(words)
    return AskedFor(Way.DELETE_RESULT, int(found.group(1))) if found else AskedFor(Way.REFUSE, text="CALL")


def _unlock(words: str, _: str) -> AskedFor:
    """Nothing is ever locked."""
    return AskedFor(Way.IGNORE) if _UNLOCK.match(words) else AskedFor(Way.REFUSE, text="UNLOCK")


def _cancel(words: str, _: str) -> AskedFor:
    found = _CANCEL.match(words)
    return AskedFor(Way.CANCEL, int(found.group(1))) if found else AskedFor(Way.REFUSE, text="CANCEL")


def _kill(words: str, _: str) -> AskedFor:
    found = _KILL.match(words)
    if not found:
        return AskedFor(Way.REFUSE, text="KILL")
    return AskedFor(Way.KILL, int(found.group(2)), is_query=(found.group(1) or "").upper() == "QUERY")


def _named(words: str, text: str) -> AskedFor:
    return AskedFor(Way.NAMED if text_prepared(text) else Way.REFUSE, text=words.split(None, 1)[0].upper())


_STARTS = {
    "DESC": _described, "DESCRIBE": _described, "EXPLAIN": _described, "SHOW": _show, "SET": _set, "SUBMIT": _submit,
    "CALL": _call, "CANCEL": _cancel, "KILL": _kill, "PREPARE": _named, "EXECUTE": _named, "DEALLOCATE": _named,
    "DROP": _named, "UNLOCK": _unlock,
}  # fmt: skip


def has_limit(sql: str) -> bool:
    """Whether the outermost SELECT says itself how many rows it wants.

    >>> has_limit("SELECT a FROM (SELECT b FROM t LIMIT 3) x"), has_limit("SELECT 'limit' a FROM t LIMIT 1")
    (False, True)
    """
    depth = 0
    for found in re.finditer(r"`[^`]*`|[()]|\bLIMIT\b|\bFETCH\b|\bOFFSET\s+\d+\s+ROWS?\b", quiet(sql), re.I):
        if found.group() == "(":
            depth += 1
        elif found.group() == ")":
            depth -= 1
        elif not depth and not found.group().startswith("`"):
            return True
    return False
