"""Row images as they come: from a data file of this host, or as bytes that a session has carried, in memory or, where
they are many, in a file without a name. Blocks of records.

Rules: a block holds whole records and is of bounded size; a file that ends too early is an error, never fewer rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from skyshard.basics.errors import ClusterError

BLOCK_BYTES = 2 << 20
"""So much of a data file is in memory at a time, and becomes one batch; several wait for a reader that is slow."""
Block = Any
"""Bytes of records: whatever numpy takes for a buffer."""


class RowImages(Protocol):
    """Rows, wherever they are; ``done`` is a table that may be dropped when they are read."""

    @property
    def rows(self) -> int: ...

    @property
    def done(self) -> str: ...

    def blocks(self, record_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """The bytes of the rows.

        Raises:
            ClusterError: there are fewer, or they cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows in a data file, from byte ``offset`` on; ``done`` is a table that may be dropped when they are read."""

    path: Path
    offset: int
    rows: int
    done: str = ""

    def blocks(self, record_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """The bytes of the rows.

        Raises:
            ClusterError: the file ends before.
        """
        step = max(1, block_bytes // record_bytes) * record_bytes
        with self.path.open("rb") as file:
            file.seek(self.offset)
            yield from _blocks(file, str(self.path), self.rows * record_bytes, step)


@dataclass(frozen=True, slots=True)
class CarriedRows:
    """Rows that are here already, in pieces of whole records."""

    pieces: Sequence[bytes]
    rows: int
    done: str = ""

    def blocks(self, record_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """The bytes of the rows, in the pieces in which they came."""
        yield from self.pieces


@dataclass(frozen=True, slots=True)
class SpilledRows:
    """Rows that are here already, in a file that has no name; whoever made it closes it."""

    file: BinaryIO
    rows: int
    done: str = ""

    @staticmethod
    def of(pieces: Iterable[bytes], rows: int, folder: Path, done: str = "") -> SpilledRows:
        """Write pieces of whole records to a disk of this host. Raises what the pieces raise, and OSError."""
        file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115  (it is closed with the rows)
        try:
            for piece in pieces:
                file.write(piece)
            file.flush()
        except BaseException:
            file.close()
            raise
        return SpilledRows(file, rows, done)

    def blocks(self, record_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """The bytes of the rows.

        Raises:
            ClusterError: the file ends before.
        """
        self.file.seek(0)
        step = max(1, block_bytes // record_bytes) * record_bytes
        yield from _blocks(self.file, "of carried rows", self.rows * record_bytes, step)


def _blocks(file: BinaryIO, what: str, left: int, step: int) -> Iterator[Block]:
    rows_bytes = left
    while left:
        block = np.fromfile(file, np.uint8, count=min(step, left))
        if len(block) != min(step, left):
            lost = left - len(block)
            raise ClusterError(f"data file '{what}' ends {lost:,} of {rows_bytes:,} bytes too early", retryable=True)
        yield block
        left -= len(block)
