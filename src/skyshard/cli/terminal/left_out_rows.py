"""Rows of the input that a table did not take, as a person reads it. No I/O.

>>> left_out_lines({"where": 12, "duplicates": 3}, "")
['12 rows left out: where is not true of them', '3 rows left out: an earlier row has their key']
"""

from __future__ import annotations

from collections.abc import Mapping

_WHY = {
    "where": "where is not true of them",
    "bad_positions": "no position on the sphere",
    "duplicates": "an earlier row has their key",
    "orphans": "their director is unknown",
}


def left_out_lines(left_out: Mapping[str, int], quarantine: str) -> list[str]:
    """A line for each policy that left rows out; the one on positions says where the rows are kept."""
    lines = []
    for policy, rows in left_out.items():
        kept = f"; they are in '{quarantine}'" if quarantine and policy == "bad_positions" else ""
        lines.append(f"{rows} rows left out: {_WHY.get(policy, policy)}{kept}")
    return lines
