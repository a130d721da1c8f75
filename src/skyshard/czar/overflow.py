"""The last guard: what a server had to cut when it stored or cast a value of ours.

Rules: the server's warnings are asked for only where a statement gave any. Those of the user's own casts, texts and
divisions are the user's; those that name a column of a scratch table, or come from a cast of ours, end the statement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skyshard.czar.typed import TypedColumn
from skyshard.db.connection import Connection
from skyshard.errors import Refusal
from skyshard.rowimage.sqltype import MOST_DIGITS

OUT_OF_RANGE = 1264
_NAMED = re.compile(r"column '(?:[^']*`?\.)?`?(\w+)`?' at row")
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


def require_unclipped(columns: Sequence[TypedColumn], connection: Connection, *, is_stored: bool) -> None:
    """Look at the warnings of a statement that computes these columns; ``is_stored``: into a table of them.

    A DECIMAL that declares less than the most digits has spare ones in the table; one server cuts it where it groups.

    Raises:
        Refusal: a number had more digits than we gave it.
    """
    if not connection.warned:
        return
    ours = {column.name for column in columns if _may_be_cut(column, is_stored=is_stored)}
    is_strict = any(column.is_exact and column.is_vague for column in columns)
    if ours or is_strict:
        found = [text for _, code, text in connection.warnings() if code == OUT_OF_RANGE]
        words = [text for text in found if (is_strict and _INSIDE in text) or _column_of(text) in ours]
        if words:
            raise _refusal(words)


def _may_be_cut(column: TypedColumn, *, is_stored: bool) -> bool:
    if column.type.base == "decimal":
        return not column.is_spelled and column.is_loose and column.digits[0] >= MOST_DIGITS
    return is_stored


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
