"""Damages data files of MyISAM tables as disks and accidents do. Files only; the caller has the server look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path


def swap_values(data: Path) -> None:
    """Exchange two bytes that differ: every sum over bytes stays the same."""
    content = bytearray(data.read_bytes())
    first = len(content) // 3
    second = next((at for at in range(first + 1, len(content)) if content[at] != content[first]), first)
    content[first], content[second] = content[second], content[first]
    data.write_bytes(content)


def tear(data: Path) -> None:
    """Lose the last third, in the middle of a record: a file that ends with one might be taken for a whole one."""
    records = _records(data)
    length = data.stat().st_size // records
    with data.open("r+b") as file:
        file.truncate(records * 2 // 3 * length + length // 2)


def make_older(data: Path) -> None:
    """Of whole records, all are as the first one is: rows of another time."""
    records = _records(data)
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // records] * records)


def _records(data: Path) -> int:
    """How many records a data file has, as the head of its index says."""
    return int.from_bytes(data.with_suffix(".MYI").read_bytes()[28:36], "big")


def put(damaged: Path, data: Path) -> None:
    """Have a data file be as its damaged copy, without a moment at which it is anything else but partly so."""
    if not damaged.exists():
        data.unlink()
        return
    content = damaged.read_bytes()
    with data.open("r+b") as file:
        file.truncate(len(content))
        file.write(content)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "torn": tear,
    "removed": Path.unlink,
    "swapped": swap_values,
    "older": make_older,
}
"""By the word that scenarios have for it."""
