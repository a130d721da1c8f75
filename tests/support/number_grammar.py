"""Draws typed expressions over the odd sky: numbers whose digits MariaDB declares too few, or has no more room for.

A statement depends only on the chance that it is drawn with. No floats: their sums hang on the order of the rows.
"""

# ruff: noqa: E501  (templates read better whole)

from __future__ import annotations

import re
from random import Random

COLUMNS = ("u", "v", "i", "w", "tiny", "bits", "yr", "id", "fine", "price", "big", "fine", "price")
CONSTANTS = ("0", "1", "3", "7", "-3", "1000", "1.5", "0.001", "99.99")
TIMES = ("tm", "dt", "dy")
NUMBERS = (
    "({n} + {n})", "({n} - {n})", "({n} * {n})", "({n} / {n})", "({n} / {n})", "({n} DIV {n})", "({n} % {n})",
    "ROUND({n}, {k})", "TRUNCATE({n}, {k})", "ROUND({n}, tiny)", "CEIL({n})", "FLOOR({n})", "ABS({n})", "SIGN({n})",
    "-({n})", "~({n})", "BIT_COUNT({n})", "({n} << {n})", "({n} >> 1)", "({n} | {n})", "({n} & {n})",
    "GREATEST({n}, {n})", "LEAST({n}, {n})", "COALESCE({n}, {n})", "NULLIF({n}, {n})", "IF({n} > {n}, {n}, {n})",
    "CASE WHEN {n} > 0 THEN {n} ELSE {n} END", "CAST({n} AS DECIMAL(5,2))", "CAST({n} AS DECIMAL(65,30))",
    "CAST({n} AS SIGNED)", "CAST({n} AS UNSIGNED)", "HOUR({t})", "MONTH({t})", "YEAR({t})", "SECOND({t})", "TO_DAYS({t})",
    "DAYOFYEAR({t})", "TIME_TO_SEC({t})", "EXTRACT(DAY_SECOND FROM {t})", "({t} + 0)", "LENGTH({n})", "CRC32({n})",
    "({n} < {n})", "FIELD({n}, {n}, {n})",
)  # fmt: skip
OTHERS = (
    "FORMAT({n}, {k})", "SEC_TO_TIME({n})", "HEX({n})", "({t} + INTERVAL {n} HOUR)", "({t} - INTERVAL 1.5 SECOND)",
    "ADDTIME(tm, '800:00:00')", "TIMEDIFF(tm, '-800:00:00')", "MAKETIME(tiny, 1, {n})", "CAST({t} AS DATETIME(2))",
    "GREATEST({t}, {n})", "IF(tiny, {t}, {n})", "CONCAT({n}, {n})", "CAST({n} AS CHAR)",
)  # fmt: skip
STATEMENTS = (
    "SELECT {a} a, {a} b FROM Odd", "SELECT {a} a FROM Odd", "SELECT id, {n} x FROM Odd", "SELECT id, {o} x FROM Odd",
    "! SELECT id, {n} x FROM Odd ORDER BY x, id LIMIT 9", "! SELECT id, {o} x FROM Odd ORDER BY x DESC, id",
    "SELECT tiny, {a} a FROM Odd GROUP BY tiny", "! SELECT tiny, {a} a FROM Odd GROUP BY tiny ORDER BY a, tiny",
    "SELECT {n} x FROM Odd UNION ALL SELECT {n} FROM Odd", "SELECT DISTINCT {n} x FROM Odd",
    "SELECT id, MAX({n}) OVER (PARTITION BY tiny) FROM Odd", "SELECT AVG(x), MAX(x) FROM (SELECT {n} x FROM Odd) t",
)  # fmt: skip
AGGREGATES = ("MIN({n})", "MAX({n})", "SUM({n})", "AVG({n})", "BIT_OR({n})", "SUM(DISTINCT {n})", "MAX({n}) * 1.5")
HOLE = re.compile(r"\{(\w)\}")


def statement(chance: Random) -> tuple[str, bool]:
    """A statement, and whether the order of its rows is total."""
    text = _filled(chance.choice(STATEMENTS), chance, 0)
    return text.removeprefix("! "), text.startswith("! ")


def _filled(template: str, chance: Random, depth: int) -> str:
    return HOLE.sub(lambda match: _drawn(match.group(1), chance, depth), template)


def _drawn(kind: str, chance: Random, depth: int) -> str:
    if kind == "t":
        return chance.choice(TIMES)
    if kind == "k":
        return chance.choice(("-3", "-1", "0", "2", "5", "40"))
    if kind == "n" and (depth > 2 or chance.random() < 0.35):
        return chance.choice(COLUMNS + CONSTANTS)
    return _filled(chance.choice({"a": AGGREGATES, "n": NUMBERS, "o": OTHERS}[kind]), chance, depth + (kind == "n"))
