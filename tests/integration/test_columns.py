"""Column images of a running cluster: built, used while their replicas are, gone with them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.depth import drawn
from tests.support.killing import Driver
from tests.support.small_catalog import write_small_catalog
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.columns.node_columns import NodeColumns, NodeParts, read_images
from skyshard.columns.segment_file import Segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.node.columns import build_segment
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


def digests(testbed: Testbed) -> set[str]:
    return {one.digest for one in testbed.registry.replicas.all(stored(testbed))}


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


def test_long_tables_are_not_held_in_memory(testbed: Testbed, sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their batches are made twice, and the images are the same."""
    monkeypatch.setattr(build_segment, "HELD_BYTES", 0)
    assert missing(testbed.columns.build(DATABASE)) == 0
    require_whole(testbed)


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


@pytest.mark.parametrize("way", [pytest.param("build", marks=pytest.mark.deep), "repair"])
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
    assert any(one.name == "column images" and not one.is_good for one in testbed.verify(DATABASE))
    assert set(files(testbed)) == set(paths) - {cut, changed, other}
    (again,) = testbed.replicas.verify(DATABASE)
    assert len(again.image_faults) == 3, "until they are made again"
    if way == "build":
        testbed.columns.build(DATABASE)
    else:
        (done,) = testbed.replicas.repair(DATABASE)
        assert done.images > 0
    assert missing(testbed.columns.status(DATABASE)) == 0
    assert [one for one in testbed.verify(DATABASE) if not one.is_good] == []
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


def test_an_ingest_writes_images_with_its_rows(testbed: Testbed, tmp_path: Path) -> None:
    """Of the first rows, of those that come later, and of what a compaction merges; a drop ends it."""
    source = write_small_catalog(tmp_path / "sky", objects=150)
    more = write_small_catalog(tmp_path / "more", objects=60, seed=6, first_key=700_000_000_000_000)
    testbed.ingest(source, database=DATABASE, columns="all")
    try:
        assert missing(testbed.columns.status(DATABASE)) == 0
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
        testbed.ingest(more, database=DATABASE)
        assert missing(testbed.columns.status(DATABASE)) == 0
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
        assert rows_by_images(testbed, "Source", SOURCE) == rows_by_query(testbed, "Source", SOURCE)
        with pytest.raises(UserError, match="column images of all, where none is asked for"):
            testbed.ingest(more, database=DATABASE, columns="none")
        assert testbed.compact(DATABASE, grace_s=0).tables > 0
        assert missing(testbed.columns.status(DATABASE)) == 0
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
        for facts in [segment.index for segment in _segments(testbed)]:
            assert any(piece.digest in digests(testbed) for piece in facts.pieces), "old parts go with their tables"
        testbed.columns.build(DATABASE)  # what is mostly stale is made anew
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
        testbed.columns.drop(DATABASE)
        last = write_small_catalog(tmp_path / "last", objects=20, seed=7, first_key=800_000_000_000_000)
        testbed.ingest(last, database=DATABASE)
        assert files(testbed) == []
    finally:
        testbed.drop(DATABASE)


def test_a_plan_says_what_has_no_image(testbed: Testbed, tmp_path: Path) -> None:
    """BLOBs by name; a column that no table has is refused."""
    source = write_small_catalog(tmp_path / "sky", objects=20)
    where = ["--database", "planned", "--no-survey", "--cluster", str(testbed.cluster.folder)]
    told = CliRunner().invoke(app, ["plan", str(source), "--columns", "all", *where])
    assert told.exit_code == 0, told.output
    assert "column images: all" in told.stdout
    assert "Source: no image of cutout: BLOB and TEXT stay in rows" in told.stdout
    with pytest.raises(UserError, match="no chunked table has a column 'fluxx'"):
        testbed.plan(source, database="planned", columns=["ra", "fluxx"])


def imaged_twice(testbed: Testbed) -> list[tuple[Path, tuple[str, bool, int, int]]]:
    """Images that there are more than once on a node."""
    found = []
    for folder in folders(testbed):
        seen: set[tuple[str, bool, int, int]] = set()
        for segment in folder.segments()[0]:
            for piece in segment.index.pieces:
                key = (segment.index.table, segment.index.is_overlap, piece.chunk, piece.part)
                found += [(segment.path, key)] if key in seen else []
                seen.add(key)
    return found


def struck(testbed: Testbed, source: Path, log: Path, *, hold: str, delay_s: float = 0.0) -> None:
    """An ingest with images in a process of its own, killed in a stage, or some time after it has begun."""
    driver = Driver(testbed.cluster.folder, source, DATABASE, "inline", log, hold=hold, columns="all")
    driver.wait_for(lambda lines: (hold or "load") in lines)
    if delay_s:
        time.sleep(delay_s)
    driver.process.kill()
    assert driver.end() in ("killed", "done"), driver.lines


