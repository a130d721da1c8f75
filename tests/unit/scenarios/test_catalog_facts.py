"""What a trial keeps of its catalog."""

from __future__ import annotations

from pathlib import Path

from tests.support.four_chunks import CHUNKS, Source

from skyshard.scenarios.catalog_facts import how_made, sky_map


def test_a_sky_map_adds_up_the_chunked_tables() -> None:
    """Rows of all of them without overlap, one entry a chunk in order, regular tables left out."""
    catalog = Source().catalog("sky")
    found = sky_map(catalog)
    chunked = [table for table in catalog.tables.values() if table.chunks]
    assert found.chunk_ids.tolist() == sorted(CHUNKS)
    assert found.rows.tolist() == [100 * len(chunked)] * len(CHUNKS)
    assert list(found.nodes) == [("a",), ("a",), ("b",), ("b",)]
    assert (found.dec_min < found.dec_max).all()


def test_a_catalog_that_was_not_made_here_has_no_recipe(tmp_path: Path) -> None:
    """A folder without a manifest, or one that is gone, says nothing."""
    assert how_made(tmp_path, Source().catalog("sky")) == {}
    assert how_made(tmp_path / "gone", Source().catalog("sky")) == {}
