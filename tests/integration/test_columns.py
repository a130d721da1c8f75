"""Column images of a running cluster: built, used while their replicas are, gone with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.small_catalog import write_small_catalog
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.columns.node_columns import NodeColumns, NodeParts, read_images
from skyshard.columns.segment_file import Segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.replicate.image_work import ColumnImages
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "imaged"


def stored(testbed: Testbed) -> str:
    """The name by which servers and folders know the database: it was dropped and made before."""
    return testbed.registry.published.names().stored(DATABASE)


def rows_by_images(
    testbed: Testbed, table: str, names: list[str], *, is_overlap: bool = False
) -> list[tuple[object, ...]]:
    """All rows of a table as their images have them, each chunk from one of its nodes; sorted."""
    entry = testbed.registry.published.catalog(DATABASE).tables[table]
    replicas = testbed.registry.replicas.all(stored(testbed), table)
    left = set(entry.chunks)
    found: list[dict[str, object]] = []
    for node in testbed.nodes:
        parts = NodeParts.of(replicas, node, table)
        columns = NodeColumns(testbed.cluster.data_dir(node), stored(testbed), entry.table, parts)
        images = columns.chunks(entry.chunks.columns, names, is_overlap=is_overlap)
        mine = [image for chunk, image in images.items() if chunk in left and (image.rows or is_overlap)]
        left -= {image.chunk for image in mine}
        batches = list(read_images(mine, names))
        found += pa.Table.from_batches(batches).to_pylist() if batches else []
    assert is_overlap or not left & entry.chunks.occupied
    return sorted((tuple(row.values()) for row in found), key=repr)


def rows_by_query(testbed: Testbed, table: str, names: list[str]) -> list[tuple[object, ...]]:
    """The same as the czar answers, texts as they are stored: in latin1."""
    answer = testbed.query(f"SELECT {', '.join(names)} FROM {table}", database=DATABASE).table
    raw = [
        pa.array([None if text is None else text.encode("latin1") for text in column.to_pylist()], pa.binary())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in answer.columns
    ]
    listed = pa.table(raw, names=names).to_pylist()
    return sorted((tuple(row.values()) for row in listed), key=repr)


@pytest.fixture
def sky(testbed: Testbed, tmp_path: Path) -> Iterator[Path]:
    """A small catalog, ingested; dropped at the end."""
    source = write_small_catalog(tmp_path / "sky", objects=200)
    testbed.ingest(source, database=DATABASE)
    yield source
    if DATABASE in testbed.registry.published.names().published:
        testbed.drop(DATABASE)


def files(testbed: Testbed) -> list[Path]:
    return [path for folder in folders(testbed) for path in folder.files()]


def folders(testbed: Testbed) -> list[SegmentFolder]:
    return [SegmentFolder.of(testbed.cluster.data_dir(node), stored(testbed)) for node in testbed.nodes]


def missing(found: ColumnImages) -> int:
    return sum(one.tables - one.imaged for one in found.tables)


OBJECT = ["objectId", "ra", "decl", "flux", "name", "note", "flag", "chunkId", "subChunkId"]
SOURCE = ["sourceId", "objectId", "psfFlux"]


def test_images_hold_the_rows_that_queries_see(testbed: Testbed, sky: Path) -> None:
    """Of a director and of a dependent with BLOBs; a second build finds nothing to do, a drop leaves nothing."""
    assert missing(testbed.columns.status(DATABASE)) > 0
    done = testbed.columns.build(DATABASE)
    assert (missing(done), done.faults, done.unread) == (0, {}, {})
    assert done.made == sum(one.tables for one in done.tables)
    assert {one.table for one in done.tables} == {"Object", "Source"}, "regular tables have none"
    left_out = {name: why for one in done.tables if one.table == "Source" for name, why in one.left_out.items()}
    assert left_out == {"cutout": "BLOB and TEXT stay in rows"}
    assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
    assert rows_by_images(testbed, "Source", SOURCE) == rows_by_query(testbed, "Source", SOURCE)
    assert len(rows_by_images(testbed, "Object", ["objectId"], is_overlap=True)) > 0
    before = files(testbed)
    assert testbed.columns.build(DATABASE).made == 0
    assert files(testbed) == before
    dropped = testbed.columns.drop(DATABASE)
    assert dropped.removed == len(before)
    assert files(testbed) == []
    assert testbed.query("SELECT COUNT(*) AS n FROM Object", database=DATABASE).table.to_pylist() == [{"n": 200}]


@pytest.mark.parametrize("engine", ["Aria", "InnoDB"])
def test_tables_of_other_engines_have_images_too(testbed: Testbed, tmp_path: Path, engine: str) -> None:
    """Their rows come by way of a table of fixed records."""
    source = write_small_catalog(tmp_path / "sky", objects=60)
    chosen = testbed.plan(source).layout.model_copy(update={"engine": engine})
    testbed.ingest(source, database=DATABASE, layout=chosen)
    try:
        done = testbed.columns.build(DATABASE)
        assert (missing(done), done.faults) == (0, {})
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
    finally:
        testbed.drop(DATABASE)


def test_some_columns_only(testbed: Testbed, sky: Path) -> None:
    """Those that were named, and the chunk columns; a build of all takes their place."""
    done = testbed.columns.build(DATABASE, tables=["Object"], columns=["ra", "DECL"])
    assert {one.table for one in done.tables if one.segments} == {"Object"}
    assert rows_by_images(testbed, "Object", ["ra", "decl", "subChunkId"])
    (held,) = {tuple(c.name for c in one.index.columns) for one in _segments(testbed)}
    assert held == ("ra", "decl", "chunkId", "subChunkId")
    assert testbed.columns.build(DATABASE, tables=["Object"], columns=["ra"]).made == 0
    again = testbed.columns.build(DATABASE, tables=["Object"])
    assert again.removed == len([one for one in done.tables if one.segments])
    assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
    for wrong, said in (
        ({"tables": ["Filter"]}, "regular"),
        ({"tables": ["No"]}, "no table"),
        ({"columns": ["x"]}, "'x'"),
    ):
        with pytest.raises(UserError, match=said):
            testbed.columns.build(DATABASE, **wrong)  # type: ignore[arg-type]


def _segments(testbed: Testbed) -> list[Segment]:
    return [segment for folder in folders(testbed) for segment in folder.segments()[0]]


def test_images_go_with_their_database(testbed: Testbed, sky: Path) -> None:
    """A drop leaves no folder of it on any node."""
    testbed.columns.build(DATABASE)
    known = folders(testbed)
    assert all(folder.is_there for folder in known)
    testbed.drop(DATABASE)
    assert not any(folder.is_there for folder in known)


def test_a_damaged_segment_is_made_again(testbed: Testbed, sky: Path) -> None:
    """It is named, not read, and a build takes its place."""
    testbed.columns.build(DATABASE)
    path = files(testbed)[0]
    path.write_bytes(path.read_bytes()[:1000])
    found = testbed.columns.status(DATABASE)
    assert [name.endswith(str(path)) for name in found.faults] == [True]
    assert missing(found) > 0
    done = testbed.columns.build(DATABASE)
    assert (missing(done), done.faults, done.removed) == (0, {}, 1)
    assert not path.exists()


def test_the_commands_say_what_there_is(testbed: Testbed, sky: Path) -> None:
    """On a terminal and as JSON; an unknown database is an error of the user."""
    where = ["--cluster", str(testbed.cluster.folder)]
    built = CliRunner().invoke(app, ["columns", "build", DATABASE, *where])
    assert built.exit_code == 0, built.output
    assert "images made" in built.stdout
    shown = CliRunner().invoke(app, ["columns", "status", DATABASE, "--json", *where])
    assert {one["table"] for one in json.loads(shown.stdout)["tables"]} == {"Object", "Source"}
    assert CliRunner().invoke(app, ["columns", "drop", DATABASE, *where]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, ["columns", "status", "nobody", *where]).exception, UserError)


@pytest.mark.parametrize("way", ["build", "repair"])
def test_damage_is_found_set_aside_and_mended(testbed: Testbed, sky: Path, way: str) -> None:
    """A truncated file, one with other bytes, and one of other rows: found by verify, named, out of use, made again."""
    testbed.columns.build(DATABASE)
    paths = files(testbed)
    cut, changed, other = paths[0], paths[1], paths[2]
    cut.write_bytes(cut.read_bytes()[:-200])
    _flip(changed)
    _say_another_digest(other)
    (found,) = testbed.replicas.verify(DATABASE)
    assert found.images == len(paths)
    assert {name.partition(": ")[2] for name in found.image_faults} == {str(cut), str(changed), str(other)}
    assert found.faults == [], "rows are as they were"
    assert not found.is_good
    assert set(files(testbed)) == set(paths) - {cut, changed, other}
    (again,) = testbed.replicas.verify(DATABASE)
    assert len(again.image_faults) == 3, "until they are made again"
    if way == "build":
        testbed.columns.build(DATABASE)
    else:
        (done,) = testbed.replicas.repair(DATABASE)
        assert done.images > 0
    assert missing(testbed.columns.status(DATABASE)) == 0
    (last,) = testbed.replicas.verify(DATABASE)
    assert (last.image_faults, last.images) == ({}, len(paths))
    assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)


def _flip(path: Path) -> None:
    """One bit of a value, in a new file: the old one may be mapped."""
    opened = Segment.open(path)
    (buffer,) = opened.batches[0].column(0).buffers()[1:2]
    content = bytearray(path.read_bytes())
    content[buffer.address - opened.address] ^= 1
    path.unlink()
    path.write_bytes(content)


def _say_another_digest(path: Path) -> None:
    """A segment whose rows the registry does not know, whole in itself but for that."""
    index = Segment.open(path).index
    old = index.pieces[0].digest
    content = path.read_bytes().replace(old.encode(), old[:-4].encode() + b"0000")
    path.unlink()
    path.write_bytes(content)
