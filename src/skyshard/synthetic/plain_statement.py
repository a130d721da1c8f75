"""Statements that any SQL engine answers alike: one SELECT over numbers, in words whose meaning does not differ.

What is not surely such a statement is not one: division, texts, subqueries, outer joins, functions beyond a few, and
rows that the statement does not decide (LIMIT without a full order, columns beside GROUP BY). No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Box, Circle, Ellipse, Polygon, Region

_TOKEN = re.compile(r"\s+|[A-Za-z_]\w*|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+|<=|>=|<>|!=|[-+*,().=<>]")
_WORD = re.compile(r"[A-Za-z_]\w*")
_FUNCTIONS = frozenset({"count", "sum", "min", "max", "avg", "abs", "floor", "log10", "scisql_angsep"})
_BEFORE_PARENTHESIS = frozenset({"in", "and", "or", "not", "where", "on", "by", "when", "then", "else", "distinct"})
_REFUSED = frozenset(
    (
        "union", "except", "intersect", "with", "left", "right", "full", "outer", "cross", "natural", "using",
        "straight_join", "div", "mod", "xor", "like", "rlike", "regexp", "interval", "binary", "collate", "cast",
        "convert", "exists", "all", "any", "some", "rollup", "window", "over", "offset", "for", "into", "procedure",
    )
)  # fmt: skip
_ENDS_FROM = ("where", "group", "having", "order", "limit")
_AFTER_TABLE = frozenset({"join", "inner", "on", *_ENDS_FROM})
_END = r"(?=\s*(?:$|\)|AND\b|OR\b|GROUP\b|HAVING\b|ORDER\b|LIMIT\b))"
"""What follows an expression that ends."""
_AREA = re.compile(r"\bqserv_areaspec_(box|circle|ellipse|poly)\s*\(([^()]*)\)", re.IGNORECASE)
_CONES = re.compile(
    r"scisql_angSep\(\s*([\w.]+)\s*,\s*([\w.]+)\s*,\s*([-\w.]+)\s*,\s*([-\w.]+)\s*\)\s*<\s*([\d.]+(?:e-?\d+)?)" + _END,
    re.IGNORECASE,
)
_REGIONS: dict[str, Callable[..., Region]] = {"box": Box, "circle": Circle, "ellipse": Ellipse, "poly": Polygon.of}


@dataclass(frozen=True, slots=True)
class PlainStatement:
    """A statement and what is known of its text; ``sql`` has 1 in place of an area."""

    sql: str
    words: frozenset[str]
    """All names and keywords, in lower case."""
    references: tuple[tuple[str, str], ...]
    """Table and alias of each table in FROM."""
    region: Region | None
    has_star: bool
    limit_order: str | None
    """The ORDER BY of a statement with LIMIT; None without LIMIT."""

    @property
    def is_conjunction(self) -> bool:
        """True when every condition must hold: nothing is joined with OR, or denied."""
        return self.words.isdisjoint({"or", "not", "case", "is"})


def read_plain(sql: str, tables: Mapping[str, object]) -> PlainStatement | None:
    """Read a statement over some tables; None where it is not surely a plain one.

    >>> read_plain("SELECT COUNT(*) FROM Object o WHERE o.ra > 3", {"Object": ()}).references
    (('Object', 'o'),)
    >>> read_plain("SELECT ra / 2 FROM Object", {"Object": ()}) is None
    True
    """
    text, region = _without_area(" ".join(sql.split()))
    tokens = _tokens(text)
    if tokens is None or "qserv_areaspec" in text.lower():
        return None
    words = [token.lower() for token in tokens if _WORD.fullmatch(token)]
    if not words or words[0] != "select" or words.count("select") != 1 or not _REFUSED.isdisjoint(words):
        return None
    if not _functions_of(tokens) <= _FUNCTIONS or not _is_grouped_fully(text):
        return None
    references = _references(tokens, tables)
    if references is None:
        return None
    order = re.search(r"\bORDER BY (.*?)(?= LIMIT\b|$)", text, re.IGNORECASE)
    limit_order = (order.group(1) if order else "") if "limit" in words else None
    has_star = "*" in re.sub(r"\(\s*\*\s*\)", "", text[: _from_at(text)])
    found = PlainStatement(with_windows(text), frozenset(words), references, region, has_star, limit_order)
    return found if region is None or found.is_conjunction else None


def _without_area(text: str) -> tuple[str, Region | None]:
    """The text with 1 in place of its first area, and that; a second one is left."""
    found = _AREA.search(text)
    if found is None:
        return text, None
    try:
        numbers = [float(number) for number in found.group(2).split(",")]
        region = _REGIONS[found.group(1).lower()](*numbers)
    except (ValueError, TypeError, UserError):
        return text, None
    return text[: found.start()] + "1" + text[found.end() :], region


def _tokens(text: str) -> list[str] | None:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or text.startswith("--", at):
            return None
        at = found.end()
        if not found.group().isspace():
            tokens.append(found.group())
    return tokens


def _functions_of(tokens: list[str]) -> set[str]:
    called = {one.lower() for one, after in pairwise(tokens) if after == "(" and _WORD.match(one)}
    return called - _BEFORE_PARENTHESIS


def _references(tokens: list[str], tables: Mapping[str, object]) -> tuple[tuple[str, str], ...] | None:
    """Tables and aliases of FROM; None where it holds anything else."""
    lowered = [token.lower() for token in tokens]
    start = lowered.index("from") if "from" in lowered else len(tokens)
    end = next((at for at in range(start, len(tokens)) if lowered[at] in _ENDS_FROM), len(tokens))
    found: list[tuple[str, str]] = []
    depth = 0
    for at in range(start, end):
        depth += (tokens[at] == "(") - (tokens[at] == ")")
        if depth or not (at == start or tokens[at] == "," or lowered[at] == "join"):
            continue
        rest = [*tokens[at + 1 : end], "", ""]
        table, alias = rest[0], rest[2] if rest[1].lower() == "as" else rest[1]
        if table not in tables or rest[1] == ".":
            return None
        is_alias = bool(_WORD.fullmatch(alias)) and alias.lower() not in _AFTER_TABLE
        found.append((table, alias if is_alias else table))
    return tuple(found) or None


def _is_grouped_fully(text: str) -> bool:
    """True when each column beside aggregates is grouped by, so that every row of the answer is decided."""
    items = _split(re.sub(r"^SELECT (DISTINCT )?", "", text[: _from_at(text)], flags=re.IGNORECASE))
    plain = [item for item in items if not re.search(r"\b(count|sum|min|max|avg)\s*\(", item, re.IGNORECASE)]
    group = re.search(r"\bGROUP BY (.*?)(?= HAVING\b| ORDER\b| LIMIT\b|$)", text, re.IGNORECASE)
    if group is None:
        return len(plain) in (0, len(items))
    keys = {part.lower() for part in _split(group.group(1))}
    return all(not keys.isdisjoint(_names_of(item.lower())) for item in plain)


def _names_of(item: str) -> set[str]:
    """The expression of an item of the select list and its alias."""
    found = re.fullmatch(r"(.*?)\s+(?:as\s+)?([a-z_]\w*)", item)
    return {item} if found is None else {item, found.group(1), found.group(2)}


def _from_at(text: str) -> int:
    found = re.search(r" FROM ", text, re.IGNORECASE)
    return found.start() if found else len(text)


def _split(text: str) -> list[str]:
    """The parts between commas that are in no parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def with_windows(sql: str) -> str:
    """The same statement with a window of declination before each angular separation, which is quicker to test.

    >>> with_windows("WHERE scisql_angSep(ra, decl, 1.5, 2) < 0.5")
    'WHERE (decl BETWEEN 2 - 0.5 AND 2 + 0.5 AND scisql_angSep(ra, decl, 1.5, 2) < 0.5)'
    """
    return _CONES.sub(r"(\2 BETWEEN \4 - \5 AND \4 + \5 AND \g<0>)", sql)


