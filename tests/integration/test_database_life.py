"""Databases as wholes: aliases, other names, drops. Queries see the state before or after; kills leave one of both."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support import life_driver
from tests.support.asking import ASK_EVERY_S
from tests.support.depth import how_many
from tests.support.frozen import FIRST
from tests.support.stepping import Stopped, stop_at
from tests.support.warm_processes import warm_exit_code

from skyshard import releases
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME, Cluster
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.stored.sql_tables import INDEX_DATABASE, REGISTRY_DATABASE, metadata
from skyshard.testbed import Testbed, source_at

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
ROUNDS = int(os.environ.get("SKYSHARD_LIFE_ROUNDS", "0"))
"""Random kills of drops, renames and aliases; each takes some seconds."""
CHANGES = how_many("SKYSHARD_LIFE_CHANGES", 30)
"""Moves of an alias, and a fifteenth of that drops, beside queries."""
REACH_S = {"drop": 0.6, "rename": 0.06, "alias": 0.06}
"""So long after its beginning a change is struck at most."""
SKY = FIRST / "catalog"
COUNT = "SELECT COUNT(*) AS n FROM Object WHERE ra > -1"
OBJECTS = 138


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(private_cluster.folder) as testbed:
        yield testbed
        for one in testbed.databases():
            if one.database.startswith("life_"):
                testbed.drop(one.database, with_aliases=True)


@pytest.fixture
def name() -> str:
    return f"life_{uuid.uuid4().hex[:10]}"


def count(testbed: Testbed, database: str, sql: str = COUNT) -> int:
    return int(testbed.query(sql, database=database).table["n"][0].as_py())


def drive(testbed: Testbed, at: int, *words: str) -> int:
    return warm_exit_code(life_driver.main, str(testbed.cluster.folder), str(at), *words)


def stored_as(testbed: Testbed, database: str) -> str:
    return next(one.stored_as for one in testbed.databases() if one.database == database)


def left_of(cluster: Cluster, stored: str) -> list[str]:
    """Everything that servers, registry and folders have of a database, by its stored name."""
    servers = [CZAR_NAME, MONO_NAME, *cluster.node_names]
    found = [str(path) for name in servers if (path := cluster.data_dir(name) / stored).exists()]
    found += [str(folder / stored) for folder in cluster.folder.iterdir() if (folder / stored).exists()]
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        found += [name for (name,) in czar.rows(f"SHOW TABLES FROM {INDEX_DATABASE}") if name.startswith(f"{stored}__")]
        for table in metadata.sorted_tables:
            column = "name" if table.name == "databases" else "database"
            if column in table.columns and table.name != "queries":
                rows = czar.value(f"SELECT COUNT(*) FROM `{table.name}` WHERE `{column}` = %s", [stored])
                found += [f"{rows} rows of {table.name}"] if rows else []
    return found


def test_an_alias_names_a_database_wherever_one_is_read(testbed: Testbed, name: str) -> None:
    """Statements, verification, the oracle; a second one beside the database's own name; what it is called stays."""
    testbed.ingest(SKY, database=name)
    testbed.load_mono(name)
    alias = f"{name}_latest"
    assert testbed.alias(alias, name) == name
    assert count(testbed, alias) == OBJECTS
    both = f"SELECT COUNT(*) AS n FROM {alias}.Object o JOIN {name}.Source s ON o.objectId = s.objectId"
    assert count(testbed, "", both) == count(testbed, name, "SELECT COUNT(*) AS n FROM Source")
    for target in ("czar", "mono"):
        one = testbed.query(f"SELECT {alias}.Object.ra, DATABASE() FROM Object LIMIT 1", database=alias, target=target)
        assert one.columns == ("ra", "DATABASE()")
        assert one.table.column(1)[0].as_py() == alias
    assert [check for check in testbed.verify(alias) if not check.is_good] == []
    assert alias in testbed.query("SHOW DATABASES").table.column(0).to_pylist()
    with pytest.raises(UserError, match=f"'{alias}' is an alias of '{name}'"):
        testbed.ingest(SKY, database=alias)


