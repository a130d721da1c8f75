"""Which images count: those with the digest of the good replica of each part that queries see, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.small_segments import DATABASE, TABLE, replica, rows_of, write_parts

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.columns.node_columns import NodeColumns, NodeParts, read_images
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.stored.entry_columns import EntryColumns
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.sqltype import parse_type


def entries(**rows: tuple[int, str]) -> EntryColumns:
    """Chunks as a catalog sees them: ``c7=(rows, suffix)``."""
    return ChunkEntries.of(
        {int(name[1:]): ChunkEntry(count, 0, ("node1",), 0, suffix) for name, (count, suffix) in rows.items()}
    ).columns


def opened(data: Path, replicas: list[Replica], table: Table = TABLE) -> NodeColumns:
    return NodeColumns(data, DATABASE, table, NodeParts.of(replicas, "node1", TABLE.name))


def ids(images: object, **limits: tuple[float | None, float | None]) -> list[int]:
    assert isinstance(images, dict)
    return [one for batch in read_images(images.values(), ["id"], limits) for one in batch.column(0).to_pylist()]


def test_rows_come_chunk_by_chunk(tmp_path: Path) -> None:
    """In the order that is asked for; over the borders of batches."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6), (8, 0, 5)])
    write_parts(data, [(9, 0, 3)])
    columns = opened(data, [replica(7, 0, 6), replica(8, 0, 5), replica(9, 0, 3)])
    images = columns.chunks(entries(c7=(6, ""), c8=(5, ""), c9=(3, "")), ["id", "mag"])
    assert list(images) == [7, 8, 9]
    want = {chunk: rows_of(chunk, 0, count).column("id").to_pylist() for chunk, count in ((7, 6), (8, 5), (9, 3))}
    assert ids(images) == want[7] + want[8] + want[9]
    assert ids({chunk: images[chunk] for chunk in (9, 7)}) == want[9] + want[7]


def test_all_parts_that_are_seen_are_read(tmp_path: Path) -> None:
    """A chunk of several parts counts when each has an image; a later part is not seen by an earlier catalog."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)])
    write_parts(data, [(7, 3, 4)])
    replicas = [replica(7, 0, 6), replica(7, 3, 4)]
    columns = opened(data, replicas)
    both = columns.chunks(entries(c7=(10, "_g3")), ["id"])
    assert ids(both) == rows_of(7, 0, 6).column("id").to_pylist() + rows_of(7, 3, 4).column("id").to_pylist()
    assert ids(columns.chunks(entries(c7=(6, "")), ["id"])) == rows_of(7, 0, 6).column("id").to_pylist()
    assert ids(columns.chunks(entries(c7=(4, "_p3")), ["id"])) == rows_of(7, 3, 4).column("id").to_pylist()
    without = opened(data, [*replicas, replica(7, 5, 2)])
    assert without.chunks(entries(c7=(12, "_g5")), ["id"]) == {}


@pytest.mark.parametrize(
    "known",
    [
        [],
        [replica(7, 0, 5)],
        [replica(7, 2, 6)],
        [replica(7, 0, 6, node="node2")],
        [replica(7, 0, 6, is_overlap=True)],
        [Replica("Object", 7, False, "node1", 6, 480, replica(7, 0, 6).digest, 0, ReplicaState.BAD)],
    ],
    ids=["none", "other rows", "other part", "other node", "overlap", "bad"],
)
def test_an_image_without_a_good_replica_of_its_digest_is_not_read(tmp_path: Path, known: list[Replica]) -> None:
    """Whatever differs: node, kind, part, digest, state."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)])
    assert opened(data, known).chunks(entries(c7=(6, "")), ["id"]) == {}


def test_an_image_of_fewer_rows_than_the_catalog_sees_is_not_read(tmp_path: Path) -> None:
    """A registry that was read before the catalog knows fewer parts."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)])
    assert opened(data, [replica(7, 0, 6)]).chunks(entries(c7=(10, "_g3")), ["id"]) == {}


def test_overlap_rows_are_apart(tmp_path: Path) -> None:
    """Images of overlap tables answer only what asks for them."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)], is_overlap=True)
    columns = opened(data, [replica(7, 0, 6, is_overlap=True)])
    seen = ChunkEntries.of({7: ChunkEntry(6, 6, ("node1",))}).columns
    assert columns.chunks(seen, ["id"]) == {}
    assert len(ids(columns.chunks(seen, ["id"], is_overlap=True))) == 6


def test_chunks_without_rows_need_no_image(tmp_path: Path) -> None:
    """Where there are any images at all."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)])
    columns = opened(data, [replica(7, 0, 6)])
    assert list(columns.chunks(entries(c7=(6, ""), c8=(0, "")), ["id"])) == [7, 8]


def test_columns_of_another_type_or_name_are_not_taken(tmp_path: Path) -> None:
    """A table that has grown, or was changed, is read as rows where an image lacks what is asked for."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 6)])
    grown = Table("Object", (*TABLE.columns, Column("extra", parse_type("int"))))
    changed = Table("Object", (Column("id", parse_type("bigint unsigned"), False), *TABLE.columns[1:]))
    seen = entries(c7=(6, ""))
    assert list(opened(data, [replica(7, 0, 6)], grown).chunks(seen, ["id"])) == [7]
    assert opened(data, [replica(7, 0, 6)], grown).chunks(seen, ["id", "extra"]) == {}
    assert opened(data, [replica(7, 0, 6)], changed).chunks(seen, ["id"]) == {}
    with pytest.raises(UserError, match="no column 'none'"):
        opened(data, [replica(7, 0, 6)]).chunks(seen, ["none"])


def test_batches_beyond_the_limits_are_left_out(tmp_path: Path) -> None:
    """Every row within the limits comes; whole batches without any do not."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 9), (8, 0, 9)], batch_rows=3)
    images = opened(data, [replica(7, 0, 9), replica(8, 0, 9)]).chunks(entries(c7=(9, ""), c8=(9, "")), ["id"])
    assert ids(images, id=(7004.0, 7007.0)) == list(range(7003, 7009))
    assert ids(images, id=(8008.0, None), mag=(None, None)) == list(range(8006, 8009))
    assert ids(images, id=(9000.0, None)) == []


def test_a_damaged_segment_is_passed_over_and_named(tmp_path: Path) -> None:
    """The others are read."""
    data = tmp_path / "data"
    path = write_parts(data, [(7, 0, 6)])
    write_parts(data, [(8, 0, 5)])
    path.write_bytes(path.read_bytes()[:100])
    columns = opened(data, [replica(7, 0, 6), replica(8, 0, 5)])
    assert list(columns.unreadable) == [path]
    assert list(columns.chunks(entries(c7=(6, ""), c8=(5, "")), ["id"])) == [8]


def test_views_are_not_copied(tmp_path: Path) -> None:
    """Values lie where the file is mapped."""
    data = tmp_path / "data"
    write_parts(data, [(7, 0, 4)])
    (image,) = opened(data, [replica(7, 0, 4)]).chunks(entries(c7=(4, "")), ["id"]).values()
    (batch,) = read_images([image], ["id"])
    segment = image.pieces[0].segment
    assert segment.address <= batch.column(0).buffers()[1].address < segment.address + segment.size
    assert np.array_equal(batch.column(0).to_numpy(zero_copy_only=True), [7000, 7001, 7002, 7003])
