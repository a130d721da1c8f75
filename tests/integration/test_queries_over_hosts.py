"""Queries over three hosts, by TLS, without Ray and without a disk that two hosts see.

``SKYSHARD_STATEMENTS`` sets how many statements are drawn, ``SKYSHARD_SEED`` where they begin, ``SKYSHARD_PULLS`` how
often a cable is pulled.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.czar_grammar import Grammar
from tests.support.depth import how_many
from tests.support.hosts import Lab
from tests.support.named_lab import NamedLab, named_lab
from tests.support.same_answer import difference
from tests.support.split_sky import SplitSky, Splitter, make_rows
from tests.support.statement_cases import read_cases
from tests.support.trouble_sky import DATABASE, Sky, build_sky

from skyshard.basics.errors import ClusterError, Refusal, SkyshardError, UserError
from skyshard.catalog.layout import Striping
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.czar.czar import Czar
from skyshard.czar.plan.chunk_template import ChunkText
from skyshard.czar.plan.query_plan import FEWEST_PAIR_ROWS
from skyshard.czar.result.answer import QueryResult
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.run import backlog, carrier_check, pull_reader
from skyshard.czar.run.node_tables import LeftRows
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.run.scratch_tables import query_name
from skyshard.czar.scan.carrier import Carrier
from skyshard.db.connection import Account, connect
from skyshard.rowimage.sqltype import parse_type

pytestmark = pytest.mark.hosts
CASES = read_cases((Path(__file__).resolve().parents[1] / "cases" / "statements.sql").read_text())
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 24)
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
PULLS = how_many("SKYSHARD_PULLS", 1)
STRIPING = Striping(stripes=6, substripes=5, overlap_deg=2.0)
STARS = 48
KNOWN = CASES if STATEMENTS >= 200 else CASES[SEED % 9 :: 9]
"""All of them take a minute."""
SILENCE_S = 3.0
WHOLE = "SELECT starId, ra, decl, mag, flux, kind, price, name FROM Star"
STRANGER = """
import sys
from skyshard.czar.run.scratch_tables import sweep
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.db.tls import Tls
from skyshard.host.processes import host_id
at = Endpoint(host="node1", port=3306, tls=Tls(ca=sys.argv[1]), secrets=sys.argv[2])
with connect(at, Account.READER) as connection:
    print(host_id(), sweep(connection, living=frozenset))
"""


@pytest.fixture(scope="module")
def made(lab: Lab) -> Iterator[NamedLab]:
    with named_lab(lab, nodes=3, silence_s=SILENCE_S) as found:
        yield found


@pytest.fixture(scope="module")
def sky(made: NamedLab) -> Iterator[SplitSky]:
    """Rows of which a third have a second replica, and the same on one server."""
    splitter = Splitter(made.cluster, STRIPING, 3, SEED)
    found = splitter.build("split_hosts", make_rows(SEED + 1, STRIPING, STARS), text_rows=20_000)
    yield found
    found.close()


@pytest.fixture(scope="module")
def carried(made: NamedLab, sky: SplitSky) -> Iterator[Czar]:
    """A czar to which all rows come as images."""
    with czar_of(made, sky) as found:
        yield found


@pytest.fixture
def whole(sky: SplitSky) -> QueryResult:
    return sky.mono.execute(WHOLE, sky.database)


def czar_of(made: NamedLab, sky: SplitSky, *, text_rows: int = -1, pair_rows: int = FEWEST_PAIR_ROWS) -> Czar:
    cluster = made.cluster
    at = (cluster.endpoint("czar"), cluster.nodes, cluster.data_dir("czar"))
    return Czar(sky, *at, text_rows=text_rows, pair_rows=pair_rows, silence_s=cluster.silence_s, events=cluster.events)


@pytest.fixture(scope="module")
def trouble(made: NamedLab) -> Iterator[Sky]:
    found = build_sky(made.cluster)
    yield found
    for czar in found.czars.values():
        czar.close()
    found.mono.close()


@pytest.mark.timeout(36_000)
def test_known_statements_agree(trouble: Sky) -> None:
    """Names, types and rows are those of one server, as text and as row images."""
    wrong = []
    for case in KNOWN:
        want = trouble.mono.execute(case.sql, DATABASE)
        for way, czar in trouble.czars.items():
            found = difference(czar.execute(case.sql, DATABASE), want, is_ordered=case.is_ordered)
            wrong += [f"{way}: {found}: {case.sql}"] if found else []
    assert wrong == []


@pytest.mark.timeout(36_000)
def test_drawn_statements_agree(sky: SplitSky, carried: Czar) -> None:
    """The same for statements that nobody thought of; few of them make no sense."""
    wrong, kinds = [], Counter[str]()
    for number in range(STATEMENTS):
        sql, is_ordered = Grammar(Random(f"{SEED} hosts {number}"), STRIPING.overlap_deg, STARS).statement()
        try:
            want = sky.mono.execute(sql, sky.database)
        except UserError as error:
            kinds["refused" if isinstance(error, Refusal) else "wrong"] += 1
            continue
        kinds["answered"] += 1
        for czar in (sky.czar, carried):
            found = difference(czar.execute(sql, sky.database), want, is_ordered=is_ordered)
            wrong += [f"{found}: {sql}"] if found else []
    assert wrong == []
    assert kinds["answered"] > STATEMENTS / 2


@pytest.mark.parametrize("items", ["COUNT(*)", "a.starId, b.kind", "a.starId, b.starId, {separation}"])
def test_pairs_are_found_from_positions_that_are_carried(made: NamedLab, sky: SplitSky, items: str) -> None:
    """Counts and numbers; separations are the nodes' own, whose C library may be another."""
    separation = "scisql_angSep(a.ra, a.decl, b.ra, b.decl)"
    sql = f"SELECT {items.format(separation=separation)} FROM Star a, Star b WHERE {separation} < 2"
    want = sky.mono.execute(sql, sky.database)
    with czar_of(made, sky, text_rows=20_000, pair_rows=0) as czar:
        assert difference(czar.execute(sql, sky.database), want, is_ordered=False) == ""