def test_a_renamed_database_is_the_same_under_another_name(testbed: Testbed, name: str) -> None:
    """Also for the oracle, and for tables of another database that follow its directors; the old name is free."""
    new = f"{name}_new"
    testbed.ingest(SKY, database=name)
    testbed.load_mono(name)
    testbed.ingest(followers_of(name, Path(testbed.cluster.folder) / "staging"), database=f"{name}_f")
    joined = f"SELECT COUNT(*) AS n FROM {{}}.Object o JOIN {name}_f.Mark m ON o.objectId = m.objectId"
    before = count(testbed, "", joined.format(name))
    assert before == 3
    testbed.rename(name, new)
    with pytest.raises(UserError, match=f"no database '{name}'"):
        testbed.query(COUNT, database=name)
    assert (count(testbed, new), count(testbed, "", joined.format(new))) == (OBJECTS, before)
    assert int(testbed.query(COUNT, database=new, target="mono").table["n"][0].as_py()) == OBJECTS
    assert [check for check in testbed.verify(new) if not check.is_good] == []
    testbed.ingest(SKY, database=name, tables=["Object"])
    assert stored_as(testbed, new) == name
    assert re.fullmatch(rf"_\d+_{name}", stored_as(testbed, name))
    assert f"'{name}' is stored as '{stored_as(testbed, name)}'" in testbed.explain(COUNT, database=name).why
    with pytest.raises(UserError, match=rf"'{new}' cannot be dropped: table '{name}_f\.Mark' follows its directors"):
        testbed.drop(new)


def followers_of(database: str, folder: Path) -> Path:
    """A mapping of three rows that follow objects of another database."""
    keys = pq.read_table(SKY / "Object" / "chunk_7308.parquet")["objectId"][:3].to_pylist()
    place = folder.parent / f"followers-{database}"
    place.mkdir()
    (place / "marks.csv").write_text("objectId,grade\n" + "".join(f"{key},{i}\n" for i, key in enumerate(keys)))
    (place / "mapping.yaml").write_text(
        "version: 1\ndatabase: marks\nstriping: {stripes: 85, substripes: 12, overlap_deg: 0.05}\ntables:\n"
        f"  Mark:\n    files: [marks.csv]\n    role: dependent\n    director: {database}.Object\n    key: objectId\n"
        "    declare: [{name: objectId, type: bigint}, {name: grade, type: int}]\n"
    )
    return place


def test_nothing_is_left_of_a_dropped_database(testbed: Testbed, name: str) -> None:
    """On nodes, czar, oracle, in folders and registry; the name is free, and the next one has another stored name."""
    testbed.ingest(SKY, database=name)
    testbed.load_mono(name)
    testbed.alias(f"{name}_latest", name)
    assert len(left_of(testbed.cluster, name)) > 8
    with pytest.raises(UserError, match=f"alias '{name}_latest' names it"):
        testbed.drop(name)
    assert testbed.drop(name, with_aliases=True).aliases == (f"{name}_latest",)
    assert left_of(testbed.cluster, name) == []
    testbed.ingest(SKY, database=name)
    assert re.fullmatch(rf"_\d+_{name}", stored_as(testbed, name))
    assert count(testbed, name) == OBJECTS


def test_a_database_that_is_ingested_is_neither_dropped_nor_renamed(testbed: Testbed, name: str) -> None:
    """Neither while it is worked on, nor while a transaction is open; the remedy names the transaction."""
    with pytest.raises(Stopped):
        testbed.ingest(SKY, database=name, watcher=stop_at("load"))
    number = next(one.open_transaction for one in testbed.databases() if one.database == name)
    for change in (testbed.drop, lambda name: testbed.rename(name, f"{name}_new")):
        with pytest.raises(UserError, match=f"being ingested: .*transactions abort {number}"):
            change(name)
    testbed.abort_transaction(int(number or 0))
    assert left_of(testbed.cluster, name) == []
    testbed.ingest(SKY, database=name)
    with testbed.registry.ingesting(name), pytest.raises(ClusterError, match=f"'{name}' is in use: ingest of {name}"):
        testbed.drop(name)


