"""Answers on a terminal: a table if it fits, else one block per row, so that every value can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skyshard.cli.terminal.plain_table import plain_blocks, plain_table

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table
    from rich.console import Console

    from skyshard.czar.result.answer import Answer, QueryStats, ReadyAnswer

LEAST_CHARACTERS = 20
"""The least width of a table's column, in characters, unless its longest value is shorter."""
BLOCK_LINES = 2000
"""About how many lines all blocks take, however many columns there are."""


def head_of(answer: Answer | ReadyAnswer) -> Table:
    """The first rows of an answer, which is read to its end: a table for a terminal says how many there are."""
    import pyarrow as pa

    from skyshard.czar.result.output import SHOWN_ROWS

    head: list[RecordBatch] = []
    for batch in answer.batches:
        missing = SHOWN_ROWS - sum(one.num_rows for one in head)
        if missing > 0:
            head.append(batch.slice(0, missing))
    return pa.Table.from_batches(head, answer.schema)


def show_answer(rows: Table, columns: Sequence[str], stats: QueryStats) -> None:
    """Print the first rows, as from :func:`head_of`, and a line of statistics."""
    from skyshard.czar.result.output import shown

    texts = shown(rows)
    names = [_printable(name) for name in columns]
    in_blocks = max(1, BLOCK_LINES // len(names))
    if drawn := plain_table(names, texts):
        print(drawn, _last_line(stats, len(texts)), sep="\n")
        return
    if drawn := plain_blocks(names, texts[:in_blocks], least=LEAST_CHARACTERS):
        print(drawn, _last_line(stats, min(len(texts), in_blocks)), sep="\n")
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if _fits(names, texts, console.width):
        _print_table(console, names, texts)
        count = len(texts)
    else:
        count = min(len(texts), in_blocks)
        _print_blocks(console, names, texts[:count])
    console.print(_last_line(stats, count), soft_wrap=True)


def _fits(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the columns fit into the width of a table."""
    from rich.cells import cell_len

    needed = [min(LEAST_CHARACTERS, max(map(cell_len, column))) for column in zip(names, *rows, strict=True)]
    return sum(needed) + 3 * len(names) + 1 <= width


def _print_table(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table as Lines

    table = Lines(header_style="")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_blocks(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row as lines of name and value; only the names if there are no rows."""
    from rich.table import Table as Lines

    if not rows:
        console.print(", ".join(names))
    for number, row in enumerate(rows, 1):
        console.print(f"row {number}")
        block = Lines(box=None, show_header=False, pad_edge=False)
        block.add_column(overflow="fold", max_width=max(1, console.width // 2))
        block.add_column(overflow="fold")
        for name, text in zip(names, row, strict=True):
            block.add_row(name, text)
        console.print(block)


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)


def _last_line(stats: QueryStats, shown: int) -> str:
    more = f"; the first {shown} are shown, --format csv gives all" if stats.rows > shown else ""
    chunks = f", {stats.chunks} of {stats.total_chunks} chunks" if stats.total_chunks else ""
    rows = "1 row" if stats.rows == 1 else f"{stats.rows:,} rows"
    return f"{rows} in {stats.elapsed_s:.3f} s ({stats.kind}{chunks}){more}"
