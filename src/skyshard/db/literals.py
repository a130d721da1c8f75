"""Rows of Python values as the text of an INSERT, as far as that needs no driver: numbers, NULL, plain words, letters
beyond latin1.

No I/O. Other text that latin1 holds is left to the driver's arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skyshard.db.charsets import LATIN1


def row_literals(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """What follows VALUES, and the arguments of its ``%s``.

    >>> row_literals([(1, 0.5, None, "a"), (2, 1e99, "α", b"x")])
    ("(1,0.5e0,NULL,'a'),(2,1e+99,_utf8mb4 X'ceb1',%s)", [b'x'])
    """
    plain, others = [], []
    for row in rows:
        parts = [_PLAIN.get(type(value), _other)(value) for value in row]
        plain.append(f"({','.join(parts)})")
        others += [value for value, part in zip(row, parts, strict=True) if part == "%s"]
    return ",".join(plain), others


def _double(value: float) -> str:
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _text(value: str) -> str:
    if value.isascii() and value.isalnum():
        return f"'{value}'"
    try:
        value.encode(LATIN1)
    except UnicodeEncodeError:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    return "%s"


def _other(value: object) -> str:
    return "%s"


_PLAIN: dict[type, Callable[[Any], str]] = {int: str, float: _double, type(None): lambda _: "NULL", str: _text}
"""Literals of Python values that need no escaping."""
