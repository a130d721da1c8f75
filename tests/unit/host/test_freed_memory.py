"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes

import pyarrow as pa
from tests.support.freed import freed_in_pieces, resident_bytes

from skyshard.host.freed_memory import give_back_memory

SIZE = 64 << 20


def test_freed_memory_between_what_is_in_use_is_given_back() -> None:
    """A process is as large as before."""
    with freed_in_pieces(SIZE):
        before = resident_bytes()
        give_back_memory()
        assert resident_bytes() < before - SIZE // 2


def test_garbage_that_holds_itself_is_given_back() -> None:
    """However few objects it has."""
    held: list[object] = [b"x" * SIZE]
    held.append(held)
    before = resident_bytes()
    del held
    give_back_memory()
    assert resident_bytes() < before - SIZE // 2


def test_freed_memory_of_arrow_is_given_back() -> None:
    """It keeps what it was given, of whatever size."""
    buffers = [pa.allocate_buffer(300_000) for _ in range(SIZE // 300_000)]
    for buffer in buffers:
        ctypes.memset(buffer.address, 1, buffer.size)
    before = resident_bytes()
    del buffer, buffers
    give_back_memory()
    assert resident_bytes() < before - SIZE // 2