def is_tied(statement: PlainStatement, keys: Mapping[str, str]) -> bool:
    """True when equalities of director keys tie all references to one; ``keys`` are the columns, by table.

    Only sure for a conjunction.
    """
    groups = {alias: {alias} for _, alias in statement.references}
    tables = {alias: table for table, alias in statement.references}
    for one, first, other, second in re.findall(r"\b(\w+)\.(\w+)\s*=\s*(\w+)\.(\w+)", statement.sql):
        if one in tables and other in tables and keys[tables[one]] == first and keys[tables[other]] == second:
            joined = groups[one] | groups[other]
            groups.update(dict.fromkeys(joined, joined))
    return statement.is_conjunction and len(next(iter(groups.values()))) == len(groups)


def named_keys(statement: PlainStatement, key: str) -> frozenset[int] | None:
    """The whole numbers that one condition on a key column names; None where there is none."""
    value = r"(?:=\s*(\d+)|IN\s*\(([\d,\s]+)\))"
    found = re.search(rf"\b(?:WHERE|AND|ON)\s+(?:\w+\.)?{key}\s*{value}{_END}", statement.sql, re.IGNORECASE)
    if found is None:
        return None
    texts = [found.group(1)] if found.group(1) else found.group(2).split(",")
    return frozenset(int(text) for text in texts)