def test_tables_of_a_dropped_database_stay_for_the_time_of_grace(testbed: Testbed, name: str) -> None:
    """No query begins with it; one that began before finishes; the next ingest removes what is left when it is over."""
    testbed.ingest(SKY, database=name)
    with testbed.czar.open("SELECT objectId FROM Object", name) as answer:
        dropped = testbed.drop(name, grace_s=3600)
        assert sum(batch.num_rows for batch in answer.batches) == OBJECTS
    assert not dropped.is_gone
    with pytest.raises(UserError, match=f"no database '{name}'"):
        testbed.query(COUNT, database=name)
    with pytest.raises(UserError, match="is being dropped"):
        testbed.ingest(SKY, database=name)
    assert {one.state for one in testbed.databases() if one.database == name} == {"dropping"}
    testbed.registry.life.keep_until(name, time.time())
    testbed.ingest(SKY, database=f"{name}_x", tables=["Object"])
    assert left_of(testbed.cluster, name) == []


def test_a_successor_takes_name_and_aliases_and_the_old_one_goes_after_its_time(testbed: Testbed, name: str) -> None:
    """In one step: the name and its alias give the new rows at once; the old tables are there for the time of grace."""
    new, alias = f"{name}_new", f"{name}_latest"
    testbed.ingest(SKY, database=name, tables=["Object"])
    testbed.ingest(SKY, database=new)
    testbed.alias(alias, name)
    old, place = stored_as(testbed, name), testbed.wiring.life_place()
    releases.take_over(place, name, new, grace_s=3600.0)
    sources = "SELECT COUNT(*) AS n FROM Source"
    assert count(testbed, name, sources) == count(testbed, alias, sources) > 0
    assert stored_as(testbed, name) == new
    with pytest.raises(UserError, match=f"no database '{new}'"):
        testbed.query(COUNT, database=new)
    testbed.finish_drops()
    assert left_of(testbed.cluster, old) != []
    with pytest.raises(UserError, match=f"'{new}' is being dropped"):
        releases.take_over(place, name, new)
    testbed.registry.life.keep_until(old, time.time())
    testbed.finish_drops()
    assert left_of(testbed.cluster, old) == []
    assert count(testbed, alias) == OBJECTS


def test_what_cannot_be_succeeded_keeps_its_name(testbed: Testbed, name: str) -> None:
    """By itself, by a database that is not there, or while tables of another database follow its directors."""
    new, place = f"{name}_new", testbed.wiring.life_place()
    testbed.ingest(SKY, database=name)
    testbed.ingest(followers_of(name, Path(testbed.cluster.folder) / "staging"), database=f"{name}_f")
    with pytest.raises(UserError, match="cannot take its own place"):
        releases.take_over(place, name, name)
    with pytest.raises(UserError, match=f"no database '{new}'"):
        releases.take_over(place, name, new)
    testbed.ingest(SKY, database=new, tables=["Object"])
    with pytest.raises(UserError, match=rf"table '{name}_f\.Mark' follows its directors"):
        releases.take_over(place, name, new)
    assert (stored_as(testbed, name), stored_as(testbed, new)) == (name, new)
    assert (count(testbed, name), count(testbed, new)) == (OBJECTS, OBJECTS)
    testbed.drop(f"{name}_f")


