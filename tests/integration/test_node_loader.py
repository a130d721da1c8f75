"""What a node's loader promises (``node.NodeLoader``): one suite, for a thread here and for a Ray actor."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.schema import Column, Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.node.load.doubled_rows import DoubledRow
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.messages import (
    BuildOrder,
    BuiltTable,
    BundleSlice,
    DigestOrder,
    ExportOrder,
    Loader,
    MergeTableOrder,
    RepairOrder,
    ShownTable,
    TableBuild,
)
from skyshard.node.node_loader import NodeLoader
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.runtime import Handle, Runtime, open_runtime

LIMIT_S = 120
TABLE = Table("Star", (Column("id", parse_type("bigint(20)"), False), Column("mag", parse_type("double"))), ("id",))
BARE = Table("Star", TABLE.columns)
LOADERS = [Loader.IMAGE, Loader.LOAD_DATA]


@pytest.fixture(scope="module", params=["inline", "ray"])
def runtime(request: pytest.FixtureRequest, private_cluster: PrivateCluster) -> Iterator[Runtime]:
    with open_runtime(request.param, private_cluster.node_names, cpus=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def node(private_cluster: PrivateCluster) -> Endpoint:
    return private_cluster.endpoint("node1")


@pytest.fixture(scope="module")
def data(private_cluster: PrivateCluster) -> Path:
    return private_cluster.data_dir("node1")


@pytest.fixture(scope="module")
def loader(runtime: Runtime, node: Endpoint, data: Path) -> Handle[NodeLoader]:
    return open_loader(runtime, node, data)


@pytest.fixture
def database(loader: Handle[NodeLoader]) -> Iterator[str]:
    """An empty database on the node."""
    name = f"n{uuid.uuid4().hex[:10]}"
    loader.call(NodeLoader.make_database, name).result(LIMIT_S)
    yield name
    loader.call(NodeLoader.drop_database, name).result(LIMIT_S)


def open_loader(runtime: Runtime, node: Endpoint, data: Path) -> Handle[NodeLoader]:
    return runtime.actor("loader-node1", partial(MariaDBLoader, "node1", node, str(data)), node="node1")


def stars(*ids: int) -> pa.RecordBatch:
    """Rows of some stars; a third has no magnitude."""
    magnitudes = [None if number % 3 == 0 else number / 7 for number in ids]
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array(magnitudes, pa.float64())], TABLE.column_names)


def build_of(
    folder: Path, name: str, rows: pa.RecordBatch, loader: Loader = Loader.IMAGE, table: Table = TABLE
) -> TableBuild:
    """A build of one table from a bundle that is written now."""
    bundle = folder / f"{name}-{loader}.bundle"
    if loader is Loader.IMAGE:
        bundle.write_bytes(pack(rows, RecordLayout.of(table)).tobytes())
    else:
        with pa.ipc.new_file(bundle, rows.schema) as writer:
            writer.write_batch(rows)
    slices = (BundleSlice(str(bundle), 0, rows.num_rows),)
    found = str(digest(rows, table.columns))
    return TableBuild(name, "Star", 7, False, 0, create_table(table, name), slices, rows.num_rows, found)


def build(
    handle: Handle[NodeLoader], database: str, *builds: TableBuild, loader: Loader = Loader.IMAGE, table: Table = TABLE
) -> list[BuiltTable]:
    return handle.call(NodeLoader.build, BuildOrder(database, table, loader, builds)).result(LIMIT_S)


def ids_in(node: Endpoint, database: str, table: str) -> list[int]:
    with connect(node, Account.READER, database) as connection:
        return [int(number) for (number,) in connection.rows(f"SELECT id FROM {table} ORDER BY id")]


# databases and tables


def test_what_is_under_way_is_removed_but_for_one_transaction(loader: Handle[NodeLoader], tmp_path: Path) -> None:
    """With none to keep the folder itself goes; again, and where there is no folder, nothing is done."""
    staging = tmp_path / "staging"
    for name in ("7", "8"):
        (staging / name).mkdir(parents=True)
        (staging / name / "Star.bundle").write_bytes(b"rows")
    for _ in range(2):
        loader.call(NodeLoader.clear_staging, str(staging), "8").result(LIMIT_S)
        assert [str(path.relative_to(staging)) for path in staging.rglob("*.bundle")] == ["8/Star.bundle"]
        assert not (staging / "7").exists()
    for _ in range(2):
        loader.call(NodeLoader.clear_staging, str(staging)).result(LIMIT_S)
        assert not staging.exists()


def test_started_is_a_moment_in_the_past(loader: Handle[NodeLoader]) -> None:
    """A server tells when it was started, on the clock of its host, and always the same."""
    started = {loader.call(NodeLoader.started_s).result(LIMIT_S) for _ in range(100)}
    assert len(started) == 1
    assert 0 < time.time() - started.pop() < 86_400


def test_making_a_database_twice_is_as_once(loader: Handle[NodeLoader], database: str) -> None:
    """What is there stays."""
    loader.call(NodeLoader.run, database, ["CREATE TABLE t (i INT)"]).result(LIMIT_S)
    loader.call(NodeLoader.make_database, database).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == ["t"]


def test_a_database_goes_with_all_its_files(loader: Handle[NodeLoader], database: str, data: Path) -> None:
    """Files that the server does not know are no hindrance; dropping again is none either."""
    loader.call(NodeLoader.run, database, ["CREATE TABLE t (i INT)"]).result(LIMIT_S)
    (data / database / "half.MYD").touch()
    for _ in range(2):
        loader.call(NodeLoader.drop_database, database).result(LIMIT_S)
        assert not (data / database).exists()


def test_tables_are_dropped_and_names_that_are_not_there_passed_over(loader: Handle[NodeLoader], database: str) -> None:
    """Tables and views go; the others stay."""
    texts = ["CREATE TABLE a (i INT)", "CREATE TABLE b (i INT)", "CREATE VIEW v AS SELECT * FROM a"]
    loader.call(NodeLoader.run, database, texts).result(LIMIT_S)
    loader.call(NodeLoader.drop_tables, database, ["v", "b", "nowhere"]).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == ["a"]


def test_leftover_files_are_listed_and_removed(loader: Handle[NodeLoader], database: str, data: Path) -> None:
    """Half a table and the text of a killed load are found; what the server knows is not."""
    loader.call(NodeLoader.run, database, ["CREATE TABLE t (i INT) ENGINE=MyISAM"]).result(LIMIT_S)
    (data / database / "half.MYD").touch()
    (data / SCRATCH_DATABASE / f"load-{database}-t-1.tsv").touch()
    wanted = [f"{SCRATCH_DATABASE}/load-{database}-t-1.tsv", f"{database}/half.MYD"]
    assert sorted(loader.call(NodeLoader.leftover_files, database).result(LIMIT_S)) == sorted(wanted)
    assert loader.call(NodeLoader.leftover_files, database, prefix="ha").result(LIMIT_S) == [wanted[1]]
    loader.call(NodeLoader.remove_leftover_files, database).result(LIMIT_S)
    assert loader.call(NodeLoader.leftover_files, database).result(LIMIT_S) == []


def test_sweeping_leaves_what_is_known(loader: Handle[NodeLoader], database: str, data: Path) -> None:
    """Unknown tables and files of none go."""
    loader.call(NodeLoader.run, database, ["CREATE TABLE a (i INT)", "CREATE TABLE b (i INT)"]).result(LIMIT_S)
    (data / database / "half.MYD").touch()
    loader.call(NodeLoader.sweep, database, {"a"}).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == ["a"]
    assert not (data / database / "half.MYD").exists()


# building


@pytest.mark.parametrize("way", LOADERS)
def test_a_built_table_has_its_rows(
    loader: Handle[NodeLoader], database: str, node: Endpoint, tmp_path: Path, way: Loader
) -> None:
    """Rows, digest and bytes come back, and the server reads the rows, by their key too."""
    rows = stars(3, 1, 2)
    (built,) = build(loader, database, build_of(tmp_path, "Star_7", rows, way), loader=way)
    assert (built.name, built.rows, built.digest) == ("Star_7", 3, str(digest(rows, TABLE.columns)))
    assert built.bytes > 0
    assert ids_in(node, database, "Star_7") == [1, 2, 3]


def test_a_table_is_copied_from_the_files_of_another_one(
    loader: Handle[NodeLoader], database: str, node: Endpoint, tmp_path: Path
) -> None:
    """Without its slices, which are not there; rows are found by its key, and a copy can be copied no less."""
    made = build_of(tmp_path, "Star_7", stars(3, 1, 2))
    (first,) = build(loader, database, made)
    Path(made.slices[0].bundle).unlink()
    (second,) = build(loader, database, replace(made, name="Star_8", create=as_name(made, "Star_8"), made=first.files))
    assert (second.rows, second.bytes, second.digest) == (first.rows, first.bytes, first.digest)
    with connect(node, Account.READER, database) as connection:
        assert connection.rows("SELECT id FROM Star_8 FORCE INDEX (PRIMARY) WHERE id = 2") == [(2,)]
        assert connection.rows("CHECK TABLE Star_8 EXTENDED")[-1][-1] == "OK"
    assert ids_in(node, database, "Star_8") == [1, 2, 3]


@pytest.mark.parametrize("change", ["longer", "other bytes", "gone", "other index", "no index", "other keys"])
def test_files_that_are_not_what_was_made_are_not_copied(
    loader: Handle[NodeLoader], database: str, node: Endpoint, data: Path, tmp_path: Path, change: str
) -> None:
    """The rows of the slices are taken then, and an index is made of them, with the keys of the table's own text."""
    made = build_of(tmp_path, "Star_7", stars(3, 1, 2))
    (first,) = build(loader, database, made)
    file = data / database / "Star_7.MYD"
    if change in ("longer", "gone"):
        file.write_bytes(file.read_bytes() * 2) if change == "longer" else file.unlink()
    elif change != "other keys":
        broken = file.with_suffix(".MYD" if change == "other bytes" else ".MYI")
        content = bytearray(broken.read_bytes())
        content[len(content) // 2] ^= 1
        broken.write_bytes(content) if change != "no index" else broken.unlink()
    create = create_table(BARE, "Star_8") if change == "other keys" else as_name(made, "Star_8")
    (second,) = build(loader, database, replace(made, name="Star_8", create=create, made=first.files))
    assert (second.rows, second.digest) == (3, made.digest)
    with connect(node, Account.READER, database) as connection:
        assert connection.rows("CHECK TABLE Star_8 EXTENDED")[-1][-1] == "OK"
    assert ids_in(node, database, "Star_8") == [1, 2, 3]


def as_name(made: TableBuild, name: str) -> str:
    """The text of a build's table by another name."""
    return made.create.replace(made.name, name)


@pytest.mark.parametrize("way", LOADERS)
def test_building_again_replaces_what_was_there(
    loader: Handle[NodeLoader], database: str, node: Endpoint, tmp_path: Path, way: Loader
) -> None:
    """A table of the name and half a one that was left are replaced, so that a build may be run again."""
    build(loader, database, build_of(tmp_path, "Star_7", stars(1, 2), way), loader=way)
    build(loader, database, build_of(tmp_path, "Star_7", stars(5), way), loader=way)
    assert ids_in(node, database, "Star_7") == [5]


def test_tables_of_an_order_come_back_in_its_order(loader: Handle[NodeLoader], database: str, tmp_path: Path) -> None:
    """Empty tables among them."""
    builds = [build_of(tmp_path, f"Star_{chunk}", stars(*range(chunk))) for chunk in (4, 0, 2)]
    assert [(one.name, one.rows) for one in build(loader, database, *builds)] == [
        ("Star_4", 4),
        ("Star_0", 0),
        ("Star_2", 2),
    ]


@pytest.mark.parametrize("way", LOADERS)
def test_other_rows_than_were_promised_are_an_error(
    loader: Handle[NodeLoader], database: str, tmp_path: Path, way: Loader
) -> None:
    """A table whose digest is not the one of its order does not count as made; the error names node and table."""
    made = build_of(tmp_path, "Star_7", stars(1, 2), way)
    wrong = TableBuild(
        made.name, made.base, made.chunk, False, 0, made.create, made.slices, made.rows,
        str(digest(stars(1, 3), TABLE.columns)),
    )  # fmt: skip
    with pytest.raises(ClusterError, match=rf"node 'node1', table {database}.Star_7: 2 rows with digest") as caught:
        build(loader, database, wrong, loader=way)
    assert not caught.value.retryable


@pytest.mark.parametrize("way", LOADERS)
def test_doubled_rows_are_named(loader: Handle[NodeLoader], database: str, tmp_path: Path, way: Loader) -> None:
    """Two rows with one key are the input's fault: table, chunk and value arrive with the error."""
    with pytest.raises(DoubledRow, match="id 4 occurs twice") as caught:
        build(loader, database, build_of(tmp_path, "Star_7", stars(4, 1, 4), way), loader=way)
    assert (caught.value.table, caught.value.chunk, caught.value.values) == ("Star", 7, {"id": 4})


def test_a_value_that_the_server_refuses_is_a_user_error(
    loader: Handle[NodeLoader], database: str, tmp_path: Path
) -> None:
    """LOAD DATA says what it does not take, in the server's words."""
    made = build_of(tmp_path, "Star_7", stars(4711), Loader.LOAD_DATA)
    narrow = Table("Star", (Column("id", parse_type("tinyint"), False), TABLE.columns[1]), ("id",))
    order = BuildOrder(
        database, TABLE, Loader.LOAD_DATA,
        (TableBuild("Star_7", "Star", 7, False, 0, create_table(narrow, "Star_7"), made.slices, 1, made.digest),),
    )  # fmt: skip
    with pytest.raises(UserError, match="the server does not take a value"):
        loader.call(NodeLoader.build, order).result(LIMIT_S)


@pytest.mark.parametrize("way", LOADERS)
def test_a_table_is_made_of_others_beside_it(
    loader: Handle[NodeLoader], database: str, node: Endpoint, tmp_path: Path, way: Loader
) -> None:
    """Compaction: rows of the named tables, once each."""
    parts = [build_of(tmp_path, name, rows) for name, rows in (("Star_7", stars(1, 2)), ("Star_7_p2", stars(3)))]
    build(loader, database, *parts)
    total = sum((RowDigest.parse(part.digest) for part in parts), RowDigest())
    merged = TableBuild(
        "Star_7_p3", "Star", 7, False, 3, create_table(TABLE, "Star_7_p3"), (), 3, str(total), ("Star_7", "Star_7_p2")
    )
    build(loader, database, merged, loader=way)
    assert ids_in(node, database, "Star_7_p3") == [1, 2, 3]


@pytest.mark.parametrize("engine", ["MyISAM", "InnoDB"])
def test_several_parts_are_shown_as_one(
    loader: Handle[NodeLoader], database: str, node: Endpoint, tmp_path: Path, engine: str
) -> None:
    """Queries read all parts under one name; made again, the list is the new one."""
    build(
        loader,
        database,
        *(build_of(tmp_path, f"Star_{part}", stars(part), table=BARE) for part in (1, 2, 3, 4)),
        table=BARE,
    )
    shown = {"Star_g2": ("Star_1", "Star_2"), "Star_g3": ("Star_1", "Star_2", "Star_3")}
    for parts in (shown, {**shown, "Star_g3": ("Star_3", "Star_4")}):
        loader.call(NodeLoader.make_merge_tables, MergeTableOrder(database, BARE, engine, parts)).result(LIMIT_S)
    assert ids_in(node, database, "Star_g2") == [1, 2]
    assert ids_in(node, database, "Star_g3") == [3, 4]


# reading


@pytest.mark.parametrize("way", LOADERS)
def test_digests_are_those_of_the_rows(loader: Handle[NodeLoader], database: str, tmp_path: Path, way: Loader) -> None:
    """Whatever way a table was made, it reads back as what was written, in the order of the names."""
    rows = {"Star_1": stars(1, 2, 3), "Star_2": stars(), "Star_3": stars(9)}
    build(loader, database, *(build_of(tmp_path, name, some, way) for name, some in rows.items()), loader=way)
    names = ("Star_3", "Star_1", "Star_2")
    found = loader.call(NodeLoader.digests, DigestOrder(database, TABLE, names)).result(LIMIT_S)
    assert [(one.name, one.digest) for one in found] == [(n, str(digest(rows[n], TABLE.columns))) for n in names]


def test_digests_may_leave_the_last_columns_out(loader: Handle[NodeLoader], database: str, tmp_path: Path) -> None:
    """Chunk numbers are not part of what a generator knows."""
    build(loader, database, build_of(tmp_path, "Star_1", stars(1, 2)))
    order = DigestOrder(database, TABLE, ("Star_1",), leave_out=("mag",))
    (found,) = loader.call(NodeLoader.digests, order).result(LIMIT_S)
    assert found.digest == str(digest(stars(1, 2).select(["id"]), TABLE.columns[:1]))


def test_a_table_that_cannot_be_read_hides_no_other(loader: Handle[NodeLoader], database: str, tmp_path: Path) -> None:
    """A missing one says so; the others have their digests."""
    build(loader, database, build_of(tmp_path, "Star_1", stars(1)))
    order = DigestOrder(database, TABLE, ("Star_0", "Star_1"))
    missing, found = loader.call(NodeLoader.digests, order).result(LIMIT_S)
    assert missing.digest == ""
    assert "Star_0" in missing.error
    assert found.rows == 1


def test_a_harmed_index_is_found_and_repaired(
    loader: Handle[NodeLoader], database: str, data: Path, tmp_path: Path
) -> None:
    """An index that is not of its rows is named; made again from the definition, nothing is wrong any more."""
    build(loader, database, *(build_of(tmp_path, name, stars(*range(50))) for name in ("Star_1", "Star_2")))
    shown = [ShownTable(name, (name,), 50) for name in ("Star_1", "Star_2")]
    assert loader.call(NodeLoader.faults, database, shown).result(LIMIT_S) == {}
    index = data / database / "Star_1.MYI"
    index.write_bytes(b"\0" * index.stat().st_size)
    assert set(loader.call(NodeLoader.faults, database, shown).result(LIMIT_S)) == {"Star_1"}
    loader.call(NodeLoader.repair, RepairOrder(database, ("Star_1",), "definition")).result(LIMIT_S)
    assert loader.call(NodeLoader.faults, database, shown).result(LIMIT_S) == {}


def test_a_list_that_misses_a_part_is_found(loader: Handle[NodeLoader], database: str, tmp_path: Path) -> None:
    """A table over several parts must show each of them."""
    build(loader, database, *(build_of(tmp_path, f"Star_{n}", stars(n), table=BARE) for n in (1, 2)), table=BARE)
    order = MergeTableOrder(database, BARE, "MyISAM", {"Star_g2": ("Star_1",)})
    loader.call(NodeLoader.make_merge_tables, order).result(LIMIT_S)
    shown = [ShownTable("Star_g2", ("Star_1", "Star_2"), 2)]
    assert set(loader.call(NodeLoader.faults, database, shown).result(LIMIT_S)) == {"Star_g2"}


def test_an_exported_table_is_an_arrow_file_of_its_rows(
    loader: Handle[NodeLoader], database: str, tmp_path: Path
) -> None:
    """The named columns, in batches whose rows are told."""
    build(loader, database, build_of(tmp_path, "Star_1", stars(1, 2, 3)))
    order = ExportOrder(database, Table("Star", TABLE.columns[:1]), "Star_1", str(tmp_path / "out.arrow"))
    assert loader.call(NodeLoader.export, order).result(LIMIT_S) == [3]
    with pa.memory_map(order.path) as source:
        found = pa.ipc.open_file(source).read_all()
        assert sorted(found["id"].to_pylist()) == [1, 2, 3]
        assert found.column_names == ["id"]


# holding, failing, dying


def test_a_held_database_keeps_the_next_loader_waiting(
    runtime: Runtime, loader: Handle[NodeLoader], database: str, node: Endpoint, data: Path
) -> None:
    """Two loaders never hold one database; the second one comes in when the first lets go."""
    other = open_loader(runtime, node, data)
    loader.call(NodeLoader.hold, database).result(LIMIT_S)
    waiting = other.call(NodeLoader.hold, database)
    assert wait([waiting], timeout=1.0).not_done
    loader.call(NodeLoader.release, database).result(LIMIT_S)
    waiting.result(LIMIT_S)
    other.call(NodeLoader.release, database).result(LIMIT_S)


def test_a_cancelled_call_is_not_carried_out(
    runtime: Runtime, loader: Handle[NodeLoader], database: str, node: Endpoint, data: Path
) -> None:
    """While a loader waits, calls behind it may be cancelled: who is told so finds nothing done."""
    other = open_loader(runtime, node, data)
    loader.call(NodeLoader.hold, database).result(LIMIT_S)
    waiting = other.call(NodeLoader.hold, database)
    late: Future[None] = other.call(NodeLoader.run, database, ["CREATE TABLE late (i INT)"])
    was_cancelled = late.cancel()
    loader.call(NodeLoader.release, database).result(LIMIT_S)
    waiting.result(LIMIT_S)
    other.call(NodeLoader.release, database).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == ([] if was_cancelled else ["late"])


def test_a_lost_session_does_not_come_back(
    runtime: Runtime, node: Endpoint, data: Path, loader: Handle[NodeLoader], database: str
) -> None:
    """A loader whose session died with its lock changes nothing any more, until it lets go."""
    other = open_loader(runtime, node, data)
    other.call(NodeLoader.hold, database).result(LIMIT_S)
    with connect(node, Account.ADMIN) as admin:
        sql = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s AND DB IS NULL"
        for (number,) in admin.rows(sql, [Account.LOADER.value]):
            admin.execute(f"KILL {int(number)}")
    for _ in range(2):
        with pytest.raises(ClusterError):
            other.call(NodeLoader.run, database, ["CREATE TABLE t (i INT)"]).result(LIMIT_S)
    other.call(NodeLoader.release, database).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == []


def test_an_error_of_the_server_leaves_the_loader_as_it_is(loader: Handle[NodeLoader], database: str) -> None:
    """A statement that is refused comes back as the user's error, and the next call goes through."""
    with pytest.raises(UserError):
        loader.call(NodeLoader.run, database, ["CREATE TABLE nonsense"]).result(LIMIT_S)
    assert loader.call(NodeLoader.tables, database).result(LIMIT_S) == []


def test_a_server_that_is_down_is_a_retryable_cluster_error(runtime: Runtime, data: Path) -> None:
    """Every call says so, and may be tried again."""
    loader = open_loader(runtime, Endpoint(socket="/nowhere/node1.sock"), data)
    for _ in range(2):
        with pytest.raises(ClusterError) as caught:
            loader.call(NodeLoader.tables, "sky").result(LIMIT_S)
        assert caught.value.retryable


def test_a_killed_actor_lets_go_and_another_takes_its_place(
    runtime: Runtime, node: Endpoint, data: Path, loader: Handle[NodeLoader]
) -> None:
    """Calls to it fail with an error that invites another try; what it held can be held by the next one."""
    if type(runtime).__name__ != "PrivateRay":
        pytest.skip("inline actors live in this process")
    database = f"n{uuid.uuid4().hex[:10]}"
    victim = open_loader(runtime, node, data)
    victim.call(NodeLoader.make_database, database).result(LIMIT_S)
    victim.call(NodeLoader.hold, database).result(LIMIT_S)
    for process in actors():  # the module's loader too: this is its last test
        process.kill()
    for handle in (victim, loader):
        with pytest.raises(ClusterError, match="actor loader-node1 on node1 died") as caught:
            handle.call(NodeLoader.tables, database).result(LIMIT_S)
        assert caught.value.retryable
    heir = open_loader(runtime, node, data)
    heir.call(NodeLoader.hold, database).result(LIMIT_S)
    heir.call(NodeLoader.drop_database, database).result(LIMIT_S)
    heir.call(NodeLoader.release, database).result(LIMIT_S)


def actors() -> set[psutil.Process]:
    """The processes of all Ray actors of this process."""
    children = psutil.Process().children(recursive=True)
    return {one for one in children if any(name.startswith("ray::ActorP") for name in (one.name(), *one.cmdline()[:1]))}
