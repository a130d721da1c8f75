"""Entries of chunks, made of replicas: what the rules say for any replicas, and the same after they were written."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import instructions

from skyshard.catalog.ddl import shown_suffix
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.stored.entry_columns import columns_of, entries_of, read_entries, written

Held = tuple[int, bool, int, str]
"""Chunk, overlap or not, part, node."""

held = st.tuples(st.sampled_from([-1, 7, 8, 900]), st.booleans(), st.sampled_from([0, 3, 12]), st.sampled_from("abc"))
replicas = st.dictionaries(held, st.tuples(st.integers(0, 9), st.booleans()), max_size=30)


def entries(found: dict[Held, tuple[int, bool]], orphans: tuple[int, ...] = ()) -> ChunkEntries:
    """Rows follow from chunk, overlap and part; bytes and state are the replica's own."""
    numbers = [
        (chunk, over, part, _rows(chunk, over, part), size) for (chunk, over, part, _), (size, _) in found.items()
    ]
    states = [is_good for _, is_good in found.values()]
    columns = columns_of(np.array(numbers, np.int64).reshape(-1, 5), [node for *_, node in found], states)
    return ChunkEntries(entries_of(columns, orphans))


def _rows(chunk: int, is_overlap: bool, part: int) -> int:
    return abs(chunk) + 10 * is_overlap + 100 * part


def expected(found: dict[Held, tuple[int, bool]]) -> dict[int, ChunkEntry]:
    """The same, chunk by chunk."""
    chunks: dict[int, ChunkEntry] = {}
    for number in sorted({chunk for chunk, *_ in found}):
        mine = {key[1:]: value for key, value in found.items() if key[0] == number}
        holders: dict[tuple[bool, int], set[str]] = defaultdict(set)
        for (is_overlap, part, node), (_, is_good) in mine.items():
            holders[is_overlap, part] |= {node} if is_good else set()
        parts = [sorted({part for over, part, _ in mine if over is flag}) for flag in (False, True)]
        rows, overlap = (sum(_rows(number, bool(flag), part) for part in parts[flag]) for flag in (0, 1))
        nodes = tuple(sorted(set.intersection(*holders.values())))
        size = sum(size for size, _ in mine.values())
        chunks[number] = ChunkEntry(rows, overlap, nodes, size, shown_suffix(parts[0]), shown_suffix(parts[1]))
    return chunks


@given(replicas)
def test_a_chunk_has_the_rows_of_its_parts_and_the_nodes_that_hold_all_of_them(
    found: dict[Held, tuple[int, bool]],
) -> None:
    """Rows count once however many replicas there are; a replica that is not good holds nothing."""
    assert dict(entries(found).items()) == expected(found)


def test_a_part_without_a_good_replica_leaves_the_chunk_without_nodes() -> None:
    """Else its bad rows would be read with the others, by the table that shows all parts."""
    found = {(7, False, part, node): (8, part == 0) for part in (0, 3) for node in "ab"}
    assert entries(found)[7].nodes == ()


@given(replicas, st.sets(st.integers(0, 1000)).map(tuple))
def test_entries_that_were_written_are_read_as_they_were(
    found: dict[Held, tuple[int, bool]], orphans: tuple[int, ...]
) -> None:
    """Nodes that hold no whole chunk are known, too, and chunks of orphans that have no entry."""
    columns = entries(found, orphans).columns
    read = read_entries(written(columns))
    assert read is not None
    assert read.is_same(columns)
    assert set(read.nodes) == {node for *_, node in found}
    assert read.orphans.tolist() == sorted(orphans)


def test_entries_of_the_whole_sky_take_no_loop_over_chunks() -> None:
    """Made, written and read in steps over whole columns."""
    chunks = np.arange(15_000)
    numbers = np.stack([chunks, chunks * 0, chunks * 0, chunks + 1, 8 * chunks], axis=1)
    columns = columns_of(numbers, [f"n{chunk % 150}" for chunk in chunks], [True] * len(chunks))

    def work() -> None:
        found = read_entries(written(entries_of(columns)))
        assert found is not None
        assert len(found) == len(chunks)

    assert instructions(work) < len(chunks)
