"""Texts that a statement makes, written so that the czar's servers make those that one server does. No I/O.

A client's session has its literals in utf8mb4, the czar's servers read statements in latin1. Between them a letter has
another number of bytes (``LENGTH('é')``, ``HEX('é')``, a comparison with bytes), or none at all (``'α Cen'``). So a
literal with letters beyond ASCII goes as its bytes, with its character set, and CAST says which set it makes. What may
be no expression (an alias, a SEPARATOR) stays as it is, as do formats of times, whose letters are the session's.
"""

from __future__ import annotations

import re

from skyshard.serve.sql_words import literal_text, masked

_TEXT = r"(?:'(?:[^'\\]|\\.|'')*+'|\"(?:[^\"\\]|\\.|\"\")*+\")"
_LITERAL = re.compile(
    rf"(?P<skipped>`(?:[^`]|``)*+`|/\*(?:[^*]|\*(?!/))*+\*/|--(?=\s)[^\n]*+|#[^\n]*+)"
    rf"|(?P<set>\b(?:_[A-Za-z0-9]+\s*|[nN](?=['\"])))?(?P<texts>{_TEXT}(?:\s++{_TEXT})*+)",
    re.DOTALL,
)
_EACH = re.compile(_TEXT, re.DOTALL)
_BEFORE = re.compile(
    r"(?:^|[-(,=<>!+*/%|&^~]|\b(?:SELECT|WHERE|AND|OR|XOR|NOT|LIKE|RLIKE|REGEXP|BETWEEN|THEN|WHEN|ELSE|CASE|ON|HAVING"
    r"|BY|DIV|MOD|IS|ESCAPE|BINARY|DISTINCT|ALL))\s*$",
    re.IGNORECASE,
)
_LOOKED_BACK = 40
_FORMAT = re.compile(r"\b(?:DATE|TIME)_FORMAT\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*$", re.IGNORECASE)
_CAST = re.compile(r"\bAS\s+(?:NATIONAL\s+)?CHAR(?:ACTER)?(?:\s*\(\s*\d+\s*\))?(?=\s*\))", re.IGNORECASE)
_CONVERT = re.compile(
    r"\bCONVERT\s*\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*?,\s*CHAR(?:ACTER)?(?:\s*\(\s*\d+\s*\))?(?=\s*\))",
    re.IGNORECASE,
)
SETS = {"utf8mb4": "utf8mb4", "utf8": "utf8mb3", "utf8mb3": "utf8mb3"}
"""Character sets of statements that are written so, and what is said of each."""


def with_charset(sql: str, charset: str) -> str:
    """A statement that says which character set its texts have. ``charset``: the session's.

    >>> with_charset("SELECT CONVERT(b, CHAR) FROM t WHERE c = 'ß'", "utf8")
    "SELECT CONVERT(b, CHAR CHARACTER SET utf8mb3) FROM t WHERE c = _utf8mb3 X'C39F'"
    """
    if charset not in SETS:
        return sql
    return _in_bytes(_cast(sql, SETS[charset]), SETS[charset])


def _cast(sql: str, charset: str) -> str:
    """CAST AS CHAR and CONVERT to CHAR without a character set give the session's."""
    if "char" not in sql.lower():
        return sql
    words = masked(sql)
    ends = sorted({found.end() for kind in (_CAST, _CONVERT) for found in kind.finditer(words)}, reverse=True)
    for end in ends:
        sql = f"{sql[:end]} CHARACTER SET {charset}{sql[end:]}"
    return sql


def _in_bytes(sql: str, charset: str) -> str:
    """A statement whose literals with other letters than ASCII's go as bytes.

    >>> _in_bytes("SELECT 'a', 'é', _binary'é' FROM t WHERE b LIKE 'é%' AND 'x' -- é", "utf8mb4")
    "SELECT 'a', _utf8mb4 X'C3A9', _binary X'C3A9' FROM t WHERE b LIKE _utf8mb4 X'C3A925' AND 'x' -- é"
    >>> _in_bytes("SELECT ra AS 'é', DATE_FORMAT(d, '%Y年') FROM t", "utf8mb4")
    "SELECT ra AS 'é', DATE_FORMAT(d, '%Y年') FROM t"
    """
    if sql.isascii():
        return sql
    words = masked(sql)

    def written(found: re.Match[str]) -> str:
        texts, named = found["texts"], (found["set"] or "").strip()
        if texts is None or texts.isascii():
            return found.group()
        before = words[: found.start()]
        if not (named or _BEFORE.search(before[-_LOOKED_BACK:])) or _FORMAT.search(before):
            return found.group()
        value = "".join(literal_text(one.group()) for one in _EACH.finditer(texts))
        introducer = "_utf8mb3" if named.lower() == "n" else named or f"_{charset}"
        return f"{introducer} X'{value.encode().hex().upper()}'"

    return _LITERAL.sub(written, sql)
