"""Memory that was freed, and that a C library does not give back by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil

PIECE_BYTES = 100_000
"""Smaller than what comes from the system by itself."""


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


@contextlib.contextmanager
def freed_in_pieces(size: int) -> Iterator[None]:
    """So many bytes were in use, but for one piece in a hundred, which is in use until the end."""
    pieces = [b"x" * (PIECE_BYTES + number) for number in range(size // PIECE_BYTES)]
    held = pieces[::100]
    del pieces
    yield
    del held
