"""Detects values that a server cut when it stored or cast them for the czar.

Rules: the server's warnings are read only where a statement gave any. Those of the user's own casts, texts and
divisions are ignored; those that name a column of a scratch table, or come from a cast that the czar added, end the
statement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Context, Decimal
from functools import reduce

from skyshard.basics.errors import Refusal
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.db.connection import Connection, Row
from skyshard.rowimage.sqltype import MOST_DIGITS

OUT_OF_RANGE = 1264
_NAMED = re.compile(r"column '(?:[^']*`?\.)?`?(\w+)`?' at row")
_ROOMY = Context(prec=120)
_INSIDE = "'(null)'"
"""What the server calls a cast within an aggregate."""


def require_all_stored(connection: Connection, *, is_cut: bool) -> None:
    """Look at the last INSERT of plain values; ``is_cut``: one server cuts DECIMALs there, too.

    Raises:
        Refusal: it has cut one of them.
    """
    if connection.warned and not is_cut:
        found = connection.warnings()
        words = [text for level, _, text in found if level != "Note"]
        if words or len(found) < connection.warned:
            raise _refusal(words)


class DigitCount:
    """Adds up partial results that one server keeps in a temporary table, and cuts there silently: ``DECIMAL(65)``."""

    def __init__(self, columns: Sequence[TypedColumn]) -> None:
        self._longest = [(place, one) for place, one in enumerate(columns) if is_longest(one)]
        self._totals = dict.fromkeys(range(len(columns)), Decimal(0))

    def add(self, rows: Sequence[Row]) -> None:
        """Raises:
        Refusal: they may add up to more digits, and then to anything, by their order.
        """
        for place, column in self._longest:
            values = [Decimal(row[place]).copy_abs() for row in rows if row[place] is not None]
            self._totals[place] = reduce(_ROOMY.add, values, self._totals[place])
            if self._totals[place] >= Decimal((0, (9,) * MOST_DIGITS, -column.digits[1])):
                raise _refusal([f"column {column.name} with more than {MOST_DIGITS} digits"])


def is_longest(column: TypedColumn) -> bool:
    """True for a DECIMAL that declares all digits there are, and may want more."""
    return column.type.base == "decimal" and column.digits[0] >= MOST_DIGITS


def require_unclipped(columns: Sequence[TypedColumn], connection: Connection, *, is_stored: bool) -> None:
    """Look at the warnings of a statement that computes these columns; ``is_stored``: into a table of them.

    DECIMALs have more digits in such a table than they need, or are texts there.

    Raises:
        Refusal: a value did not fit.
    """
    if not connection.warned:
        return
    stored = {one.name for one in columns if is_stored and one.type.base != "decimal"}
    is_strict = any(one.is_exact and one.is_vague for one in columns)
    if stored or is_strict:
        found = [text for _, code, text in connection.warnings() if code == OUT_OF_RANGE]
        words = [text for text in found if (is_strict and _INSIDE in text) or _column_of(text) in stored]
        if words:
            raise _refusal(words)


def _column_of(text: str) -> str:
    named = _NAMED.search(text)
    return named.group(1) if named is not None else ""


def _refusal(words: Sequence[str]) -> Refusal:
    seen = words[0] if words else "so many warnings that they cannot be told"
    return Refusal(
        "too-many-digits",
        f"a partial result does not fit into the table that it is brought to: {seen}",
        remedy="compute it as DOUBLE, CAST(... AS DOUBLE), or restrict the rows",
    )
