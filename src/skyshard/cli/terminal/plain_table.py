"""A small table of ASCII text, drawn here: Rich draws every table, but takes longer to import than a query takes.

Rules: what is drawn is what Rich draws of the same table, without a style; a test compares them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def plain_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The lines of a table; empty if it is for Rich: letters that may be wide, cells to fold, a screen without boxes.

    >>> print(plain_table(["n", "ra"], [["1", "10.5"]]))
    ┏━━━┳━━━━━━┓
    ┃ n ┃ ra   ┃
    ┡━━━╇━━━━━━┩
    │ 1 │ 10.5 │
    └───┴──────┘
    """
    columns = list(zip(names, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    is_narrow = sum(widths) + 3 * len(widths) + 1 <= shutil.get_terminal_size((80, 25)).columns
    if not is_narrow or not _has_boxes() or not all(cell.isascii() for column in columns for cell in column):
        return ""
    return "\n".join(
        [
            _edge(widths, "┏━┳┓"),
            _line(widths, names, "┃"),
            _edge(widths, "┡━╇┩"),
            *(_line(widths, row, "│") for row in rows),
            _edge(widths, "└─┴┘"),
        ]
    )


def _has_boxes() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def _edge(widths: Sequence[int], letters: str) -> str:
    left, dash, between, right = tuple(letters)
    return left + between.join(dash * (width + 2) for width in widths) + right


def _line(widths: Sequence[int], cells: Sequence[str], edge: str) -> str:
    padded = (f" {cell:<{width}} " for cell, width in zip(cells, widths, strict=True))
    return edge + edge.join(padded) + edge
