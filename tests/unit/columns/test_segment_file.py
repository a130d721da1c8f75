"""Segments: whole or not at all, every value as it was, and whatever is wrong with one is found."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.small_segments import DATABASE, TABLE, rows_of, write_parts
from tests.support.values_of_types import CASES

from skyshard.catalog.schema import Column
from skyshard.columns.block_figures import BlockFigures
from skyshard.columns.segment_file import OpenSegments, Segment, write_segment, write_segment_once
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import Piece, SegmentIndex, UnreadableSegment
from skyshard.rowimage.digest import digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import unpack

ALL = TABLE.column_names


def test_every_value_of_every_type_comes_back(tmp_path: Path) -> None:
    """All types at their ends, NULLs among them: values, types and digest of the rows are those of the records."""
    columns = tuple(Column(f"c{number}", parse_type(text)) for number, text in enumerate(CASES))
    most = max(map(len, CASES.values()))
    values = [list(itertools.islice(itertools.cycle(one), most)) for one in CASES.values()]
    arrays = [pa.array(some, column.type.arrow) for some, column in zip(values, columns, strict=True)]
    layout = RecordLayout.of(columns)
    records = pack(pa.record_batch(arrays, names=[one.name for one in columns]), layout)
    batch = unpack(records, layout)
    piece = Piece(7, 0, 0, most, str(digest(batch, columns)))
    path = tmp_path / "all.arrow"
    index = SegmentIndex("t", False, columns, {}, (piece,), (), BlockFigures.of((), len(columns)))
    write_segment(path, index, [batch.slice(0, 2), batch.slice(2)])
    found = Segment.open(path)
    assert found.index.columns == columns
    assert pa.Table.from_batches(found.batches).to_pydict() == pa.Table.from_batches([batch]).to_pydict()
    assert list(found.faults()) == []


@pytest.mark.parametrize("parts", [[(7, 0, 6), (8, 0, 5), (9, 0, 0)], [(7, 0, 1)], []])
def test_batches_that_are_gone_through_once_make_the_same_file(
    tmp_path: Path, parts: list[tuple[int, int, int]]
) -> None:
    """Byte by byte that of batches that are gone through twice, also of none."""
    whole = pa.Table.from_batches([rows_of(*part) for part in parts], rows_of(7, 0, 1).schema).combine_chunks()
    batches = whole.to_batches(max_chunksize=4) if parts else []
    pieces = tuple(Piece(chunk, part, 0, rows, "1:2") for chunk, part, rows in parts)
    index = SegmentIndex("Object", False, TABLE.columns, {}, pieces, (), _nothing())
    twice, once = tmp_path / "twice.arrow", tmp_path / "once.arrow"
    made = write_segment(twice, index, batches)
    told = replace(index, batch_rows=tuple(batch.num_rows for batch in batches))
    found = write_segment_once(once, told, iter(batches), whole.nbytes)
    assert once.read_bytes() == twice.read_bytes()
    assert (found.batch_rows, found.figures.written()) == (made.batch_rows, made.figures.written())
    assert list(Segment.open(once).index.figures.checksum.ravel()) == list(made.figures.checksum.ravel())


def test_odd_numbers_keep_their_bits(tmp_path: Path) -> None:
    """-0.0, infinities, NaNs with a payload and the least DOUBLE: bit by bit."""
    bits = np.array([1 << 63, 0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8DEADBEEF0001, 1], np.uint64)
    column = Column("x", parse_type("double"))
    index = SegmentIndex("t", False, (column,), {}, (Piece(7, 0, 0, 5, ""),), (), BlockFigures.of((), 1))
    path = tmp_path / "odd.arrow"
    write_segment(path, index, [pa.RecordBatch.from_arrays([pa.array(bits.view(np.float64))], names=["x"])])
    found = Segment.open(path)
    assert found.batches[0].column(0).to_numpy().view(np.uint64).tolist() == bits.tolist()
    figures = found.index.figures
    assert (figures.least[0, 0], figures.greatest[0, 0], figures.nans[0, 0]) == (-np.inf, np.inf, 1)


def test_a_segment_without_rows_can_be_read(tmp_path: Path) -> None:
    """Empty chunk tables have images, too."""
    path = write_parts(tmp_path / "data", [(7, 0, 0), (8, 0, 0)])
    found = Segment.open(path)
    assert [piece.rows for piece in found.index.pieces] == [0, 0]
    assert list(found.rows(0, 0, ALL)) == []
    assert list(found.faults()) == []


@pytest.mark.parametrize(("first", "count"), [(0, 11), (3, 1), (3, 5), (4, 4), (10, 1), (8, 0)])
def test_rows_are_cut_where_batches_end(tmp_path: Path, first: int, count: int) -> None:
    """Any range of rows comes back, whatever batches it crosses."""
    found = Segment.open(write_parts(tmp_path / "data", [(7, 0, 6), (8, 0, 5)]))
    whole = pa.Table.from_batches(found.batches)["id"].to_pylist()
    parts = [block.batch for _, block in found.rows(first, count, ["subChunkId", "id"])]
    assert [value for part in parts for value in part.column("id").to_pylist()] == whole[first : first + count]
    assert all(part.schema.names == ["subChunkId", "id"] for part in parts)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_no_segment(tmp_path: Path, share: float) -> None:
    """Cut anywhere, it is refused before a row is read."""
    path = write_parts(tmp_path / "data", [(7, 0, 6)])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableSegment):
        Segment.open(path)


def test_a_segment_of_a_later_release_is_not_read(tmp_path: Path) -> None:
    """Its version is said."""
    path = write_parts(tmp_path / "data", [(7, 0, 6)])
    path.write_bytes(path.read_bytes().replace(b'{"version":1,', b'{"version":9,'))
    with pytest.raises(UnreadableSegment, match="version is 9; this release reads 1"):
        Segment.open(path)


def test_other_arrow_files_are_no_segments(tmp_path: Path) -> None:
    """Whoever puts a file there is told so."""
    path = tmp_path / "other.arrow"
    batch = rows_of(7, 0, 3)
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(UnreadableSegment, match="no segment"):
        Segment.open(path)


def test_every_changed_byte_of_a_value_is_found(tmp_path: Path) -> None:
    """One flipped bit in any buffer of any column: a fault names the block."""
    path = write_parts(tmp_path / "data", [(7, 0, 6)], batch_rows=6)
    intact = path.read_bytes()
    opened = Segment.open(path)
    spots = [
        (name, buffer.address - opened.address)
        for name, array in zip(ALL, opened.batches[0].columns, strict=True)
        for buffer in array.buffers()
        if buffer is not None and buffer.size
    ]
    assert len(spots) == 8
    for name, offset in spots:
        changed = bytearray(intact)
        changed[offset] ^= 2
        path.with_suffix(".new").write_bytes(changed)
        assert any(name in fault for fault in Segment.open(path.with_suffix(".new")).faults()), name


def test_rows_of_another_digest_are_found(tmp_path: Path) -> None:
    """A segment whose blocks are as they were written, but of other rows than the registry says."""
    data = tmp_path / "data"
    batch = rows_of(7, 0, 6)
    index = SegmentIndex("Object", False, TABLE.columns, {}, (Piece(7, 0, 0, 6, "6:" + "0" * 32),), (), _nothing())
    path = SegmentFolder.of(data, DATABASE).new_path("Object", is_overlap=False)
    write_segment(path, index, [batch])
    assert any("another digest" in fault for fault in Segment.open(path).faults())


def _nothing() -> BlockFigures:
    return BlockFigures.of((), len(TABLE.columns))


def test_a_build_that_fails_leaves_no_file(tmp_path: Path) -> None:
    """Neither the segment nor a draft of it."""
    index = SegmentIndex("Object", False, TABLE.columns, {}, (), (), _nothing())
    path = tmp_path / "Object" / "rows.arrow"
    wrong = pa.RecordBatch.from_arrays([pa.array([1.5])] * len(ALL), names=ALL)
    with pytest.raises((TypeError, ValueError, pa.ArrowException)):
        write_segment(path, index, [wrong])
    assert list(path.parent.glob("*")) == list(path.parent.glob(".*")) == []


def test_an_open_segment_is_opened_anew_when_its_file_was_replaced(tmp_path: Path) -> None:
    """What was opened before is not taken for what is there now; a file that is gone is unreadable."""
    opened = OpenSegments()
    path = write_parts(tmp_path / "data", [(7, 0, 6)])
    first = opened.get(path)
    assert opened.get(path) is first
    write_parts(tmp_path / "data", [(8, 0, 3)]).replace(path)
    assert opened.get(path).index.pieces[0].chunk == 8
    assert first.batches[0].column("id").to_pylist() == [7000, 7001, 7002, 7003], "whoever reads it still can"
    path.unlink()
    with pytest.raises(UnreadableSegment):
        opened.get(path)


def test_a_segment_of_version_1_is_read() -> None:
    """The sample never changes: rows, parts, figures and checksums are those that were written."""
    found = Segment.open(Path(__file__).parents[2] / "frozen" / "columns-1.arrow")
    parts = ((7, 0, 6), (7, 3, 2), (8, 0, 5))
    assert [(one.chunk, one.part, one.rows) for one in found.index.pieces] == list(parts)
    assert pa.Table.from_batches(found.batches).to_pylist() == [
        row for part in parts for row in rows_of(*part).to_pylist()
    ]
    assert list(found.faults()) == []
    assert found.index.figures.greatest[0, 0] == 7003


def test_a_segment_that_is_cut_while_it_is_open_has_a_fault(tmp_path: Path) -> None:
    """It is said, where looking at it would end the process."""
    path = write_parts(tmp_path / "data", [(7, 0, 6_000)])
    opened = Segment.open(path)
    os.truncate(path, 8192)
    assert list(opened.faults()) == ["pages cannot be read"]
