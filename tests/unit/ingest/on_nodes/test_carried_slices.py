"""Slices on other hosts: which blocks bring them, and what the node's loader gets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column, Table
from skyshard.ingest.on_nodes import carried_slices
from skyshard.ingest.on_nodes.carried_slices import carried
from skyshard.node.host_files import BatchPart, FilePart
from skyshard.node.messages import BuildOrder, BundleSlice, Loader, TableBuild
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type

TABLE = Table("t", (Column("id", parse_type("bigint(20)"), False),))
LENGTH = RecordLayout.of(TABLE).length
HOSTS = ("", "node1", "node2")


def order_of(*builds: tuple[BundleSlice, ...], loader: Loader = Loader.IMAGE) -> BuildOrder:
    made = [
        TableBuild(f"t_{number}", "t", number, False, 0, "", slices, sum(piece.rows for piece in slices), "")
        for number, slices in enumerate(builds)
    ]
    return BuildOrder("sky", TABLE, loader, tuple(made))


@st.composite
def orders(draw: st.DrawFn) -> BuildOrder:
    """Tables of a few slices each, every slice of a bundle of its own."""
    names = iter(range(1_000))
    pieces = st.builds(
        lambda host, rows: BundleSlice(f"b{next(names)}", 0, rows, host=host),
        st.sampled_from(HOSTS),
        st.integers(1, 40),
    )
    return order_of(*draw(st.lists(st.lists(pieces, max_size=4).map(tuple), max_size=6)))


@given(orders())
def test_every_byte_of_a_table_is_in_the_files_that_its_node_gets(order: BuildOrder) -> None:
    """Blocks are small enough, and put together they are the slices, each once; what is there already stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carried_slices, "BLOCK_BYTES", 16 * LENGTH)
        patch.setattr(carried_slices, "OWN_FILE_BYTES", 30 * LENGTH)
        ready, blocks = carried(order, "node1", "in")
    files: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for block in blocks:
        parts = [part for part in block.parts if isinstance(part, FilePart)]
        source = [(part.path, at) for part in parts for at in range(part.offset, part.offset + part.size)]
        assert len(source) <= 16 * LENGTH
        for place in block.places:
            assert place.offset == len(files[place.path])
            files[place.path] += source[: place.size]
            source = source[place.size :]
        assert not source
    for before, after in zip(order.builds, ready.builds, strict=True):
        wanted = {(piece.bundle, at) for piece in before.slices for at in range(piece.rows * LENGTH)}
        got = []
        for piece in after.slices:
            assert piece.host == "node1"
            whole = files.get(piece.bundle) or [(piece.bundle, at) for at in range(piece.rows * LENGTH)]
            got += whole[piece.offset : piece.offset + piece.rows * LENGTH]
            assert not piece.is_own or len(whole) == piece.rows * LENGTH
        assert len(got) == len(wanted)
        assert set(got) == wanted


def test_an_order_with_nothing_elsewhere_stays_as_it_is() -> None:
    """Private clusters read by path, as ever."""
    order = order_of((BundleSlice("a", 8, 3, is_own=True),))
    assert carried(order, "", "in") == (order, [])


def test_a_long_table_gets_a_file_of_its_own_and_short_ones_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long one's file can become its data file; one block brings all."""
    monkeypatch.setattr(carried_slices, "OWN_FILE_BYTES", 10 * LENGTH)
    order = order_of((BundleSlice("a", 0, 4),), (BundleSlice("b", 0, 10),), (BundleSlice("a", 4 * LENGTH, 5),))
    ready, (block,) = carried(order, "node1", "in")
    assert [build.slices for build in ready.builds] == [
        (BundleSlice("in-1.rows", 0, 4, host="node1"),),
        (BundleSlice("in-0.rows", 0, 10, is_own=True, host="node1"),),
        (BundleSlice("in-1.rows", 4 * LENGTH, 5, host="node1"),),
    ]
    assert [place.path for place in block.places] == ["in-1.rows", "in-0.rows", "in-1.rows"]


def test_batches_come_in_arrow_files_that_are_read_by_their_number_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block is a whole file; a table's batches may be in several."""
    monkeypatch.setattr(carried_slices, "BLOCK_BYTES", 5 * carried_slices.VALUE_BYTES)
    slices = tuple(BundleSlice("a", number, 2, host="node2") for number in range(3))
    ready, blocks = carried(order_of(slices, loader=Loader.LOAD_DATA), "node1", "in")
    places = [(piece.bundle, piece.offset) for piece in ready.builds[0].slices]
    assert places == [("in-0.arrow", 0), ("in-0.arrow", 1), ("in-1.arrow", 0)]
    assert [block.parts for block in blocks] == [(BatchPart("a", 0), BatchPart("a", 1)), (BatchPart("a", 2),)]
    assert ready.builds[0] == replace(order_of(slices).builds[0], slices=ready.builds[0].slices)
