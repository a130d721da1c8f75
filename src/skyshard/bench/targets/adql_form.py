"""Statements of workloads in ADQL, for TAP. Only what templates use is translated, word by word; no I/O.

Rules: what is asked is never changed. A translated statement reads the same chunks: ``qserv_areaspec_...`` becomes the
condition on the director's position by which the czar finds them. What has no form in ADQL is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skyshard.basics.errors import UserError

Positions = Mapping[str, tuple[str, str]]
"""Director → its columns of position."""
_AREA = re.compile(r"qserv_areaspec_(\w+)\(([^()]*)\)", re.IGNORECASE)
_LIMIT = re.compile(r"\s+LIMIT\s+(\d+)\s*$", re.IGNORECASE)
_SELECT = re.compile(r"\s*SELECT(\s+DISTINCT)?\b", re.IGNORECASE)
_WORD_SELECT = re.compile(r"\bSELECT\b", re.IGNORECASE)
_REST = re.compile(r"(\b[\w.]+)\s*%\s*(\d+)")
_FROM = re.compile(r"\bFROM\s+(.*?)(?:\bWHERE\b|\bGROUP\b|\bHAVING\b|\bORDER\b|\bLIMIT\b|$)", re.IGNORECASE | re.DOTALL)
_BETWEEN_TABLES = re.compile(r",|\b(?:(?:INNER|LEFT|CROSS)\s+)?JOIN\b", re.IGNORECASE)
_TABLE = re.compile(r"\s*(\w+)(?:\s+(?:AS\s+)?(?!ON\b|USING\b)(\w+))?", re.IGNORECASE)
_ENTRY = re.compile(
    r"((?:^|,|\bJOIN\b)\s*)(\w+)(?:\s+(?:AS\s+)?(?!(?:ON|USING|INNER|LEFT|CROSS|JOIN)\b)(\w+))?", re.IGNORECASE
)
_QUOTED = re.compile(r"""['"`]""")


class NotInAdql(UserError):
    """A statement has no form in ADQL: why."""


def to_adql(sql: str, database: str, positions: Positions) -> str:
    """A statement as ADQL, with the tables of a database.

    Raises:
        NotInAdql: it has none.

    >>> sql = "SELECT a FROM Object o WHERE qserv_areaspec_circle(1, 2, 3) LIMIT 5"
    >>> to_adql(sql, "tiny", {"Object": ("ra", "decl")})
    'SELECT TOP 5 a FROM tiny.Object AS o WHERE 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(1, 2, 3))'
    >>> to_adql("SELECT 1 FROM Object a JOIN Source b ON a.id = b.id, Object c", "tiny", {})
    'SELECT 1 FROM tiny.Object AS a JOIN tiny.Source AS b ON a.id = b.id, tiny.Object AS c'
    >>> to_adql("SELECT n FROM Object WHERE id % 7 = 3", "tiny", {})
    'SELECT n FROM tiny.Object WHERE MOD(id, 7) = 3'
    """
    if _QUOTED.search(sql):
        raise NotInAdql("it has texts or quoted names, which are not translated", remedy="write the template without")
    tables = _tables(sql)
    translated = _AREA.sub(lambda found: _area(found, tables, positions), sql)
    translated = _REST.sub(r"MOD(\1, \2)", _named(translated, database))
    limit = _LIMIT.search(translated)
    if limit is None:
        return translated
    head = _SELECT.match(translated)
    if head is None:
        raise NotInAdql("it is no SELECT", remedy="write one")
    return f"{head.group().strip()} TOP {limit.group(1)}{translated[head.end() : limit.start()]}"


def _tables(sql: str) -> list[tuple[str, str]]:
    """(Table, name in the statement) of the FROM clause."""
    if len(_WORD_SELECT.findall(sql)) != 1:
        raise NotInAdql("it has several SELECTs", remedy="write a template with one")
    clause = _FROM.search(sql)
    found = [_TABLE.match(part) for part in _BETWEEN_TABLES.split(clause.group(1))] if clause else []
    return [(one.group(1), one.group(2) or one.group(1)) for one in found if one]


def _named(sql: str, database: str) -> str:
    """With the database before each table, and AS before its alias."""

    def table(found: re.Match[str]) -> str:
        name, alias = found.group(2), found.group(3)
        return f"{found.group(1)}{database}.{name}" + (f" AS {alias}" if alias else "")

    def clause(found: re.Match[str]) -> str:
        return found.group().replace(found.group(1), _ENTRY.sub(table, found.group(1)), 1)

    return _FROM.sub(clause, sql, count=1)


def _area(found: re.Match[str], tables: Sequence[tuple[str, str]], positions: Positions) -> str:
    shape, numbers = found.group(1).lower(), [part.strip() for part in found.group(2).split(",")]
    places = [(f"{alias}.{positions[table][0]}", f"{alias}.{positions[table][1]}") for table, alias in tables
              if table in positions]  # fmt: skip
    if not places:
        raise NotInAdql(
            "its area is about a dependent's director, whose position ADQL does not name",
            remedy="join the director in the template",
        )
    return " AND ".join(_inside(shape, ra, decl, numbers) for ra, decl in places)


def _inside(shape: str, ra: str, decl: str, numbers: Sequence[str]) -> str:
    if shape == "circle":
        return f"1 = CONTAINS(POINT({ra}, {decl}), CIRCLE({', '.join(numbers)}))"
    if shape == "poly":
        return f"1 = CONTAINS(POINT({ra}, {decl}), POLYGON({', '.join(numbers)}))"
    if shape == "box":
        low, south, high, north = numbers
        longitude = f"{ra} BETWEEN {low} AND {high}"
        if float(low) > float(high):
            longitude = f"({ra} >= {low} OR {ra} <= {high})"
        return f"{longitude} AND {decl} BETWEEN {south} AND {north}"
    raise NotInAdql(f"ADQL has no {shape}", remedy="use a circle, a polygon or a box")
