"""Ingest on real nodes: every row where it belongs, nothing twice, nothing left of what was refused."""

from __future__ import annotations

import gzip
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.same_answer import rows_in
from tests.support.small_catalog import STRIPING, positions, write_small_catalog

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Striping
from skyshard.chunking import Chunker
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.messages import Loader
from skyshard.registry.stored.records import Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.rowimage.digest import RowDigest
from skyshard.testbed import TargetName, Testbed

SHARED = Path(__file__).resolve().parents[3] / "shared"
CASE01_CHUNKS = {
    6630: (3, 0), 6631: (3, 1), 6800: (13, 1), 6801: (10, 4), 6968: (2, 0), 6970: (13, 7), 6971: (5, 4),
    7138: (7, 1), 7140: (10, 1), 7308: (4, 1), 7310: (4, 0), 7478: (10, 3), 7648: (4, 1),
}  # fmt: skip
CASE01_ROWS = {
    "Object": 88, "Source": 3339, "RefSrcMatch": 3344, "Science_Ccd_Exposure": 3304, "SimRefObject": 3314,
    "Logs": 1000, "LeapSeconds": 38, "Filter": 9, "sdqa_Metric": 53,
}  # fmt: skip


TARGETS: tuple[TargetName, ...] = ("czar", "mono")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_small_catalog(tmp_path / "small")


@pytest.fixture
def database() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


def digests(replicas: list[Replica]) -> dict[tuple[str, int, bool], str]:
    return {(r.table, r.chunk, r.is_overlap): r.digest for r in replicas}


def assert_verified(testbed: Testbed, database: str) -> None:
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def assert_nothing_left(testbed: Testbed, database: str) -> None:
    """No database, file, registry entry or bundle of a refused ingest."""
    for name in ("czar", *testbed.nodes):
        with connect(testbed.cluster.endpoint(name), Account.ADMIN) as connection:
            assert database not in [row[0] for row in connection.rows("SHOW DATABASES")]
        assert not (testbed.cluster.data_dir(name) / database).exists()
    assert testbed.registry.databases.state(database) is None
    assert testbed.registry.transactions.all(database) == []
    assert not list((testbed.cluster.folder / "staging").glob(f"{database}*"))


def test_rows_are_in_the_chunks_that_geometry_says(testbed: Testbed, catalog: Path, database: str) -> None:
    """Own and overlap rows of every chunk are those that the positions give, and verification agrees."""
    testbed.ingest(catalog, database=database)
    chunker = Chunker(STRIPING["num_stripes"], STRIPING["num_sub_stripes"], STRIPING["overlap"])
    ra, dec = positions(300)
    chunks, counts = np.unique(chunker.locate(ra, dec)[0], return_counts=True)
    copies, copied = np.unique(chunker.overlap_copies(ra, dec).chunk_ids, return_counts=True)
    entries = testbed.registry.published.catalog(database).tables["Object"].chunks
    assert {c: e.rows for c, e in entries.items() if e.rows} == dict(zip(chunks, counts, strict=True))
    assert {c: e.overlap_rows for c, e in entries.items() if e.overlap_rows} == dict(zip(copies, copied, strict=True))
    assert_verified(testbed, database)


def test_dependent_without_director_is_kept_and_counted(testbed: Testbed, catalog: Path, database: str) -> None:
    """A Source whose objectId is in no Object row is stored in the chunk of its copied position."""
    report = testbed.ingest(catalog, database=database)
    source = next(table for table in report.tables if table.table == "Source")
    assert (source.rows, source.orphans) == (1202, 1)
    entry = testbed.registry.published.catalog(database).tables["Source"]
    assert entry.rows == 1202
    assert len(entry.orphan_chunks) == 1


def test_both_loaders_give_equal_digests(testbed: Testbed, catalog: Path, database: str) -> None:
    """Row images and LOAD DATA leave the same rows in every chunk table."""
    testbed.ingest(catalog, database=database)
    testbed.ingest(catalog, database=f"{database}_ld", loader=Loader.LOAD_DATA)
    assert digests(testbed.registry.replicas.all(database)) == digests(testbed.registry.replicas.all(f"{database}_ld"))


def test_ray_and_inline_give_equal_digests(private_cluster: PrivateCluster, catalog: Path, database: str) -> None:
    """Where the work runs makes no difference to any table."""
    with Testbed(private_cluster.folder, runtime="ray") as testbed:
        testbed.ingest(catalog, database=database, runtime="inline")
        testbed.ingest(catalog, database=f"{database}_ray", runtime="ray")
        assert digests(testbed.registry.replicas.all(database)) == digests(
            testbed.registry.replicas.all(f"{database}_ray")
        )
        assert_verified(testbed, f"{database}_ray")


