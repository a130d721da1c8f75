"""Small tables without Rich: drawn as Rich draws them, or left to it."""

from __future__ import annotations

import io
import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from skyshard.cli.terminal.answer_screen import _print_blocks
from skyshard.cli.terminal.plain_table import plain_blocks, plain_table

CELLS = st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=12)


LONG_CELLS = st.text(string.ascii_letters + string.digits + string.punctuation + " ", min_size=40, max_size=60)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[str] = CELLS, least: int = 1) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(least, 4))
    head = st.lists(CELLS, min_size=width, max_size=width)
    return draw(head), draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=4))


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


def drawn_by_rich(names: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80, markup=False, highlight=False, emoji=False)
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return out.getvalue().rstrip("\n")


@pytest.mark.usefixtures("_screen")
def test_a_small_table_is_what_rich_draws() -> None:
    """Every table of ASCII text that fits, also without rows, with empty cells and with spaces at their ends."""

    @given(tables())
    def compared(table: tuple[list[str], list[list[str]]]) -> None:
        names, rows = table
        assert plain_table(names, rows) == drawn_by_rich(names, rows)

    compared()


def blocks_by_rich(names: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    _print_blocks(Console(file=out, width=80, markup=False, highlight=False, emoji=False), names, rows)
    return out.getvalue().rstrip("\n")


@pytest.mark.usefixtures("_screen")
def test_blocks_are_what_rich_draws() -> None:
    """Every row of ASCII text that fits, where all columns beside each other do not."""

    @given(tables(LONG_CELLS, 2))
    def compared(table: tuple[list[str], list[list[str]]]) -> None:
        names, rows = table
        assert plain_blocks(names, rows, least=80) == (blocks_by_rich(names, rows) if rows else "")

    compared()


@pytest.mark.parametrize(
    ("names", "cells", "least"),
    [(["n"] * 9, ["x" * 80] * 9, 20), (["n" * 41], ["1"], 80), (["µ"], ["x" * 70], 80), (["n"], ["x" * 20], 20)],
)
def test_blocks_that_need_folding_and_tables_are_left_to_rich(names: list[str], cells: list[str], least: int) -> None:
    """Cells or names that are too wide, letters whose width is not one for sure, and what fits as a table."""
    assert plain_blocks(names, [cells], least=least) == ""


@pytest.mark.parametrize("cell", ["x" * 80, "µ", "天"])
def test_what_needs_folding_or_measuring_is_left_to_rich(cell: str) -> None:
    """Too wide for the screen, or letters whose width is not one for sure."""
    assert plain_table(["name"], [[cell]]) == ""


def test_a_screen_without_boxes_is_left_to_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich draws a table for it in ASCII."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert plain_table(["n"], [["1"]]) == ""
