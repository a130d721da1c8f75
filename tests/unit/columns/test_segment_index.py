"""The index of a segment comes back as it was written, or is refused."""

from __future__ import annotations

import json
import pickle

import pytest
from tests.support.small_segments import NOTHING, TABLE

from skyshard.columns.segment_index import KEY, Piece, SegmentIndex, UnreadableSegment

INDEX = SegmentIndex(
    "Object", True, TABLE.columns, {"note": "BLOB"}, (Piece(7, 0, 0, 0, "d"), Piece(8, 3, 0, 0, "e")), (), NOTHING
)


def test_it_comes_back() -> None:
    """Columns with their types, pieces with their first rows, what is left out."""
    back = SegmentIndex.of(INDEX.metadata())
    assert (back.table, back.is_overlap, back.columns, back.left_out, back.pieces) == (
        "Object", True, TABLE.columns, {"note": "BLOB"}, INDEX.pieces
    )  # fmt: skip
    assert not back.is_whole


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, "version is 2"),
        ({"pieces": {"chunk": [7], "part": [], "rows": [1], "digest": ["d"]}}, "damaged"),
        ({"batch_rows": [4]}, "does not fit together"),
        ({"more": 1}, "damaged"),
    ],
)
def test_an_index_that_is_wrong_is_refused(changed: dict[str, object], said: str) -> None:
    """In one sentence."""
    metadata = INDEX.metadata()
    metadata[KEY] = json.dumps(json.loads(metadata[KEY]) | changed).encode()
    with pytest.raises(UnreadableSegment, match=said):
        SegmentIndex.of(metadata)


def test_it_travels_without_its_figures() -> None:
    """To those who want to know which rows a node has images of."""
    back = pickle.loads(pickle.dumps(INDEX.without_figures()))
    assert (back.table, back.columns, back.pieces) == (INDEX.table, INDEX.columns, INDEX.pieces)


def test_no_index_is_no_segment() -> None:
    """As of any Arrow file."""
    for metadata in (None, {}, {KEY: b"{}"}):
        with pytest.raises(UnreadableSegment):
            SegmentIndex.of(metadata)
