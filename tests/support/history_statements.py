"""Statements over a drawn history: each as the czar gets it and as a plain server does. Values, no I/O.

The patterns stand in ``cases/histories.sql``; what they leave open is drawn. Areas and separations, which a plain
server does not know, are written out for it here, by other formulas than ours where there are any.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.history_sky import WORDS, History

PATTERNS = [
    line
    for line in (Path(__file__).parents[1] / "cases" / "histories.sql").read_text().splitlines()
    if not line.startswith("--")
]
CONDITIONS = [
    "{c} = {a}", "{c} = {a}", "{a} = {c}", "{c} IN ({a}, {b})", "{c} BETWEEN {a} AND {b}", "{c} < {a}", "{c} >= {a}",
    "{c} <=> {a}", "({c} = {a} OR {c} = {b})", "{c} <> {a}", "({c} > {a} AND {c} <= {b})", "NOT ({c} < {a})",
]  # fmt: skip
OPEN = re.compile(r"<(\w+)(?: ([^>]*))?>(?= |,|\)|$)")


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    plain: str
    is_ordered: bool


def statements(history: History, seed: str, count: int) -> Iterator[Statement]:
    """So many, over the tables and columns that the history has."""
    chance = random.Random(seed)
    tables = history.schema.tables
    missing = {name for name in ("Note", "Pair") if name not in tables}
    fitting = [line for line in PATTERNS if not any(re.search(rf"\b{name}\b", line) for name in missing)]
    for pattern in chance.sample(fitting, min(count, len(fitting))):
        yield _Filling(history, chance).fill(pattern)


class _Filling:
    def __init__(self, history: History, chance: random.Random) -> None:
        self._history = history
        self._chance = chance
        self._stars = _known(history, "Star")
        self._galaxies = _known(history, "Gal")

    def fill(self, pattern: str) -> Statement:
        ours, plain, end = [], [], 0
        for found in OPEN.finditer(pattern):
            kind, words = found.group(1), found.group(2) or ""
            left, right = getattr(self, f"_{kind}")(*([words] if words else []))
            ours += [pattern[end : found.start()], left]
            plain += [pattern[end : found.start()], right]
            end = found.end()
        rest = pattern[end:]
        is_ordered = bool(re.search(r"ORDER BY [^)]*$", pattern))
        return Statement("".join([*ours, rest]), "".join([*plain, rest]), is_ordered)

    def _constant(self, keys: list[int]) -> str:
        key = self._chance.choice([*keys, *keys, keys[0] + 1, -1, 7777, 7778, 2**63])
        return str(key) if self._chance.random() < 0.9 else self._chance.choice([f"{key}.0", f"'{key}'", f"{key}.5"])

    def _key(self) -> tuple[str, str]:
        return (self._constant(self._stars),) * 2

    def _keys(self) -> tuple[str, str]:
        return (", ".join(self._constant(self._stars) for _ in range(self._chance.randint(1, 5))),) * 2

    def _gal(self) -> tuple[str, str]:
        return (self._constant(self._galaxies),) * 2

    def _where(self, column: str) -> tuple[str, str]:
        one, two = self._constant(self._stars), self._constant(self._stars)
        return (self._chance.choice(CONDITIONS).format(c=column, a=one, b=two),) * 2

    def _n(self) -> tuple[str, str]:
        return (str(self._chance.randint(0, 9)),) * 2

    def _text(self) -> tuple[str, str]:
        word = self._chance.choice([word for word in WORDS if word is not None])
        quoted = word.replace("'", "''")
        return (f"'{quoted}'",) * 2

    def _dec(self) -> tuple[str, str]:
        height = 180 / self._history.schema.striping["stripes"]
        edge = self._chance.randint(1, int(180 / height) - 1) * height - 90
        return (self._chance.choice([f"{edge!r}", f"{edge:.3f}", "0", "-90", f"{edge + height / 3!r}"]),) * 2

    def _near(self, columns: str) -> tuple[str, str]:
        ra, dec, ra2, dec2 = columns.split()
        limit = self._history.schema.striping["overlap_deg"] * self._chance.choice([0.31357, 0.87641])
        return f"scisql_angSep({ra}, {dec}, {ra2}, {dec2}) < {limit!r}", f"{apart(ra, dec, ra2, dec2)} < {limit!r}"

    def _area(self, columns: str) -> tuple[str, str]:
        places = [tuple(pair.split()) for pair in columns.split(", ")]
        star = self._chance.choice(self._history.rows("Star"))
        ra, dec = float(star[1] or 0) % 360.0, float(star[2] or 0)
        if self._chance.random() < 0.5:
            radius = self._chance.choice([0.2143, 3.117, 47.93])
            inside = [f"{apart(x, y, repr(ra), repr(dec))} <= {radius!r}" for x, y in places]
            return f"qserv_areaspec_circle({ra!r}, {dec!r}, {radius!r})", f"({' AND '.join(inside)})"
        west, east = self._chance.choice([(ra - 10.037, ra + 9.173), (ra - 0.113, ra + 0.217), (170.0, 350.0)])
        west, east, south, north = west % 360.0, east % 360.0, max(dec - 7.31, -90.0), min(dec + 0.0127, 90.0)
        inside = [in_box(x, y, west, east, south, north) for x, y in places]
        return f"qserv_areaspec_box({west!r}, {south!r}, {east!r}, {north!r})", f"({' AND '.join(inside)})"


def in_box(ra: str, dec: str, west: float, east: float, south: float, north: float) -> str:
    reduced = f"({ra} - 360e0 * FLOOR({ra} / 360e0))"
    inside = f"{reduced} >= {west:.17e} {'AND' if west <= east else 'OR'} {reduced} <= {east:.17e}"
    return f"({inside}) AND {dec} BETWEEN {south:.17e} AND {north:.17e}"


def apart(ra: str, dec: str, ra2: str, dec2: str) -> str:
    """The separation in degrees by the chord, for a plain server."""
    x, y, z = (
        f"POW(COS(RADIANS({dec})) * {f}(RADIANS({ra})) - COS(RADIANS({dec2})) * {f}(RADIANS({ra2})), 2)"
        if f
        else f"POW(SIN(RADIANS({dec})) - SIN(RADIANS({dec2})), 2)"
        for f in ("COS", "SIN", "")
    )
    return f"DEGREES(2 * ASIN(LEAST(1, SQRT({x} + {y} + {z}) / 2)))"


def _known(history: History, table: str) -> list[int]:
    return [int(row[0] or 0) for row in history.rows(table)]