def test_mono_holds_what_load_data_makes_of_the_files(testbed: Testbed, catalog: Path, database: str) -> None:
    """The oracle's rows are those that the server itself reads from the same text, value by value."""
    testbed.ingest(catalog, database=database)
    testbed.load_mono(database)
    plain = catalog / "data" / "Object.tsv"
    plain.write_bytes(gzip.decompress((catalog / "data" / "Object.tsv.gz").read_bytes()))
    with connect(testbed.cluster.endpoint("mono"), Account.LOADER, database, local_files=True) as connection:
        for name in ("Object", "Source", "Filter"):
            columns = ", ".join(c.name for c in testbed.plan(catalog).source.tables[name].table)
            connection.execute(f"CREATE TABLE loaded_{name} LIKE {name}")
            path = catalog / "data" / f"{name}.tsv"
            connection.execute(
                f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded_{name} CHARACTER SET binary ({columns})"
            )
            hashed = f"SELECT MD5(CONCAT_WS('|', {columns})), HEX(CONCAT_WS('|', {columns})) FROM"
            ours = sorted(connection.rows(f"{hashed} {name}"))
            assert ours == sorted(connection.rows(f"{hashed} loaded_{name}"))
            assert ours


def test_replicas_stand_on_different_nodes(testbed: Testbed, catalog: Path, database: str) -> None:
    """With two replicas every chunk table is on both nodes, with equal digests."""
    testbed.ingest(catalog, database=database, replicas=2)
    chunks = testbed.registry.published.catalog(database).tables["Object"].chunks
    assert all(entry.nodes == testbed.nodes for entry in chunks.values())
    assert_verified(testbed, database)


def test_subset_of_tables_is_ingested(testbed: Testbed, catalog: Path, database: str) -> None:
    """``--tables`` takes what it names, and wants a dependent's director with it."""
    testbed.ingest(catalog, database=database, tables=["Object", "Filter"])
    assert sorted(testbed.registry.published.catalog(database).tables) == ["Filter", "Object"]
    with pytest.raises(UserError, match="'Source' follows director 'Object'"):
        testbed.plan(catalog, tables=["Source"])


def test_replay_does_nothing(testbed: Testbed, catalog: Path, database: str) -> None:
    """The same source again adds no row and no transaction, and says what it passed over."""
    testbed.ingest(catalog, database=database)
    report = testbed.ingest(catalog, database=database)
    assert (report.transaction, report.rows) == (0, 0)
    assert report.replayed == {"Object": 1, "Source": 1, "Filter": 1, "Nothing": 1}
    assert len(testbed.registry.transactions.all(database)) == 1
    assert_verified(testbed, database)


def test_changed_part_is_refused(testbed: Testbed, catalog: Path, database: str) -> None:
    """A file that was taken in and has changed since is named; the database stays as it was."""
    testbed.ingest(catalog, database=database)
    path = catalog / "data" / "Filter.tsv"
    path.write_bytes(path.read_bytes() + b"7\tw\n")
    with pytest.raises(UserError, match=f"Filter.tsv' has changed since it was ingested into '{database}'"):
        testbed.ingest(catalog, database=database)
    assert_verified(testbed, database)


def data_files(testbed: Testbed, database: str) -> dict[str, tuple[int, int]]:
    """Data file → its inode and size, over all nodes."""
    files = [path for node in testbed.nodes for path in (testbed.cluster.data_dir(node) / database).glob("*.MYD")]
    return {f"{path.parts[-4]}/{path.name}": (path.stat().st_ino, path.stat().st_size) for path in files}


def test_published_database_takes_more_rows(testbed: Testbed, catalog: Path, database: str, tmp_path: Path) -> None:
    """A second transaction adds its rows to all of its tables and leaves every file of the first untouched."""
    testbed.ingest(catalog, database=database)
    before, old = data_files(testbed, database), testbed.registry.published.catalog(database)
    more = write_small_catalog(tmp_path / "more", objects=60, seed=6, first_key=500_000_000_000_000)
    testbed.ingest(more, database=database, tables=["Object", "Source"])
    after, new = data_files(testbed, database), testbed.registry.published.catalog(database)
    assert {name: after[name] for name in before} == before
    assert (new.tables["Object"].rows, new.tables["Source"].rows) == (360, 1202 + 242)
    assert old.tables["Object"].rows == 300
    assert_verified(testbed, database)


