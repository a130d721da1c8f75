"""Conversions of many columns in a few lines: by what is done, with the number of columns and some of them. No I/O.

>>> nulled = {f"{band}_flux: NaN or infinity → NULL": 7 for band in "grizy"}
>>> folded(nulled | {"ra: x 57.2958": 9})
['NaN or infinity → NULL: 5 columns, 35 values, such as g_flux, r_flux, i_flux', 'ra: x 57.2958 (9 values)']
"""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES = 3
"""Columns that a line names."""
_RENAMED = "from a column of another name"
_DERIVED = "= an expression"


def folded(conversions: Mapping[str, int], *, is_whole: bool = False) -> list[str]:
    """One line for each kind of conversion, in the order in which they first come; 0 values are not counted.

    Args:
        is_whole: one line for each column.
    """
    kinds: dict[str, list[tuple[str, str, int]]] = {}
    for text, count in conversions.items():
        kind, column = (text, "") if is_whole else _kind(text)
        kinds.setdefault(kind, []).append((column, text, count))
    return [_line(kind, found) for kind, found in kinds.items()]


def _line(kind: str, found: list[tuple[str, str, int]]) -> str:
    values = sum(count for _, _, count in found)
    if len(found) == 1:
        return found[0][1] + (f" ({values} values)" if values else "")
    counted = f", {values} values" if values else ""
    return f"{kind}: {len(found)} columns{counted}, such as {', '.join(column for column, _, _ in found[:EXAMPLES])}"


def _kind(text: str) -> tuple[str, str]:
    """What is done, and the column as an example shows it; a text that names no column is a kind of its own."""
    column, colon, what = text.partition(": ")
    if not colon or " " in column:
        name, equals, _ = text.partition(" = ")
        return (_DERIVED, text) if equals and " " not in name else (text, "")
    if what.startswith("= "):
        return _DERIVED, f"{column} {what}"
    if what.startswith("from "):
        source, comma, rest = what.removeprefix("from ").partition(", ")
        return _RENAMED + comma + rest, f"{column} from {source}"
    return what, column