def require_whole(testbed: Testbed) -> None:
    """Every replica has its image once, nothing else is there, and rows by images are rows by queries."""
    assert missing(testbed.columns.status(DATABASE)) == 0
    assert imaged_twice(testbed) == []
    assert [path for folder in folders(testbed) for path in folder.path.glob("*/.*")] == []
    (read,) = testbed.replicas.verify(DATABASE)
    assert (read.image_faults, read.faults) == ({}, [])
    assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)


@pytest.mark.parametrize("ending", ["go on", "abort"])
def test_an_ingest_killed_among_its_images(testbed: Testbed, tmp_path: Path, ending: str) -> None:
    """Some are written, some are not: the next one writes the others, or an abort leaves none."""
    source = write_small_catalog(tmp_path / "sky", objects=100)
    struck(testbed, source, tmp_path / "log", hold="images")
    left = testbed.registry.transactions.all()[-1]
    assert left["state"] == "started"
    known = [SegmentFolder.of(testbed.cluster.data_dir(node), left["database"]) for node in testbed.nodes]
    assert any(folder.files() for folder in known), "one was written at least"
    if ending == "abort":
        testbed.abort_transaction(left["id"])
        assert not any(folder.is_there for folder in known)
        return
    try:
        testbed.ingest(source, database=DATABASE, columns="all")
        require_whole(testbed)
    finally:
        testbed.drop(DATABASE)


@pytest.mark.parametrize("seed", range(drawn(1)))
def test_an_ingest_killed_at_any_instant(testbed: Testbed, tmp_path: Path, seed: int) -> None:
    """From its first table on, in a second transaction: what was there is read as before, and the rest comes once."""
    source = write_small_catalog(tmp_path / "sky", objects=100)
    more = write_small_catalog(tmp_path / "more", objects=60, seed=6, first_key=700_000_000_000_000)
    testbed.ingest(source, database=DATABASE, columns="all")
    try:
        struck(testbed, more, tmp_path / "log", hold="", delay_s=random.Random(seed).uniform(0, 0.6))
        assert rows_by_images(testbed, "Object", OBJECT) == rows_by_query(testbed, "Object", OBJECT)
        testbed.ingest(more, database=DATABASE)
        require_whole(testbed)
    finally:
        testbed.drop(DATABASE)


def columns_command(testbed: Testbed, verb: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "skyshard.cli.app", "columns", verb, DATABASE, "--json"]
    command += ["--cluster", str(testbed.cluster.folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def test_a_build_killed_at_any_instant(testbed: Testbed, sky: Path) -> None:
    """Killed when the first segment is there: the next build makes the others, and leaves nothing half."""
    with columns_command(testbed, "build") as process:
        assert process.stderr is not None
        assert "column images" in process.stderr.readline()
        process.kill()
    testbed.columns.build(DATABASE)
    require_whole(testbed)


@pytest.mark.parametrize("seed", range(drawn(1)))
def test_a_drop_killed_at_any_instant(testbed: Testbed, sky: Path, seed: int) -> None:
    """Before, among or behind its removals: answers stay, the next drop leaves no image, a build makes all again."""
    testbed.columns.build(DATABASE)
    with columns_command(testbed, "drop") as process:
        time.sleep(random.Random(seed).uniform(0.4, 1.2))
        process.kill()
    sql = "SELECT COUNT(*), SUM(objectId), MIN(ra) FROM Object"
    by_columns = testbed.query(sql, database=DATABASE, scan="columns").table
    assert by_columns.equals(testbed.query(sql, database=DATABASE, scan="rows").table)
    assert testbed.columns.drop(DATABASE).tables
    assert not any(folder.files() for folder in folders(testbed))
    testbed.columns.build(DATABASE)
    require_whole(testbed)


def test_images_follow_their_chunks(own_cluster: PrivateCluster, tmp_path: Path) -> None:
    """A node that is drained keeps none; those that took its chunks make theirs, where the layout asks for images."""
    with Testbed(own_cluster.folder) as testbed:
        testbed.ingest(write_small_catalog(tmp_path / "sky", objects=80), database=DATABASE, columns="all")
        number = testbed.jobs.begin(testbed.replicas.plan_drain("node1"), grace_s=0)
        testbed.jobs.run(number)
        by_node = {node: folder.files() for node, folder in zip(testbed.nodes, folders(testbed), strict=True)}
        assert by_node.get("node1", []) == []
        require_whole(testbed)
