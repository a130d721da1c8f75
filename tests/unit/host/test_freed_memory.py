"""Freed memory goes back to the system."""

from __future__ import annotations

from tests.support.freed import freed_in_pieces, resident_bytes

from skyshard.host.freed_memory import give_back_freed

SIZE = 64 << 20


def test_freed_memory_between_what_is_in_use_is_given_back() -> None:
    """A process is as large as before."""
    with freed_in_pieces(SIZE):
        before = resident_bytes()
        give_back_freed()
        assert resident_bytes() < before - SIZE // 2
