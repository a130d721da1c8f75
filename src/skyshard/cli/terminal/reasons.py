"""Columns that something is not done for, by reason, in one line."""

from __future__ import annotations

from collections.abc import Mapping

MOST = 3
"""Columns of one reason that are named."""


def reasons(columns: Mapping[str, str]) -> str:
    """Column → why, as a line.

    >>> reasons({"a": "BLOB", "b": "not asked for", "c": "BLOB"})
    'a, c: BLOB; b: not asked for'
    """
    named: dict[str, list[str]] = {}
    for name, why in columns.items():
        named.setdefault(why, []).append(name)
    return "; ".join(
        f"{', '.join(names[:MOST])}{f' and {len(names) - MOST} more' * (len(names) > MOST)}: {why}"
        for why, names in named.items()
    )