def test_old_generation_stays_readable(testbed: Testbed, catalog: Path, database: str, tmp_path: Path) -> None:
    """The names of a catalog read before a transaction still show what they showed; the new ones show all."""
    testbed.ingest(catalog, database=database)
    old = testbed.registry.published.catalog(database)
    more = write_small_catalog(tmp_path / "more", objects=60, seed=6, first_key=500_000_000_000_000)
    testbed.ingest(more, database=database, tables=["Object"])
    for seen, rows in ((old, 300), (testbed.registry.published.catalog(database), 360)):
        total = 0
        for chunk, entry in seen.tables["Object"].chunks.items():
            with connect(testbed.cluster.endpoint(entry.nodes[0]), Account.READER, database) as connection:
                total += connection.value(f"SELECT COUNT(*) FROM Object_{chunk}{entry.suffix}")
        assert total == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM Object",
        "SELECT COUNT(*), SUM(flag), MIN(ra), MAX(decl) FROM Object WHERE ra > 100",
        "SELECT o.objectId, s.sourceId FROM Object o JOIN Source s USING (objectId) WHERE flag = 1",
        "SELECT a.objectId, b.objectId FROM Object a, Object b WHERE a.objectId <> b.objectId "
        "AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.016",
        "SELECT objectId, ra FROM Object WHERE objectId IN (400000000000017, 500000000000034)",
        "SELECT * FROM Filter",
    ],
)
def test_answers_after_a_second_transaction(
    testbed: Testbed, tmp_path_factory: pytest.TempPathFactory, sql: str
) -> None:
    """The czar sees the rows of both transactions, and every pair across them, as one server does."""
    database = "two_transactions"
    if testbed.registry.databases.state(database) is None:
        folder = tmp_path_factory.mktemp("two")
        testbed.ingest(write_small_catalog(folder / "a"), database=database)
        more = write_small_catalog(folder / "b", objects=120, seed=6, first_key=500_000_000_000_000)
        testbed.ingest(more, database=database, tables=["Object", "Source"])
        testbed.load_mono(database)
    rows = [sorted(map(str, rows_in(testbed.query(sql, database=database, target=target).table))) for target in TARGETS]
    assert rows[0] == rows[1]
    assert rows[0]


def test_dependent_follows_a_director_of_an_earlier_transaction(testbed: Testbed, catalog: Path, database: str) -> None:
    """Source can come after Object, in a transaction of its own."""
    testbed.ingest(catalog, database=database, tables=["Object"])
    report = testbed.ingest(catalog, database=database, tables=["Source"])
    assert (report.tables[0].rows, report.tables[0].orphans) == (1202, 1)
    assert_verified(testbed, database)


def test_key_of_an_earlier_transaction_is_refused(
    testbed: Testbed, catalog: Path, database: str, tmp_path: Path
) -> None:
    """An object that is there already is refused, and nothing of its transaction is left."""
    testbed.ingest(catalog, database=database)
    before = data_files(testbed, database)
    again = write_small_catalog(tmp_path / "again", objects=20, seed=9)
    with pytest.raises(UserError, match="key 400000000000000 of director 'Object'"):
        testbed.ingest(again, database=database, tables=["Object", "Source"])
    assert data_files(testbed, database) == before
    assert [row["state"] for row in testbed.registry.transactions.all(database)] == ["finished", "aborted"]
    assert_verified(testbed, database)


def test_databases_of_a_family_share_their_placement(testbed: Testbed, catalog: Path, database: str) -> None:
    """A chunk of two databases with the same striping is on the same node."""
    testbed.ingest(catalog, database=database)
    testbed.ingest(catalog, database=f"{database}_two", replicas=2)
    one, two = (
        testbed.registry.published.catalog(name).tables["Object"].chunks for name in (database, f"{database}_two")
    )
    assert all(set(entry.nodes) <= set(two[chunk].nodes) for chunk, entry in one.items())


