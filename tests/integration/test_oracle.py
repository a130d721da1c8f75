"""The oracle answers from all published rows or not at all: after transactions, failures, loads that were killed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.same_answer import rows_in

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import MONO_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.catalog.mono_state import ORACLE_DATABASE
from skyshard.scenarios.testbed_target import has_mono
from skyshard.testbed import Testbed

COLUMNS = {
    "Object": "id bigint, ra double, decl double",
    "Src": "sid bigint, id bigint, v int",
    "Visit": "visit int, band int, w int",
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "Object": {"role": "director", "key": "id", "position": ["ra", "decl"]},
    "Src": {"role": "dependent", "director": "Object", "key": "id", "primary_key": ["sid"]},
    "Visit": {"role": "regular", "primary_key": ["visit", "band"]},
}


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    private_cluster.start_mono()
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


@pytest.fixture
def database() -> str:
    return f"o{uuid.uuid4().hex[:8]}"


def add(testbed: Testbed, folder: Path, database: str, **rows: list[tuple[Any, ...]]) -> None:
    """One transaction."""
    folder = folder / uuid.uuid4().hex
    folder.mkdir()
    tables = {}
    for name, values in rows.items():
        columns = [column.split() for column in COLUMNS[name].split(", ")]
        keys = LAYOUTS[name].get("primary_key", [])
        lines = [",".join(column for column, _ in columns), *(",".join(map(str, row)) for row in values)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        declared = [{"name": column, "type": kind, "nullable": column not in keys} for column, kind in columns]
        tables[name] = LAYOUTS[name] | {"files": [f"{name}.csv"], "declare": declared}
    striping = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "database": database, "striping": striping, "tables": tables}))
    testbed.ingest(path)


def ask(testbed: Testbed, database: str, sql: str, target: Any = "mono") -> list[tuple[Any, ...]]:
    table = testbed.query(sql, database=database, target=target).table
    return sorted(rows_in(table))


def test_a_later_transaction_makes_the_oracle_old(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """It says what it has and what there is, and the benchmark says so before it begins; compaction changes nothing."""
    add(testbed, tmp_path, database, Object=[(1, 25.1, 12.5)])
    assert not has_mono(testbed, database)
    with pytest.raises(UserError, match=f"the oracle does not hold '{database}'; run skyshard mono load {database}"):
        ask(testbed, database, "SELECT COUNT(*) FROM Object")
    testbed.load_mono(database)
    assert has_mono(testbed, database)
    add(testbed, tmp_path, database, Object=[(2, 25.1, 12.6)])
    old = rf"the oracle has '{database}' as of transaction \d+, the catalog is at transaction \d+; run skyshard mono"
    for call in (lambda: ask(testbed, database, "SELECT id FROM Object"), lambda: has_mono(testbed, database)):
        with pytest.raises(UserError, match=old):
            call()
    testbed.load_mono(database)
    testbed.compact(database, grace_s=0.0)
    assert ask(testbed, database, "SELECT id FROM Object") == [(1,), (2,)]


def test_each_database_of_a_statement_counts(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A statement over two databases needs both as they are published."""
    other = f"{database}_2"
    for name in (database, other):
        add(testbed, tmp_path, name, Object=[(1, 25.1, 12.5)], Visit=[(1, 1, 1)])
    testbed.load_mono(database)
    sql = f"SELECT COUNT(*) FROM Object a, {other}.Visit b"
    with pytest.raises(UserError, match=f"does not hold '{other}'"):
        ask(testbed, database, sql)
    testbed.load_mono(other)
    assert ask(testbed, database, sql) == [(1,)]
    assert ask(testbed, database, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_load_that_ends_half_way_answers_nothing(
    testbed: Testbed, tmp_path: Path, database: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever call to the oracle's loader is the last one: no answers, and the next load is whole."""
    add(testbed, tmp_path, database, Object=[(1, 25.1, 12.5), (2, 200.0, -40.0)], Visit=[(1, 1, 1)])
    testbed.load_mono(database)
    loader = testbed.wiring.loader(MONO_NAME)
    real, calls = loader.call, iter(range(step))

    def call(*args: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(loader), "call", lambda self, *args, **options: call(*args, **options))
        with pytest.raises(KeyboardInterrupt):
            testbed.load_mono(database)
    if step > 1:
        with pytest.raises(UserError, match=f"the oracle does not hold '{database}'"):
            ask(testbed, database, "SELECT COUNT(*) FROM Object")
    testbed.load_mono(database)
    assert ask(testbed, database, "SELECT COUNT(*) FROM Object") == [(2,)]


def test_an_answer_beside_a_load_is_none(
    testbed: Testbed, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is loaded again while a statement runs over it: the answer is not given."""
    add(testbed, tmp_path, database, Object=[(1, 25.1, 12.5)])
    testbed.load_mono(database)
    run = testbed.mono._run

    def run_and_load(*args: Any) -> Any:
        found = run(*args)
        testbed.load_mono(database)
        return found

    monkeypatch.setattr(testbed.mono, "_run", run_and_load)
    with pytest.raises(ClusterError, match="loaded again meanwhile; ask again"):
        ask(testbed, database, "SELECT COUNT(*) FROM Object")


def test_keys_that_stand_twice_are_all_there(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A value of a primary key in two chunks, or in two transactions: every row is found by it, everywhere."""
    add(
        testbed, tmp_path, database, Object=[(1, 25.1, 12.5), (2, 200.0, -40.0)],
        Src=[(10, 1, 1), (10, 2, 2), (20, 2, 3)], Visit=[(1, 1, 1), (2, 1, 2)],
    )  # fmt: skip
    add(testbed, tmp_path, database, Src=[(10, 1, 4), (20, 1, 5)], Visit=[(1, 1, 3)])
    sqls = {
        "SELECT v FROM Src WHERE sid = 10": [(1,), (2,), (4,)],
        "SELECT v FROM Src WHERE sid = 10 AND id = 1": [(1,), (4,)],
        "SELECT w FROM Visit WHERE visit = 1 AND band = 1": [(1,), (3,)],
        "SELECT s.v, t.w FROM Src s JOIN Visit t ON t.visit = s.id AND t.band = 1 WHERE s.sid = 20": [
            (3, 2), (5, 1), (5, 3)],
    }  # fmt: skip
    for _ in range(2):
        testbed.load_mono(database)
        for sql, rows in sqls.items():
            assert ask(testbed, database, sql, "czar") == rows
            assert ask(testbed, database, sql) == rows
        testbed.compact(database, grace_s=0.0)
        assert [check for check in testbed.verify(database) if not check.is_good] == []
    add(testbed, tmp_path, database, Src=[(10, 1, 6)], Visit=[(1, 1, 6)])
    assert ask(testbed, database, "SELECT v FROM Src WHERE sid = 10 AND id = 1", "czar") == [(1,), (4,), (6,)]
    assert ask(testbed, database, "SELECT w FROM Visit WHERE visit = 1 AND band = 1", "czar") == [(1,), (3,), (6,)]


def test_the_oracle_keeps_its_word_over_a_restart(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """What it holds is recorded where the rows are; rows that somebody loaded without a record do not count."""
    add(testbed, tmp_path, database, Object=[(1, 25.1, 12.5)])
    testbed.load_mono(database)
    with connect(testbed.cluster.endpoint(MONO_NAME), Account.ADMIN) as mono:
        mono.execute(f"DELETE FROM {ORACLE_DATABASE}.loads WHERE name = '{database}'")
    with pytest.raises(UserError, match="does not hold"):
        ask(testbed, database, "SELECT COUNT(*) FROM Object")
