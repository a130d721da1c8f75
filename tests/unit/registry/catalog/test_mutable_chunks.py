"""Chunks and stores of mutable databases."""

from __future__ import annotations

from skyshard.registry.catalog.mutable_chunks import Visible, placed_entries


def test_a_placed_chunk_may_hold_rows() -> None:
    """Plans leave out chunks without rows, and nobody counts those of visits."""
    entries = placed_entries({8008: "node1", 6804: "node2"})
    assert entries.occupied == {6804, 8008}
    assert entries[8008].nodes == ("node1",)


def test_without_unfinished_stores_only_the_newest_is_a_limit() -> None:
    """Stores that begin later are not seen."""
    assert Visible(12).condition("storedBy") == "storedBy <= 12"
