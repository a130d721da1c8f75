"""Sources through the whole ingest, on real nodes: the same rows whatever the wrapping, nothing left of wrong input."""

from __future__ import annotations

import gzip
import uuid
from pathlib import Path

import numpy as np
import pytest
from tests.support.fits_tables import column, fits_file, table_hdu
from tests.support.small_match import BORDER, write_catalog
from tests.support.small_metadata import edit_json, write_metadata_folder

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker
from skyshard.db.connection import Account, connect
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def database() -> str:
    return f"s{uuid.uuid4().hex[:10]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_metadata_folder(tmp_path / "handed")


def digests(testbed: Testbed, database: str, table: str) -> dict[tuple[int, bool], str]:
    return {(r.chunk, r.is_overlap): r.digest for r in testbed.registry.replicas.all(database, table)}


def assert_verified(testbed: Testbed, database: str) -> None:
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def assert_nothing_left(testbed: Testbed, database: str) -> None:
    """No database, file, registry entry or bundle of a refused ingest."""
    for name in ("czar", *testbed.nodes):
        with connect(testbed.cluster.endpoint(name), Account.ADMIN) as connection:
            assert database not in [row[0] for row in connection.rows("SHOW DATABASES")]
        assert not (testbed.cluster.data_dir(name) / database).exists()
    assert testbed.registry.databases.state(database) is None
    assert not list((testbed.cluster.folder / "staging").glob(f"{database}*"))


def test_fits_tables_are_ingested_once_and_verified(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """The mapping that the guide shows takes a packed FITS file; it is ingested once, a changed one is refused."""
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/ingest.md").read_text()
    mapping = page.split("## Files of FITS", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "mapping.yaml").write_text(mapping)
    random = np.random.default_rng(5)
    magnitudes = random.normal(20, 2, (300, 5)).astype(np.float32)
    columns = [
        column("OBJID", "K", range((1 << 60) + 1, (1 << 60) + 301)), column("RA", "D", random.random(300) * 360),
        column("DEC", "D", random.random(300) * 180 - 90), column("PSFMAG", "5E", magnitudes),
        column("FLAGS", "J", np.full(300, -(1 << 31)), TZERO=1 << 31),
    ]  # fmt: skip
    path = tmp_path / "sweep-1.fits.gz"
    path.write_bytes(gzip.compress(fits_file(table_hdu(columns, datasum=True))))
    testbed.ingest(tmp_path, database=database)
    assert_verified(testbed, database)
    sql = "SELECT COUNT(*) AS n, MAX(OBJID) AS last, MAX(FLAGS) AS f, SUM(PSFMAG_4) AS s FROM PhotoObj"
    (found,) = testbed.query(sql, database=database).table.to_pylist()
    assert found.pop("s") == pytest.approx(float(magnitudes[:, 4].sum(dtype=np.float64)))
    assert found == {"n": 300, "last": (1 << 60) + 300, "f": 0}
    before = digests(testbed, database, "PhotoObj")
    testbed.ingest(tmp_path, database=database)
    assert digests(testbed, database, "PhotoObj") == before
    path.write_bytes(gzip.compress(fits_file(table_hdu(columns[:4]))))
    with pytest.raises(UserError, match="sweep-1"):
        testbed.ingest(tmp_path, database=database)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here")
def test_case01_prechunked_equals_its_test_catalog(testbed: Testbed, database: str) -> None:
    """The chunk files of Qserv's own partitioner give the chunk tables that we compute from the whole files."""
    testbed.ingest(SHARED / "qserv-ingest-case01", database=database)
    testbed.ingest(SHARED / "qserv-case01", database=f"{database}_whole", tables=["Object", "Source"])
    for table in ("Object", "Source"):
        assert digests(testbed, database, table) == digests(testbed, f"{database}_whole", table)
    assert_verified(testbed, database)


def test_metadata_folder_is_ingested_and_indexed(testbed: Testbed, folder: Path, database: str) -> None:
    """Chunk tables, dependents by key, empty chunk files and the indexes of the index files."""
    testbed.ingest(folder, database=database)
    catalog = testbed.registry.published.catalog(database)
    assert {name: table.rows for name, table in catalog.tables.items()} == {"Object": 200, "Source": 400, "Filter": 2}
    assert_verified(testbed, database)
    chunk, entry = next((c, e) for c, e in catalog.tables["Object"].chunks.items() if e.rows)
    with connect(testbed.cluster.endpoint(entry.nodes[0]), Account.READER, database) as connection:
        (_, text), *_ = connection.rows(f"SHOW CREATE TABLE Object_{chunk}")
    assert "KEY `by_name` (`name`(4),`objectId`)" in text


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("step1/chunk_*[0-9].txt", ",n", ",far too long", "column 'name'"),
        ("step1/chunk_*_overlap.txt", ",n", ",m", "the overlap of chunk"),
        ("step2/chunk_*.txt", "1.5,", "1.5,9", "chunkId 9"),
    ],
)
def test_wrong_chunk_files_leave_nothing(
    testbed: Testbed, folder: Path, database: str, file: str, old: str, new: str, words: str
) -> None:
    """A value, a copy and a chunk number that are wrong: one line, no trace, and right once mended."""
    path = next(path for path in sorted(folder.glob(file)) if path.stat().st_size)
    content = path.read_text()
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        testbed.ingest(folder, database=database)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_left(testbed, database)
    path.write_text(content)
    testbed.ingest(folder, database=database)
    assert_verified(testbed, database)


