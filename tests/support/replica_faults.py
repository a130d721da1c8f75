"""Damages one table of a node as disks and accidents do: the server has closed it, and opens what is there then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from skyshard.db.connection import Account, connect, quote_name
from skyshard.scenarios.faults.damage import make_older, swap_values, tear
from skyshard.testbed import Testbed


def damage(testbed: Testbed, node: str, database: str, table: str, kind: str) -> None:
    """Have a fault of a kind (``FAULTS``) in a table of a node."""
    with connect(testbed.cluster.endpoint(node), Account.ADMIN, database) as connection:
        connection.execute(f"FLUSH TABLES {quote_name(table)}")
        FAULTS[kind](testbed.cluster.data_dir(node) / database / f"{table}.MYD")
        connection.execute("FLUSH TABLES")


def _lose_records(data: Path) -> None:
    """Lose whole records at the end: the file is one that a server may have written earlier."""
    records = int.from_bytes(data.with_suffix(".MYI").read_bytes()[28:36], "big")
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size // records * (records - 1))


def _other_index(data: Path) -> None:
    """An index whose keys are not those of the rows: its key pages are overwritten."""
    index = data.with_suffix(".MYI")
    content = bytearray(index.read_bytes())
    content[1024:] = content[1024:][::-1]
    index.write_bytes(content)


def _remove(*endings: str) -> Callable[[Path], None]:
    def remove(data: Path) -> None:
        for ending in endings:
            data.with_suffix(ending).unlink()

    return remove


def _empty_index(data: Path) -> None:
    data.with_suffix(".MYI").write_bytes(b"")


FAULTS: Mapping[str, Callable[[Path], None]] = {
    "no table": _remove(".MYD", ".MYI", ".frm"),
    "no data": _remove(".MYD"),
    "no index": _remove(".MYI"),
    "no definition": _remove(".frm"),
    "torn": tear,
    "short": _lose_records,
    "swapped": swap_values,
    "stale": make_older,
    "other index": _other_index,
    "empty index": _empty_index,
}
