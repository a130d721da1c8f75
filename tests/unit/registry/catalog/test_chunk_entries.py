"""The chunks of a table: one by one, many at once, and all of the sky."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries, ChunkEntry

counts = st.integers(0, 2**40)
suffixes = st.sampled_from(["", "_p3", "_g12"])
nodes = st.sets(st.sampled_from(["node1", "node2", "node10"])).map(lambda found: tuple(sorted(found)))
entry = st.builds(ChunkEntry, counts, counts, nodes, counts, suffixes, suffixes)
chunks = st.dictionaries(st.integers(-1, 50), entry)
ASKED = range(-2, 52)


@given(chunks)
def test_entries_are_a_mapping_of_what_they_were_made_of(entries: Mapping[int, ChunkEntry]) -> None:
    """Ascending; a number that is none of its chunks is not there."""
    made = ChunkEntries.of(entries)
    assert list(made.items()) == sorted(entries.items())
    assert [made.get(chunk) for chunk in ASKED] == [entries.get(chunk) for chunk in ASKED]
    assert [chunk in made for chunk in ASKED] == [chunk in entries for chunk in ASKED]


@given(chunks)
def test_many_chunks_at_once_are_those_one_by_one(entries: Mapping[int, ChunkEntry]) -> None:
    """Rows, overlap and nodes; a chunk that is not there has none."""
    made, nothing = ChunkEntries.of(entries), ChunkEntry(0, 0, ())
    asked = [*ASKED, *ASKED]
    assert made.rows_of(asked).tolist() == [entries.get(chunk, nothing).rows for chunk in asked]
    assert made.overlap_rows_of(asked).tolist() == [entries.get(chunk, nothing).overlap_rows for chunk in asked]
    assert made.nodes_of(asked) == [entries[chunk].nodes if chunk in entries else None for chunk in asked]
    assert made.occupied == {chunk for chunk, one in entries.items() if one.rows}


def test_entries_of_equal_chunks_are_equal() -> None:
    """So that plans made of two readings of one catalog are."""
    one, other = ({7: ChunkEntry(rows, 0, ("node1",))} for rows in (1, 2))
    assert ChunkEntries.of(one) == ChunkEntries.of(one) != ChunkEntries.of(other)
    assert hash(ChunkEntries.of(one)) == hash(ChunkEntries.of(one))
    assert ChunkEntries.of({}) == NO_CHUNKS != {}