def test_other_overlap_is_another_family(testbed: Testbed, folder: Path, database: str) -> None:
    """The same stripes with another overlap share no placement with the first."""
    testbed.ingest(folder, database=database, tables=["Filter"])
    edit_json(folder / "database.json", overlap=0.01)
    other = testbed.plan(folder, tables=["Filter"]).layout.striping.family
    assert other != testbed.registry.published.catalog(database).layout.striping.family


@pytest.mark.parametrize("loader", list(Loader))
def test_ref_match_table_between_two_directors(testbed: Testbed, tmp_path: Path, database: str, loader: Loader) -> None:
    """Several directors in one database, each with its index; a match row is where its sides are, flagged."""
    testbed.ingest(write_catalog(tmp_path), database=database, loader=loader)
    catalog = testbed.registry.published.catalog(database)
    low, high = (
        int(chunk) for chunk in Chunker(85, 12, 0.01667).locate([10.0] * 2, [BORDER - 0.001, BORDER + 0.001])[0]
    )
    assert {chunk: entry.rows for chunk, entry in catalog.tables["Match"].chunks.items()} == {low: 3, high: 3}
    found = []
    for chunk, entry in catalog.tables["Match"].chunks.items():
        with connect(testbed.cluster.endpoint(entry.nodes[0]), Account.READER, database) as connection:
            found += connection.rows(f"SELECT COALESCE(id1, 0), COALESCE(id2, 0), chunkId, flag FROM Match_{chunk}")
    assert sorted(found) == sorted(
        [(1, 11, low, 3), (1, 12, low, 1), (1, 12, high, 2), (2, 12, high, 3), (0, 11, low, 2), (2, 0, high, 1)]
    )
    for director, keys in (("Object", [1, 2]), ("RefObject", [11, 12])):
        places = testbed.registry.published.locate_keys(database, director, keys)
        assert places == {keys[0]: frozenset({low}), keys[1]: frozenset({high})}
    assert_verified(testbed, database)


def test_ref_match_table_wants_both_directors(testbed: Testbed, tmp_path: Path) -> None:
    """--tables that leave out one of the directors are refused by name."""
    with pytest.raises(UserError, match="table 'Match' follows director 'RefObject', which is not ingested with it"):
        testbed.plan(write_catalog(tmp_path), tables=["Match", "Object"])