def test_verification_finds_a_changed_value(testbed: Testbed, catalog: Path, database: str) -> None:
    """Two values swapped in place, which no byte sum would see, fail the digest check; a lost row fails as well."""
    testbed.ingest(catalog, database=database)
    own = [r for r in testbed.registry.replicas.all(database) if r.chunk >= 0 and not r.is_overlap]
    replica = next(r for r in own if r.table == "Object" and r.rows > 3)
    name = f"Object_{replica.chunk}"
    with connect(testbed.cluster.endpoint(replica.node), Account.LOADER, database) as connection:
        (one, flag_one), (two, flag_two) = connection.rows(
            f"SELECT MIN(objectId), flag FROM {name} GROUP BY flag ORDER BY flag LIMIT 2"
        )
        connection.execute(f"UPDATE {name} SET flag = %s WHERE objectId = %s", [flag_two, one])
        connection.execute(f"UPDATE {name} SET flag = %s WHERE objectId = %s", [flag_one, two])
    failed = [check.name for check in testbed.verify(database) if not check.is_good]
    assert failed == ["digests"]


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("Object.tsv.gz", b"", b"", "is a broken gzip file"),
        ("Source.tsv", b"", b"1\t2\t3\n", "row 1: 3 columns where the table has 6"),
        ("Object.tsv.gz", b"400000000000017\t", b"400000000000017\tnan\t", "columns where the table has 7"),
        ("Object.tsv.gz", b"\t1\n", b"\t1000\n", "column 'flag': '1000' is outside -128 to 127"),
        (
            "Object.tsv.gz",
            b"400000000000017\t",
            b"400000000000000\t",
            "key 400000000000000 of director",
        ),
    ],
)
def test_wrong_input_leaves_nothing(
    testbed: Testbed, catalog: Path, database: str, file: str, old: bytes, new: bytes, words: str
) -> None:
    """Each wrong input is one line that names the file, and no trace of the ingest is left."""
    path = catalog / "data" / file
    content = gzip.decompress(path.read_bytes()) if file.endswith(".gz") else path.read_bytes()
    changed = content.replace(old, new, 1) if old else new + content
    packed = gzip.compress(changed) if file.endswith(".gz") else changed
    path.write_bytes(packed if old or new else packed[:-30])
    with pytest.raises(UserError) as caught:
        testbed.ingest(catalog, database=database)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_left(testbed, database)


@pytest.mark.parametrize("position", [("nan", "1.0"), ("10.0", "90.5"), ("10.0", "inf"), ("\\N", "1.0")])
def test_director_row_off_the_sphere_is_refused(
    testbed: Testbed, catalog: Path, database: str, position: tuple[str, str]
) -> None:
    """NaN, infinity, NULL and declination 90.5 are named with file and row."""
    path = catalog / "data" / "Object.tsv.gz"
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    fields = lines[4].split(b"\t")
    fields[1], fields[2] = position[0].encode(), position[1].encode()
    lines[4] = b"\t".join(fields)
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    with pytest.raises(UserError, match="row 5"):
        testbed.ingest(catalog, database=database)
    assert_nothing_left(testbed, database)


def test_longitudes_are_wrapped_and_counted(testbed: Testbed, catalog: Path, database: str) -> None:
    """RA -1 and 360.0 find their chunk, and the report says how many were wrapped."""
    path = catalog / "data" / "Object.tsv.gz"
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    for row, ra in ((0, b"-1.0"), (1, b"360.0")):
        fields = lines[row].split(b"\t")
        lines[row] = b"\t".join([fields[0], ra, *fields[2:]])
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    report = testbed.ingest(catalog, database=database, tables=["Object"])
    assert report.tables[0].conversions["ra: longitude wrapped into [0, 360) to find the chunk"] == 2
    assert_verified(testbed, database)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here")
def test_case01_has_the_published_chunks(testbed: Testbed, database: str) -> None:
    """Qserv's case01: 13 chunks with the published rows and overlap rows, nine tables, 36 orphans."""
    report = testbed.ingest(SHARED / "data" / "qserv-case01", database=database)
    catalog = testbed.registry.published.catalog(database)
    chunks = catalog.tables["Object"].chunks
    assert {chunk: (entry.rows, entry.overlap_rows) for chunk, entry in chunks.items()} == CASE01_CHUNKS
    assert {name: table.rows for name, table in catalog.tables.items()} == CASE01_ROWS
    assert sum(table.orphans for table in report.tables) == 36
    assert_verified(testbed, database)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here")
def test_case01_rows_are_where_qservs_partitioner_puts_them(testbed: Testbed, database: str) -> None:
    """Every row of Object and its overlap stands in the chunk and sub-chunk of Qserv's own chunk files."""
    testbed.ingest(SHARED / "data" / "qserv-case01", database=database, tables=["Object"])
    golden = SHARED / "data" / "qserv-ingest-case01" / "partition" / "case01" / "Object"
    for replica in testbed.registry.replicas.all(database, "Object"):
        suffix = "_overlap" if replica.is_overlap else ""
        path = golden / f"chunk_{replica.chunk}{suffix}.txt"
        lines = path.read_bytes().rstrip(b"\n").split(b"\n") if path.exists() else []
        want = sorted((int(f[0]), int(f[-2]), int(f[-1])) for f in (line.split(b"\t") for line in lines))
        name = f"ObjectFullOverlap_{replica.chunk}" if replica.is_overlap else f"Object_{replica.chunk}"
        with connect(testbed.cluster.endpoint(replica.node), Account.READER, database) as connection:
            assert sorted(connection.rows(f"SELECT objectId, chunkId, subChunkId FROM {name}")) == want


