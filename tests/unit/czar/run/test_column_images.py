"""Which chunks a node's images answer for, as it is kept for several scans."""

from __future__ import annotations

import pytest

from skyshard.columns.node_columns import ChunkImage
from skyshard.czar.run.column_images import KEPT_UNITS, NO_IMAGES, Images
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry

TABLE = ChunkEntries.of({chunk: ChunkEntry(1, 0, ("a",)) for chunk in (1, 2, 3)})


def images(*chunks: int) -> Images:
    return Images({chunk: ChunkImage(chunk, False, ()) for chunk in chunks})


@pytest.mark.parametrize(
    ("held", "asked", "readable"),
    [
        (images(1, 2, 3), (1, 2, 3), {1, 2, 3}),
        (images(1, 3), (1, 2, 3), {1, 3}),
        (images(1, 3), (3, 9), {3, 9}),
        (images(2), (1,), set()),
        (NO_IMAGES, (1, 9), set()),
    ],
)
def test_a_chunk_is_readable_with_an_image_or_without_rows(
    held: Images, asked: tuple[int, ...], readable: set[int]
) -> None:
    """A chunk that the table has not, 9, gives no row; a node without any image is asked for it all the same."""
    assert [held.readable(asked, TABLE) for _ in range(2)] == [readable, readable]


def test_lists_of_chunks_are_told_apart_however_many_were_asked_for() -> None:
    """What is kept for one list is not given for another, nor lost for good when others push it out."""
    held = images(1, 2)
    for count in (3, KEPT_UNITS + 3):
        for last in range(count):
            assert held.readable((1, 2, 3, last), TABLE) == {1, 2} | ({last} - {3})
            assert held.runs((1, last)) == []