@pytest.mark.parametrize("hold_bytes", [1 << 20, 600, 0], ids=["here", "few at a time", "none wait here"])
def test_units_that_are_too_long_come_in_pieces(
    sky: SplitSky, carried: Czar, whole: QueryResult, monkeypatch: pytest.MonkeyPatch, hold_bytes: int
) -> None:
    """Each piece is carried alone, at once or when it is asked for, and no row is lost or doubled."""
    monkeypatch.setattr(pull_reader, "HOLD_BYTES", hold_bytes)
    carried.execute(WHOLE, sky.database)  # the first one asks servers how much they carry at once
    for worker in carried._workers.values():
        assert worker.carrier is not None
        monkeypatch.setattr(worker.carrier, "piece_bytes", 200)
    assert difference(carried.execute(WHOLE, sky.database), whole, is_ordered=False) == ""


def test_a_node_that_is_lost_in_the_middle_of_a_long_unit_is_made_up_for(
    made: NamedLab, sky: SplitSky, whole: QueryResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cable goes when one piece of the unit is here: nothing of it counts, and other replicas give all rows that
    they have, each once."""
    monkeypatch.setattr(pull_reader, "HOLD_BYTES", 0)
    fetch, pieces = Carrier.fetch, Counter[str]()
    with czar_of(made, sky) as czar:
        czar.execute(WHOLE, sky.database)  # the first one asks servers how much they carry at once
        for worker in czar._workers.values():
            assert worker.carrier is not None
            monkeypatch.setattr(worker.carrier, "piece_bytes", 1)
        first = czar._workers["node1"].carrier

        def cut(carrier: Carrier, query: str, table: str, *more: Any) -> Any:
            pieces[table] += carrier is first
            if pieces[table] == 2:
                made.lab["node1"].pull_cable()
            return fetch(carrier, query, table, *more)

        monkeypatch.setattr(Carrier, "fetch", cut)
        try:
            part = czar.execute(WHOLE, sky.database, allow_partial=True)
        finally:
            made.lab["node1"].plug()
    assert max(pieces.values()) == 2
    chunks = sky.tables["Star"].chunks
    alone = {chunk for chunk, entry in chunks.items() if entry.nodes == ("node1",)}
    assert set(part.stats.lost) <= alone
    assert part.rows == whole.rows - sum(chunks[chunk].rows for chunk in part.stats.lost)
    keys = part.table.column("starId").to_pylist()
    assert len(set(keys)) == len(keys)


def test_where_files_are_not_shown_rows_come_as_text_and_it_is_said_once(
    made: NamedLab, sky: SplitSky, whole: QueryResult, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right answer, a warning of the node with the reason, and the reason in the analysis, until it is mended."""
    with connect(made.cluster.endpoint("node2"), Account.ADMIN) as admin, czar_of(made, sky) as czar:
        for host in ("%", "localhost"):
            admin.execute(f"REVOKE FILE ON *.* FROM {Account.CARRIER}@'{host}'")
        try:
            for _ in range(2):
                assert difference(czar.execute(WHOLE, sky.database), whole, is_ordered=False) == ""
            said = [one.getMessage() for one in caplog.records if "travel as text" in one.getMessage()]
            why = "account skyshard_carrier has not the privilege FILE"
            assert [why in one and "node2" in one for one in said] == [True]
            assert f"text    node2: rows travel as text, {why}" in czar.analyze(WHOLE, sky.database).as_text()
        finally:
            for host in ("%", "localhost"):
                admin.execute(f"GRANT FILE ON *.* TO {Account.CARRIER}@'{host}'")
        assert "rows travel as text" in czar.analyze(WHOLE, sky.database).as_text()
        monkeypatch.setattr(carrier_check, "ASK_AGAIN_S", 0.0)
        assert "rows travel as text" not in czar.analyze(WHOLE, sky.database).as_text()


def test_rows_that_were_lost_before_they_were_asked_for_are_their_nodes_trouble(carried: Czar) -> None:
    """A server that was started again has no scratch tables any more: the statement may be asked again."""
    worker, query = carried._workers["node1"], query_name()
    assert worker.carrier is not None
    columns = (TypedColumn("c0", parse_type("bigint")),)
    order = PullOrder(
        query, "p", ChunkText((), {}, {}), columns, None, 8, is_castable=True, is_scan=False, is_short=False
    )
    at_once = worker.carrier.piece_bytes // 8
    for rows in (1, at_once + 1):
        left = LeftRows(worker, worker.carrier, order, count(), *order.table(7), rows)
        with pytest.raises(ClusterError, match="node1: the rows of a partial result are gone") as raised:
            list(left.blocks(8))
        assert raised.value.retryable


def test_a_czar_of_another_host_sweeps_nothing_of_this_one(
    made: NamedLab, sky: SplitSky, carried: Czar, whole: QueryResult
) -> None:
    """While a query is under way here, and although its process means nothing there."""
    lab = made.lab
    with carried.open(WHOLE, sky.database) as answer:
        rows = next(answer.batches).num_rows
        mine, node2 = f"{query_name()}_p0", lab["node2"].folder
        with connect(made.cluster.endpoint("node1"), Account.ADMIN) as admin:
            admin.execute(f"CREATE TABLE {SCRATCH_DATABASE}.{mine} (x INT)")
            host, swept = lab["node2"].python(STRANGER, str(node2 / "tls/ca.crt"), str(node2 / "passwords")).split()
            assert (host in mine, swept) == (False, "0")
            assert (mine,) in admin.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}")
            admin.execute(f"DROP TABLE {SCRATCH_DATABASE}.{mine}")
        assert rows + sum(batch.num_rows for batch in answer.batches) == whole.rows