def test_digest_of_the_database_is_the_sum_of_its_parts(testbed: Testbed, catalog: Path, database: str) -> None:
    """Contributions add up to the replicas, chunk table by chunk table."""
    testbed.ingest(catalog, database=database)
    sums: dict[tuple[str, int, bool], RowDigest] = {}
    for row in testbed.registry.contributions.all(database):
        key = (row["table"], int(row["chunk"]), bool(row["is_overlap"]))
        sums[key] = sums.get(key, RowDigest(0, 0)) + RowDigest.parse(row["digest"])
    held = digests(testbed.registry.replicas.all(database))
    assert {key: str(total) for key, total in sums.items()} == {key: held[key] for key in sums}


def test_director_index_is_rebuilt_from_the_chunk_tables(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A czar that lost the index, of two transactions, gets the same one again, and later ingests still check keys."""
    for number, first_key in enumerate((400_000_000_000_000, 500_000_000_000_000)):
        testbed.ingest(
            write_small_catalog(tmp_path / str(number), objects=80, seed=number, first_key=first_key),
            database=database, tables=["Object"],
        )  # fmt: skip
    good = testbed.verify(database)
    loader = MariaDBLoader("czar", testbed.cluster.endpoint("czar"), str(testbed.cluster.data_dir("czar")))
    loader.drop_tables(
        INDEX_DATABASE, [name for name in loader.tables(INDEX_DATABASE) if name.startswith(f"{database}__")]
    )
    shutil.rmtree(testbed.cluster.folder / "director-keys" / database)
    assert not all(check.is_good for check in testbed.verify(database))
    assert testbed.rebuild_indexes(database) == {"Object": 160}
    assert testbed.verify(database) == good
    key = 500_000_000_000_000 + 17
    assert testbed.query(f"SELECT COUNT(*) FROM Object WHERE objectId = {key}", database=database).table.to_pylist()[0]
    again = write_small_catalog(tmp_path / "again", objects=20, seed=9, first_key=key)
    with pytest.raises(UserError, match=f"key {key} of director 'Object'"):
        testbed.ingest(again, database=database, tables=["Object"])


def test_dependent_follows_a_director_of_another_database(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """Sources of one database stand with the objects of another of its family, and are joined as by one server."""
    catalog = write_small_catalog(tmp_path / "small", objects=120, seed=4)
    objects, sources = f"{database}_o", f"{database}_s"
    whole = testbed.plan(catalog).layout
    follows = whole.tables["Source"].model_copy(update={"director": f"{objects}.Object", "position": None})
    layout = whole.model_copy(update={"tables": {"Source": follows}})
    options: dict[str, Any] = {"database": sources, "tables": ["Source"]}
    with pytest.raises(UserError, match=f"no database '{objects}' is published"):
        testbed.ingest(catalog, layout=layout, **options)
    testbed.ingest(catalog, database=objects, tables=["Object"])
    other = layout.model_copy(update={"striping": Striping(stripes=85, substripes=12, overlap_deg=0.02)})
    with pytest.raises(UserError, match="is of family"):
        testbed.ingest(catalog, layout=other, **options)
    testbed.ingest(catalog, layout=layout, **options)
    assert [check for name in (objects, sources) for check in testbed.verify(name) if not check.is_good] == []
    for name in (objects, sources):
        testbed.load_mono(name)
    key = 400_000_000_000_017
    for sql in (
        f"SELECT COUNT(*), SUM(s.psfFlux) FROM {objects}.Object o JOIN {sources}.Source s ON o.objectId = s.objectId",
        f"SELECT o.objectId, s.sourceId FROM {objects}.Object o, {sources}.Source s "
        "WHERE o.objectId = s.objectId AND o.flag = 1",
        f"SELECT sourceId FROM {sources}.Source WHERE objectId = {key}",
        f"SELECT o.ra, s.sourceId FROM {objects}.Object o LEFT JOIN {sources}.Source s ON o.objectId = s.objectId "
        "WHERE o.decl < 10",
        f"SELECT COUNT(*) FROM {sources}.Source",
    ):
        answers = [rows_in(testbed.query(sql, target=target).table) for target in TARGETS]
        assert sorted(map(str, answers[0])) == sorted(map(str, answers[1])), sql
        assert answers[0]
