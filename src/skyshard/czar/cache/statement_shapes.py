"""Texts of statements taken apart: a shape that many share, and the numbers in which they differ.

Rules: texts only, nothing is parsed. Two statements of one shape with the same key are the same statement. A shape has
marks in place of whole numbers, or one in place of the numbers of its only ``qserv_areaspec_`` call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Region
from skyshard.czar.bind.expand_functions import AREASPEC, AREASPEC_NUMBERS, REGIONS, make_region
from skyshard.czar.bind.stored_regions import CIRCLE_TESTS, MOST_RADIUS_DEG, OWN_POINT, POINT_IN_REGION, region_texts
from skyshard.czar.sql.region_sql import OPEN
from skyshard.czar.sql.stored_region_sql import OPEN as OPEN_PART

NUMBER_MARK = "\x02"
AREA_MARK = "\x04"
LONGEST_TEXT = 20_000
_DIGITS = 18
_QUOTED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|/\*.*?\*/|--[^\n]*|#[^\n]*"
PARTS = re.compile(
    rf"{_QUOTED}|[A-Za-z_$\x80-\uffff][\w$]*|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\w*",
    re.DOTALL,
)
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CALL = re.compile(
    rf"(?:{_QUOTED})|(?<![\w$])(?P<name>{AREASPEC}[a-z]+)\s*"
    rf"\(\s*(?P<numbers>{_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\)",
    re.DOTALL | re.IGNORECASE,
)
_REGION_CALL = re.compile(
    rf"(?:{_QUOTED})|(?<![\w$])(?P<name>{POINT_IN_REGION}|{'|'.join(CIRCLE_TESTS)})\s*"
    rf"\(\s*(?P<numbers>{_NUMBER}(?:\s*,\s*{_NUMBER}){{1,2}})\s*,\s*(?=[A-Za-z_`])",
    re.DOTALL | re.IGNORECASE,
)
_POINT_CALL = re.compile(
    rf"(?:{_QUOTED})|(?<![\w$])(?P<name>POINT)\s*\(\s*(?P<numbers>{_NUMBER}\s*,\s*{_NUMBER})\s*\)",
    re.DOTALL | re.IGNORECASE,
)
ShapeNumbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AreaText:
    """A call of an area function: its ``name``, and its ``numbers`` as they are written."""

    name: str
    numbers: tuple[str, ...]

    @property
    def region(self) -> Region | None:
        """The region; None where planning has to say what is wrong."""
        kind = self.name.lower().removeprefix(AREASPEC)
        values = [float(number) + 0.0 for number in self.numbers]  # no -0.0
        if kind not in REGIONS or AREASPEC_NUMBERS.get(kind, len(values)) != len(values):
            return None
        try:
            return make_region(kind, values)
        except UserError:
            return None

    @property
    def text(self) -> str:
        return f"{self.name}({', '.join(self.numbers)})"


@dataclass(frozen=True, slots=True)
class RegionText:
    """The numbers, as they are written, of a point or circle that is compared with a polygon of a column."""

    numbers: tuple[str, ...]

    @property
    def parts(self) -> dict[str, str] | None:
        """What they decide of the statement's text; None where planning has to say what is wrong."""
        values = [float(number) + 0.0 for number in self.numbers]
        if len(values) == 3 and not values[2] < MOST_RADIUS_DEG:
            return None
        try:
            return region_texts(values) | dict(zip(OWN_POINT, self.numbers, strict=False))
        except UserError:
            return None


@dataclass(frozen=True, slots=True)
class StatementText:
    """A statement's text taken apart: its shape, and what the shape leaves open: an area, a point or circle that is
    compared with polygons of a column, or the whole numbers."""

    shape: str
    numbers: ShapeNumbers = ()
    area: AreaText | None = None
    region: RegionText | None = None

    @property
    def key(self) -> Hashable:
        """What tells statements of one shape apart."""
        return self.area or self.region or self.numbers


