"""Harmed indexes and lists of parts: verify names them, queries do not hide them, and they are made anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.same_answer import rows_in

from skyshard.basics.errors import SkyshardError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.testbed import Testbed

DATABASE = "sound"
QUERIES = (
    "SELECT COUNT(*), SUM(objectId) FROM Object WHERE flag >= 0",
    "SELECT COUNT(*), SUM(visitId) FROM Visit WHERE visitId > 0",
    "SELECT COUNT(*) FROM Object o JOIN Source s USING (objectId)",
)


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Two transactions of every role, on both nodes."""
    folder = tmp_path_factory.mktemp("sound")
    with Testbed(private_cluster.folder) as testbed:
        for seed in (1, 2):
            testbed.ingest(write_catalog(folder / str(seed), objects=40, seed=seed), database=DATABASE, replicas=2)
        yield testbed


def answers(testbed: Testbed) -> list[str]:
    return [str(rows_in(testbed.query(sql, database=DATABASE).table)) for sql in QUERIES]


def faults(testbed: Testbed) -> list[str]:
    return [check.name for check in testbed.verify(DATABASE) if not check.is_good]


def folder_of(testbed: Testbed, server: str) -> Path:
    return testbed.cluster.data_dir(server) / (INDEX_DATABASE if server == CZAR_NAME else DATABASE)


def flush(testbed: Testbed, server: str) -> None:
    with connect(testbed.cluster.endpoint(server), Account.ADMIN) as connection:
        connection.execute("FLUSH TABLES")


def cut_index(folder: Path) -> Path:
    path = max(folder.glob("Object_*[0-9].MYI"), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:1500])
    return path


def index_of_another(folder: Path) -> Path:
    """An index that is whole, but not of this table's rows; as many rows, so that counts do not tell."""
    path = max(folder.glob("Source_*[0-9].MYI"), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    for at in range(1024 + 8, len(content) - 8, 1024):
        content[at : at + 8] = bytes(8)
    path.write_bytes(bytes(content))
    return path


def missing_part(folder: Path) -> Path:
    path = next(path for path in sorted(folder.glob("Object_*_g*.MRG")))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    return path


def doubled_part(folder: Path) -> Path:
    path = next(path for path in sorted(folder.glob("Visit_g*.MRG")))
    first = path.read_text().splitlines(keepends=True)[0]
    path.write_text(first * 2)
    return path


def no_index(folder: Path) -> Path:
    path = min(folder.glob("Source_*_p*.MYI"))
    path.unlink()
    return path


def of_the_director(folder: Path) -> Path:
    path = min(folder.glob(f"{DATABASE}__Object*.MYI"))
    path.write_bytes(path.read_bytes()[:1030])
    return path


def list_of_the_director(folder: Path) -> Path:
    path = next(folder.glob(f"{DATABASE}__Object_g*.MRG"))
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    return path


HARMS = (
    ("node1", cut_index), ("node2", index_of_another), ("node2", missing_part), ("node1", doubled_part),
    (CZAR_NAME, of_the_director), (CZAR_NAME, list_of_the_director), ("node2", no_index),
)  # fmt: skip


@pytest.mark.parametrize(("server", "harm"), HARMS)
def test_what_is_harmed_is_named_and_mended(testbed: Testbed, server: str, harm: Callable[[Path], Path]) -> None:
    """No answer is wrong without verify saying so; after the indexes are rebuilt everything is as it was."""
    assert faults(testbed) == []
    before = answers(testbed)
    folder = folder_of(testbed, server)
    flush(testbed, server)
    harmed = harm(folder)
    check = next(check for check in testbed.verify(DATABASE) if check.name == "tables as queries read them")
    assert not check.is_good
    assert f"{server}: {harmed.stem}" in check.found
    assert f"skyshard index rebuild {DATABASE}" in check.found
    testbed.rebuild_indexes(DATABASE)
    assert faults(testbed) == []
    assert answers(testbed) == before


def test_a_query_names_a_harmed_index_and_the_remedy(testbed: Testbed) -> None:
    """Where no other copy answers, the error says which table it is and what mends it; not the server's own words."""
    for server in testbed.nodes:
        flush(testbed, server)
        for path in folder_of(testbed, server).glob("Object_*[0-9].MYI"):
            shutil.copy(path, path.with_suffix(".kept"))
            path.write_bytes(path.read_bytes()[:1100] if path.stat().st_size > 1100 else path.read_bytes())
    with pytest.raises(SkyshardError) as caught:
        testbed.query("SELECT COUNT(flag) FROM Object WHERE objectId BETWEEN 1 AND 9e18", database=DATABASE)
    assert "is damaged" in str(caught.value)
    assert f"skyshard index rebuild {DATABASE}" in str(caught.value)
    for server in testbed.nodes:
        for path in folder_of(testbed, server).glob("*.kept"):
            path.unlink()
    testbed.rebuild_indexes(DATABASE)
    assert faults(testbed) == []
