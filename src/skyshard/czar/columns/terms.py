"""Parts of expressions as the engine computes them: text, kind, and for whole numbers between which values they are.

Rules: a term stands for exactly the values and NULLs of MariaDB's expression. No I/O.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from skyshard.czar.columns.column_way import quoted
from skyshard.rowimage.sqltype import SqlType, TypeClass

SMALLEST, LARGEST, LARGEST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
LARGEST_DOUBLE = 1.7e308
LARGEST_FLOAT, LEAST_FLOAT = 3.5e38, 1.4e-45
"""Rounded: no DOUBLE up to the first overflows, no FLOAT is beyond the second, or but 0 nearer to it than the third."""
EXACT_AS_DOUBLE = 2**53
"""Up to this each whole number is a DOUBLE."""
MOST_DIGITS = 38
"""Of the engine's DECIMALs."""
_ENGINE_INTEGERS = {"tinyint": "TINYINT", "smallint": "SMALLINT", "mediumint": "INTEGER", "int": "INTEGER",
                    "bigint": "BIGINT"}  # fmt: skip
_WHOLE, _POINT, _POWER = re.compile(r"\d+"), re.compile(r"\d*\.\d*"), re.compile(r"[\d.]+e[+-]?\d+", re.IGNORECASE)


class NotProven(Exception):
    """No proof that columns give MariaDB's answer: what stands in the way, in words."""


class Kind(StrEnum):
    """How MariaDB computes with a term."""

    TRUTH = "truth"
    """0, 1 or NULL, a BOOLEAN of the engine."""
    WHOLE = "whole number"
    DECIMAL = "DECIMAL"
    DOUBLE = "DOUBLE"
    FLOAT = "FLOAT"
    """A column as it is stored, which is computed with as a DOUBLE."""
    OTHER = "other"
    """A column of which only NULL is asked."""


@dataclass(frozen=True, slots=True)
class Term:
    """``text`` is the engine's. A WHOLE is in [``low``, ``high``]; ``is_unsigned``: MariaDB may take it for UNSIGNED.

    ``engine_type`` is that of a column. ``value``: of a constant. ``digits``, ``scale``: of a DECIMAL. ``least``: no
    value but 0 is nearer to 0; ``most``: none of a DOUBLE or FLOAT is further from it.
    """

    text: str
    kind: Kind
    low: int = 0
    high: int = 0
    is_unsigned: bool = False
    engine_type: str = ""
    value: int | Decimal | float | None = None
    digits: int = 0
    scale: int = 0
    least: float = 0.0
    most: float = math.inf

    @property
    def greatest(self) -> float:
        """No value of it is further from 0."""
        return float(max(abs(self.low), abs(self.high))) if self.is_whole else self.most

    @property
    def is_whole(self) -> bool:
        return self.kind is Kind.WHOLE

    @property
    def is_real(self) -> bool:
        return self.kind in (Kind.DOUBLE, Kind.FLOAT)


def column_term(table: str, name: str, kind: SqlType) -> Term:
    """A column of a table of the engine.

    Raises:
        NotProven: the engine cannot read it.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> one = column_term("t0", "n", parse_type("smallint unsigned"))
    >>> one.text, one.engine_type, one.low, one.high
    ('t0."n"', 'USMALLINT', 0, 65535)
    """
    text = f"{table}.{quoted(name)}"
    if kind.type_class is TypeClass.INTEGER and "zerofill" not in kind.text:
        low, high = kind.integer_range()
        engine_type = "U" * kind.is_unsigned + _ENGINE_INTEGERS[kind.base]
        return Term(text, Kind.WHOLE, low, high, kind.is_unsigned, engine_type, least=1.0)
    if kind.type_class is TypeClass.FLOATING and len(kind.arguments) < 2:
        if kind.base == "double":
            return Term(text, Kind.DOUBLE)
        return Term(text, Kind.FLOAT, least=LEAST_FLOAT, most=LARGEST_FLOAT)
    digits, scale = (*kind.arguments, 0, 0)[:2] if kind.arguments else (10, 0)
    if kind.type_class is TypeClass.DECIMAL and digits > MOST_DIGITS:
        raise NotProven("a DECIMAL of so many digits")
    if kind.type_class is TypeClass.DECIMAL and digits > 0 and not kind.is_unsigned:
        return Term(text, Kind.DECIMAL, digits=digits, scale=scale)
    return Term(text, Kind.OTHER)


def whole(value: int) -> Term:
    return Term(str(value), Kind.WHOLE, value, value, value > LARGEST, value=value, least=float(abs(value)))