def test_a_drop_is_refused_while_a_node_is_down_and_ended_when_it_is_back(testbed: Testbed, name: str) -> None:
    """Before anything is hidden nothing changes; a node that goes down meanwhile leaves it hidden, and said so."""
    testbed.ingest(SKY, database=name)
    cluster = testbed.cluster
    node = cluster.node_names[-1]
    cluster.kill_server(node)
    with pytest.raises(ClusterError):
        testbed.drop(name)
    cluster.start()
    assert count(testbed, name) == OBJECTS
    assert drive(testbed, 0, "drop", name) == 0
    assert left_of(cluster, name) == []


def test_a_query_beside_changes_of_an_alias_sees_one_database_or_the_other(testbed: Testbed, name: str) -> None:
    """Joins that name it twice never mix; drops of what it named before are met with the new one, or honestly."""
    first, second = f"{name}_a", f"{name}_b"
    testbed.ingest(SKY, database=first)
    testbed.ingest(source_at(FIRST / "recipe.yaml", fraction=0.5), database=second, tables=["Object"])
    both = {count(testbed, first), count(testbed, second)}
    assert len(both) == 2
    testbed.alias(name, first)
    joined = f"{name}.Object o LEFT JOIN {name}.Object p ON o.objectId = p.objectId"
    pairs = f"SELECT COUNT(o.objectId) + 1000 * COUNT(p.objectId) AS n FROM {joined}"
    found, is_over = ask_beside(testbed, [(pairs, ""), (COUNT, name), ("SELECT COUNT(*) AS n FROM Object", name)])
    wait_for(found, OBJECTS)
    for round_ in range(CHANGES):
        testbed.alias(name, (second, first)[round_ % 2])
        time.sleep(0.02)
    testbed.alias(name, second)
    testbed.drop(first)
    is_over()
    assert set(found) <= both | {1001 * one for one in both}


