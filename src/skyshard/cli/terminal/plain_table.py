"""Small tables and blocks of ASCII text, drawn here: Rich draws all, but takes longer to import than a query takes.

Rules: what is drawn is what Rich draws of the same rows, without a style; a test compares them.
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
    is_narrow = sum(widths) + 3 * len(widths) + 1 <= _screen_width()
    if not is_narrow or not _has_boxes() or not _are_ascii(names, rows):
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


def plain_blocks(names: Sequence[str], rows: Sequence[Sequence[str]], *, least: int) -> str:
    """The lines of one block a row; empty if there are no rows, or it is for Rich: tables, cells to fold, wide letters.

    Args:
        least: characters to which a table's columns may be folded.

    >>> print(plain_blocks(["n", "name"], [["1".ljust(70, "0"), "x" * 70]], least=80))
    row 1
    n     1000000000000000000000000000000000000000000000000000000000000000000000
    name  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    """
    if not rows or not _are_ascii(names, rows):
        return ""
    folded = [min(least, max(map(len, column))) for column in zip(names, *rows, strict=True)]
    screen, head = _screen_width(), max(map(len, names))
    is_table = sum(folded) + 3 * len(names) + 1 <= screen
    if is_table or head > screen // 2 or head + 2 + max(len(cell) for row in rows for cell in row) > screen:
        return ""
    lines = []
    for number, row in enumerate(rows, 1):
        width = max(map(len, row))
        lines.append(f"row {number}")
        lines += [f"{name:<{head}}  {cell:<{width}}" for name, cell in zip(names, row, strict=True)]
    return "\n".join(lines)


def _screen_width() -> int:
    return shutil.get_terminal_size((80, 25)).columns


def _are_ascii(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    return all(cell.isascii() for line in (names, *rows) for cell in line)


def _has_boxes() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def _edge(widths: Sequence[int], letters: str) -> str:
    left, dash, between, right = tuple(letters)
    return left + between.join(dash * (width + 2) for width in widths) + right


def _line(widths: Sequence[int], cells: Sequence[str], edge: str) -> str:
    padded = (f" {cell:<{width}} " for cell, width in zip(cells, widths, strict=True))
    return edge + edge.join(padded) + edge