def literal_term(text: str) -> Term:
    """A number as a statement spells it.

    Raises:
        NotProven: of more digits than the engine has.

    >>> [(one.kind.value, one.text) for one in map(literal_term, ("7", "1.50", "1e3"))]
    [('whole number', '7'), ('DECIMAL', '1.50'), ('DOUBLE', '1000.0e0')]
    """
    if _WHOLE.fullmatch(text) and int(text) <= LARGEST_UNSIGNED:
        return whole(int(text))
    if _POINT.fullmatch(text) and text != ".":
        return decimal(Decimal(text))
    if _POWER.fullmatch(text):
        return double(float(text))
    raise NotProven("a number of so many digits")


def decimal(value: Decimal) -> Term:
    _, digits, exponent = value.as_tuple()
    scale = -int(exponent)
    if max(len(digits), scale) > MOST_DIGITS // 2:
        raise NotProven("a number of so many digits")
    size, most_digits = float(abs(value)), max(len(digits), scale)
    text = format(value, "f")
    return Term(text, Kind.DECIMAL, value=value, digits=most_digits, scale=scale, least=size, most=size)


def double(value: float) -> Term:
    text = repr(value)
    text = text if "e" in text else f"{text}e0"
    return Term(text, Kind.DOUBLE, value=value, least=abs(value), most=abs(value))


def as_double(term: Term) -> str:
    """The text of a number as a DOUBLE.

    Raises:
        NotProven: a DECIMAL column, which the engine may round otherwise.
    """
    if term.kind is Kind.DOUBLE:
        return term.text
    if term.value is not None:
        return double(float(term.value)).text
    if term.kind in (Kind.FLOAT, Kind.WHOLE):
        return f"CAST({term.text} AS DOUBLE)"
    raise NotProven("a DECIMAL that becomes a DOUBLE")


def as_number(term: Term) -> Term:
    """The same; a truth as 0 and 1.

    Raises:
        NotProven: it is none.
    """
    if term.kind is Kind.OTHER:
        raise NotProven("a column that is no number")
    if term.kind is Kind.TRUTH:
        return Term(f"CAST({term.text} AS INTEGER)", Kind.WHOLE, 0, 1, least=1.0)
    return term


def alike(terms: Sequence[Term]) -> list[str]:
    """Texts of numbers in the one type in which MariaDB compares them, or in one that orders them in the same way.

    DOUBLE if one of them is, else DECIMAL if one is, else whole numbers, signed and unsigned by their values.

    Raises:
        NotProven: there is no such type of the engine.
    """
    if any(term.is_real for term in terms):
        _require_exact(terms)
        return [as_double(term) for term in terms]
    if any(term.kind is Kind.DECIMAL for term in terms):
        return _as_decimals(terms)
    return _as_whole(terms)


def _require_exact(terms: Sequence[Term]) -> None:
    """MariaDB may compare a BIGINT with a DOUBLE constant as whole numbers: alike where the constant is small."""
    has_constant = any(term.value is not None and abs(float(term.value)) >= EXACT_AS_DOUBLE for term in terms)
    if has_constant and any(term.is_whole and _is_large(term) for term in terms):
        raise NotProven("a BIGINT compared with a large DOUBLE")


def _is_large(term: Term) -> bool:
    return term.low < -EXACT_AS_DOUBLE or term.high > EXACT_AS_DOUBLE


def _as_decimals(terms: Sequence[Term]) -> list[str]:
    scale = max(term.scale for term in terms)
    before = max(
        len(str(max(abs(term.low), term.high))) if term.is_whole else term.digits - term.scale for term in terms
    )
    if before + scale > MOST_DIGITS:
        raise NotProven("DECIMALs of so many digits")
    return [f"CAST({term.text} AS DECIMAL({MOST_DIGITS},{scale}))" for term in terms]


def _as_whole(terms: Sequence[Term]) -> list[str]:
    kinds = {term.engine_type for term in terms if term.value is None}
    low, high = min(term.low for term in terms), max(term.high for term in terms)
    kind = kinds.pop() if len(kinds) == 1 else ""
    if not kind or not _fits(kind, low, high):
        kind = "BIGINT" if low >= SMALLEST and high <= LARGEST else "HUGEINT"
    return [term.text if term.engine_type == kind else f"CAST({term.text} AS {kind})" for term in terms]


def _fits(kind: str, low: int, high: int) -> bool:
    bits = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}[kind.removeprefix("U")]
    least, most = (0, 2**bits - 1) if kind.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return least <= low and high <= most