def take_text_apart(sql: str) -> StatementText | None:
    r"""A statement's shape with what it leaves open; None where a text is not looked at.

    >>> take_text_apart("SELECT ra FROM t WHERE k = 7 LIMIT 3")
    StatementText(shape='SELECT ra FROM t WHERE k = \x02 LIMIT \x02', numbers=(7, 3), area=None, region=None)
    >>> take_text_apart("SELECT ra FROM t WHERE qserv_areaspec_circle(1, 2, 3) LIMIT 3").shape
    'SELECT ra FROM t WHERE \x04 LIMIT 3'
    """
    if len(sql) > LONGEST_TEXT or NUMBER_MARK in sql:
        return None
    return area_text(sql) or region_text(sql) or StatementText(*shape_of(sql))


def shape_of(text: str) -> tuple[str, ShapeNumbers]:
    """A text with a mark in place of each whole number, and the numbers; what is quoted or a comment stays.

    >>> shape_of("SELECT a1, 'x 5' FROM t WHERE k = 17 AND r < 1.5")
    ("SELECT a1, 'x 5' FROM t WHERE k = \\x02 AND r < 1.5", (17,))
    """
    numbers: list[int] = []

    def take(match: re.Match[str]) -> str:
        part = match.group()
        if not part.isascii() or not part.isdigit() or len(part) > _DIGITS or (part[0] == "0" and part != "0"):
            return part
        numbers.append(int(part))
        return NUMBER_MARK

    return PARTS.sub(take, text), tuple(numbers)


def filled(shape: str, numbers: Sequence[int | str]) -> str:
    """The text of a shape with these numbers.

    >>> filled("k = \\x02 OR k = \\x02", (1, 2))
    'k = 1 OR k = 2'
    """
    parts = shape.split(NUMBER_MARK)
    return "".join(part for pair in zip(parts, [*map(str, numbers), ""], strict=True) for part in pair)


def opened(text: StatementText, positions: Collection[int]) -> str:
    r"""The text with a mark in place of these of its numbers.

    >>> opened(take_text_apart("SELECT ra FROM t WHERE k = 7 LIMIT 3"), [0])
    'SELECT ra FROM t WHERE k = \x02 LIMIT 3'
    """
    return filled(text.shape, [NUMBER_MARK if place in positions else one for place, one in enumerate(text.numbers)])


def area_text(sql: str) -> StatementText | None:
    r"""A statement with exactly one area, which has plain numbers; None for any other.

    >>> area_text("SELECT ra FROM t WHERE qserv_areaspec_circle(1, -2.5, .1) LIMIT 3").area
    AreaText(name='qserv_areaspec_circle', numbers=('1', '-2.5', '.1'))
    """
    if sql.lower().count(AREASPEC) != 1 or AREA_MARK in sql or OPEN in sql:
        return None
    match = next((found for found in _CALL.finditer(sql) if found["name"]), None)
    if match is None:
        return None
    numbers = tuple(number.strip() for number in match["numbers"].split(","))
    shape = sql[: match.start()] + AREA_MARK + sql[match.end() :]
    return StatementText(shape, area=AreaText(match["name"], numbers))


def region_text(sql: str) -> StatementText | None:
    r"""A statement with exactly one point or circle of plain numbers against a polygon of a column; None for any other.

    >>> region_text("SELECT 1 FROM t WHERE MBRWITHIN(POINT(1, -2.5), b) AND scisql_s2PtInCPoly(1, -2.5, r) = 1").shape
    'SELECT 1 FROM t WHERE MBRWITHIN(POINT(\x04), b) AND scisql_s2PtInCPoly(\x04, r) = 1'
    """
    lowered = sql.lower()
    if sum(lowered.count(name) for name in (POINT_IN_REGION, *CIRCLE_TESTS)) != 1 or AREASPEC in lowered:
        return None
    match = next((found for found in _REGION_CALL.finditer(sql) if found["name"]), None)
    if match is None or AREA_MARK in sql or OPEN_PART in sql:
        return None
    numbers = _numbers_of(match["numbers"])
    spans = [found.span("numbers") for found in _POINT_CALL.finditer(sql)
             if found["name"] and _numbers_of(found["numbers"]) == numbers[:2]]  # fmt: skip
    shape, end = "", 0
    for first, last in sorted([*spans, match.span("numbers")]):
        shape, end = shape + sql[end:first] + AREA_MARK, last
    return StatementText(shape + sql[end:], region=RegionText(numbers))


def _numbers_of(text: str) -> tuple[str, ...]:
    return tuple(number.strip() for number in text.split(","))