def test_a_query_beside_a_drop_is_right_or_told_honestly(testbed: Testbed, name: str) -> None:
    """Whatever it has begun with: all rows, or that there is no such database; the name is used again at once."""
    sql = [(COUNT, name), ("SELECT COUNT(*) AS n FROM Source s, Object o WHERE s.objectId = o.objectId", name)]
    right = {OBJECTS, 281, f"no database '{name}'"}
    found, is_over = ask_beside(testbed, sql)
    for _ in range(max(2, CHANGES // 15)):
        testbed.ingest(SKY, database=name)
        wait_for(found, OBJECTS)
        testbed.drop(name)
    is_over()
    assert {str(one).partition(";")[0] for one in found} <= {str(one) for one in right}


def wait_for(found: Counter[int | str], answer: int) -> None:
    """Until somebody has got this answer once more."""
    before, deadline = found[answer], time.monotonic() + 100
    while found[answer] == before:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def ask_beside(testbed: Testbed, statements: list[tuple[str, str]]) -> tuple[Counter[int | str], Callable[[], None]]:
    """Ask statements again and again in threads; what came, and how to end it."""
    found: Counter[int | str] = Counter()
    is_over = threading.Event()

    def ask(sql: str, database: str) -> None:
        with Testbed(testbed.cluster.folder) as mine:
            while not is_over.wait(ASK_EVERY_S):
                try:
                    found[count(mine, database, sql)] += 1
                except SkyshardError as error:
                    found[str(error)] += 1

    threads = [threading.Thread(target=ask, args=pair) for pair in statements]
    for thread in threads:
        thread.start()

    def end() -> None:
        is_over.set()
        for thread in threads:
            thread.join()

    return found, end


@pytest.mark.parametrize("what", ["rename", "alias"])
def test_a_killed_change_of_a_name_is_made_or_not(testbed: Testbed, name: str, what: str) -> None:
    """Killed with -9 at every instant: the old name means the database, or the new one does, and never both or none."""
    testbed.ingest(SKY, database=name, tables=["Object"])
    at, old = 1, name
    while True:
        new = f"{name}_{what}{at}"
        words = (what, old, new) if what == "rename" else (what, new, name)
        code = drive(testbed, at, *words)
        names = testbed.registry.published.names().published
        mine = [one for one in names if one.startswith(name)]
        if what == "rename":
            assert mine in ([old], [new])
            old = mine[0]
        else:
            assert set(mine) - {name} <= {f"{name}_alias{one}" for one in range(at + 1)}
        assert {count(testbed, one) for one in mine} == {OBJECTS}
        if code == 0:
            assert new in mine
            break
        assert code == -signal.SIGKILL
        at += 2
    assert at > 3


def test_a_killed_drop_is_not_begun_or_goes_on(testbed: Testbed, name: str) -> None:
    """Killed with -9 at instants all the way: whole and answering, or hidden and then removed by one more run."""
    at, states = 1, Counter[str]()
    while True:
        if name not in testbed.registry.published.names().by_name:
            testbed.ingest(SKY, database=name)
        stored = stored_as(testbed, name)
        code = drive(testbed, at, "drop", name)
        states[end_killed_drop(testbed, name, stored, is_killed=code != 0)] += 1
        if code == 0:
            break
        assert code == -signal.SIGKILL
        at += 12
    assert set(states) == {"published", "dropping", "gone"}


def end_killed_drop(testbed: Testbed, name: str, stored: str, *, is_killed: bool) -> str:
    """What a drop left, checked; and what was left half is ended."""
    known = testbed.registry.published.names().by_name.get(name)
    state = str(known.state) if known else "gone"
    if state == "published":
        assert is_killed
        assert count(testbed, name) == OBJECTS
        assert [check for check in testbed.verify(name) if not check.is_good] == []
        return state
    with pytest.raises(UserError, match="no database"):
        testbed.query(COUNT, database=name)
    if known is not None:
        assert is_killed
        testbed.drop(name)
    assert left_of(testbed.cluster, stored) == []
    return state


@pytest.mark.skipif(not ROUNDS, reason="SKYSHARD_LIFE_ROUNDS=30 kills that often")
def test_random_kills_leave_the_old_or_the_new_state(testbed: Testbed, name: str) -> None:
    """Drops, renames and moves of an alias, struck at random times: the old state or the new, nothing else."""
    chance = random.Random(ROUNDS)
    outcomes: Counter[tuple[str, str]] = Counter()
    for round_ in range(ROUNDS):
        kind = ("drop", "rename", "alias")[round_ % 3]
        outcomes[kind, struck(testbed, f"{name}_{round_}", kind, chance.uniform(0, REACH_S[kind]))] += 1
    print(dict(outcomes))


def struck(testbed: Testbed, name: str, kind: str, delay_s: float) -> str:
    """One round; says what was found."""
    testbed.ingest(SKY, database=name)
    testbed.ingest(SKY, database=f"{name}_b", tables=["Object"])
    testbed.alias(f"{name}_latest", name)
    words = {"drop": (f"{name}_b",), "rename": (name, f"{name}_new"), "alias": (f"{name}_latest", f"{name}_b")}[kind]
    command = [sys.executable, "-m", "tests.support.life_driver", str(testbed.cluster.folder), "0", kind, *words]
    driver = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"begins\n"
    time.sleep(delay_s)
    driver.kill()
    code = driver.wait()
    names = testbed.registry.published.names()
    assert count(testbed, f"{name}_latest") == OBJECTS
    if kind == "drop":
        state = end_killed_drop(testbed, f"{name}_b", f"{name}_b", is_killed=code != 0)
    elif kind == "rename":
        assert (name in names.by_name) != (f"{name}_new" in names.by_name)
        state = "old" if name in names.by_name else "new"
    else:
        state = "old" if names.stored(f"{name}_latest") == name else "new"
        assert names.stored(f"{name}_latest") in (name, f"{name}_b")
    driver.stdout.close()
    for one in testbed.databases():
        if one.database.startswith(name):
            testbed.drop(one.database, with_aliases=True)
            assert left_of(testbed.cluster, one.stored_as) == []
    return state