def test_a_czar_that_begins_without_one_node_answers_from_the_others(
    made: NamedLab, sky: SplitSky, whole: QueryResult
) -> None:
    """What has no replica elsewhere is left out where that is allowed; the sweep of its first scan needs not all."""
    chunks = sky.tables["Star"].chunks
    lost = {chunk for chunk, entry in chunks.items() if entry.nodes == ("node3",)}
    made.lab["node3"].pull_cable()
    try:
        with czar_of(made, sky) as czar:
            part = czar.execute(WHOLE, sky.database, allow_partial=True)
            with pytest.raises(ClusterError, match="no replica of chunks"):
                czar.execute(WHOLE, sky.database)
    finally:
        made.lab["node3"].plug()
    assert set(part.stats.lost) == lost
    assert part.rows == whole.rows - sum(chunks[chunk].rows for chunk in lost)


@pytest.mark.timeout(36_000)
def test_no_answer_is_wrong_while_a_cable_is_pulled(
    made: NamedLab, sky: SplitSky, carried: Czar, whole: QueryResult
) -> None:
    """Statements through the pulled cable get all their rows, or an error that names what did not answer."""
    for pull in range(PULLS):
        node = f"node{pull % 3 + 1}"
        outcomes = _ask_while_pulled(made, sky, carried, whole, node)
        assert outcomes["wrong"] == 0
        deadline = time.monotonic() + 100
        while True:
            try:
                assert difference(carried.execute(WHOLE, sky.database), whole, is_ordered=False) == ""
                break
            except ClusterError:
                assert time.monotonic() < deadline, f"{node} is not asked again"
                time.sleep(0.1)


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _ask_while_pulled(made: NamedLab, sky: SplitSky, czar: Czar, whole: QueryResult, node: str) -> Counter[str]:
    """What became of statements."""
    outcomes, ended, is_pulled = Counter[str](), threading.Event(), threading.Event()
    key = int(whole.table.column(0)[0].as_py())

    def ask(number: int) -> None:
        while not ended.wait(ASK_EVERY_S):
            is_scan = number % 2 == 0
            sql = WHOLE if is_scan else f"{WHOLE} WHERE starId = {key}"
            try:
                found = czar.execute(sql, sky.database)
                is_right = difference(found, whole, is_ordered=False) == "" if is_scan else found.rows == 1
                outcomes[f"right {'after' if is_pulled.is_set() else 'before'}" if is_right else "wrong"] += 1
            except ClusterError as error:
                outcomes["error" if node in str(error) else "wrong"] += 1
            except SkyshardError:
                outcomes["wrong"] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        _wait_until(lambda: outcomes["right before"] > 3)
        made.lab[node].pull_cable()
        is_pulled.set()
        _wait_until(lambda: outcomes["error"] > 3)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        made.lab[node].plug()
    return outcomes


def test_scans_that_hardly_have_room_for_rows_that_wait_end(
    sky: SplitSky, carried: Czar, whole: QueryResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several at once, each of which is paused by each unit that comes, and goes on when that is read."""
    for name, size in {"HOLD_BYTES": 600, "MOST_BYTES": 900, "FEW_BYTES": 0}.items():
        monkeypatch.setattr(backlog, name, size)
    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(lambda _: carried.execute(WHOLE, sky.database), range(12)):
            assert difference(found, whole, is_ordered=False) == ""
    assert carried._node_workers.waiting.add(0) == 0
