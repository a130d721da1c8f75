"""The czar against the unsharded oracle, over a small sky made for trouble."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.same_answer import difference, rows_in
from tests.support.statement_cases import Case, read_cases
from tests.support.trouble_sky import DATABASE, ROWS, Sky, build_sky

from skyshard.basics.errors import Refusal, UserError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import QueryResult
from skyshard.czar.plan.query_plan import Kind
from skyshard.czar.run.scratch_tables import query_name
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration

CASES = Path(__file__).resolve().parents[1] / "cases" / "statements.sql"


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[Sky]:
    made = build_sky(private_cluster)
    yield made
    made.close()


def made_result(rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...] = ("n", "x", "t")) -> QueryResult:
    arrays = [pa.array(values) for values in zip(*rows, strict=True)]
    table = pa.Table.from_arrays(arrays, [f"c{place}" for place in range(len(arrays))])
    return QueryResult(columns, table, None)  # type: ignore[arg-type]


FEW = [(1, 0.5, "a"), (2, -0.5, "b"), (2, None, None)]


@pytest.mark.parametrize(
    "wrong",
    [
        made_result(FEW[:2]),
        made_result([*FEW, FEW[0]]),
        made_result([FEW[0], FEW[0], FEW[2]]),
        made_result([(1, -0.5, "a"), (2, 0.5, "b"), FEW[2]]),
        made_result([*FEW[:2], (2, 0.0, None)]),
        made_result([*FEW[:2], (2, None, "")]),
        made_result([*FEW[:2], (2, float("nan"), None)]),
        made_result([(1, 0.5 + 1e-8, "a"), *FEW[1:]]),
        made_result([(float(n), x, t) for n, x, t in FEW]),
        made_result([(str(n), x, t) for n, x, t in FEW]),
        made_result(FEW, ("n", "y", "t")),
    ],
)
def test_a_wrong_answer_is_told_from_the_oracle_s(wrong: QueryResult) -> None:
    """What compares the two must be seen to fail: rows, pairings, NULLs, digits, types, names."""
    assert difference(wrong, made_result(FEW), is_ordered=False) != ""
    assert difference(made_result(FEW[::-1]), made_result(FEW), is_ordered=False) == ""
    assert difference(made_result(FEW[::-1]), made_result(FEW), is_ordered=True) != ""


@pytest.mark.parametrize("case", read_cases(CASES.read_text()), ids=lambda case: case.sql[:70])
def test_czar_answers_as_one_server(sky: Sky, case: Case) -> None:
    """Names, types and rows of a sharded answer are those of one server, as text and as row images."""
    want = sky.mono.execute(case.sql, DATABASE)
    for czar in sky.czars.values():
        got = czar.execute(case.sql, DATABASE)
        assert difference(got, want, is_ordered=case.is_ordered) == ""
        if case.kind:
            assert got.stats.kind == case.kind


def test_a_chunk_number_is_read_alone(sky: Sky) -> None:
    """One chunk of many is asked; a table without chunks has no such column."""
    for czar in sky.czars.values():
        chunks = {sql: czar.execute(sql, DATABASE).stats.chunks for sql in (
            "SELECT ra FROM Object WHERE chunkId = 361",
            "SELECT ra FROM Object WHERE chunkId IN (361, 324) AND subChunkId = 5",
        )}  # fmt: skip
        assert list(chunks.values()) == [1, 2]
        with pytest.raises(UserError, match="chunkId"):
            czar.execute("SELECT * FROM Filter WHERE chunkId = 361", DATABASE)


def scratch_tables(cluster: PrivateCluster) -> list[tuple[Any, ...]]:
    found = []
    for name in ("czar", "mono", *cluster.node_names):
        with connect(cluster.endpoint(name), Account.ADMIN) as connection:
            found += connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}")
    return found


def test_scratch_databases_are_empty_afterwards(sky: Sky, private_cluster: PrivateCluster) -> None:
    """Answered, refused or failed: no query leaves a table behind."""
    for czar in sky.czars.values():
        czar.execute("SELECT kind, COUNT(*) FROM Object GROUP BY kind", DATABASE)
        with pytest.raises(UserError, match="the server refuses"):
            czar.execute("SELECT nosuchfunction(ra) FROM Object", DATABASE)
        with pytest.raises(UserError, match="out of range"):
            czar.execute("SELECT SUM(objectId * 4) FROM Object", DATABASE)
    assert scratch_tables(private_cluster) == []


def test_interrupted_query_stops_everywhere(sky: Sky, private_cluster: PrivateCluster) -> None:
    """Ctrl-C in the middle of a long query: nothing of it runs on, nothing is left."""
    sql = (
        "SELECT a.objectId, SUM(SIN(a.ra) * b.t) FROM Object a, Visit b, Visit v, Visit w, Visit x, Visit y GROUP BY 1"
    )
    main = threading.main_thread().ident
    assert main is not None
    for czar in sky.czars.values():
        timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            czar.execute(sql, DATABASE)
        timer.join()
    for name in ("czar", *private_cluster.node_names):
        with connect(private_cluster.endpoint(name), Account.ADMIN) as connection:
            while any("SIN(" in str(row[7]) for row in connection.rows("SHOW PROCESSLIST")):
                time.sleep(0.05)
    assert scratch_tables(private_cluster) == []


def test_tables_of_a_killed_czar_are_swept(sky: Sky, private_cluster: PrivateCluster) -> None:
    """A scratch table of a process that is gone is dropped; one of a living process stays."""
    mine = f"{query_name()}_p0"
    with connect(private_cluster.endpoint("node1"), Account.ADMIN) as connection:
        for name in ("q_999999_1_7_p0", mine):
            connection.execute(f"CREATE TABLE {SCRATCH_DATABASE}.{name} (x INT)")
        assert sky.czar.sweep() == 1
        assert connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}") == [(mine,)]
        connection.execute(f"DROP TABLE {SCRATCH_DATABASE}.{mine}")


def test_many_threads_get_their_own_answers(sky: Sky) -> None:
    """One czar serves several threads at once without mixing answers."""

    def ask(number: int) -> list[Any]:
        sql = f"SELECT objectId, {number} FROM Object WHERE kind = {number % 4} ORDER BY ra LIMIT 3"
        czar = sky.czars["image" if number % 2 else "text"]
        return list(czar.execute(sql, DATABASE).table.column(1).to_pylist())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == [[number] * 3 for number in range(40)]


def test_pairs_beyond_the_overlap_are_refused(sky: Sky) -> None:
    """A separation wider than the overlap with no key to join on is refused, and the remedy names the overlap."""
    sql = "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5"
    with pytest.raises(Refusal, match=r"0\.4") as refusal:
        sky.czar.execute(sql, DATABASE)
    assert refusal.value.code == "pairs-beyond-overlap"


def test_pairs_are_those_of_brute_force(sky: Sky) -> None:
    """Near-neighbour pairs through overlap tables: none lost at borders, wrap and poles, none found twice."""
    from skyshard.chunking.sphere import ang_sep

    objects = ROWS["Object"]
    ra, dec = (np.array([row[index] for row in objects]) for index in (1, 2))
    near = ang_sep(ra[:, None], dec[:, None], ra[None, :], dec[None, :]) < 0.35
    want = {(objects[i][0], objects[j][0]) for i, j in zip(*np.nonzero(near), strict=True)}
    got = sky.czar.execute(
        "SELECT a.objectId, b.objectId FROM Object a, Object b WHERE scisql_angSep(a.ra,a.decl,b.ra,b.decl) < 0.35",
        DATABASE,
    )
    assert got.stats.kind is Kind.NEAR_NEIGHBOUR
    pairs = rows_in(got.table)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == want
