"""Files that are ingested in place of their rows: old or new, never a mix; once, whatever is killed."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.depth import how_many
from tests.support.killing import Driver
from tests.support.same_answer import rows_in
from tests.support.stepping import MORE_STOPS_THAN, STEPS_LIMIT_S, Fuse, Stopped, fused, steps_on
from tests.support.tract_files import (
    NEXT_RUN,
    STATEMENTS,
    STRIPING,
    TractFiles,
    answers,
    first_files,
    first_state,
    right_answers,
    second_objects,
    second_state,
)

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.transaction.ingest_run import Ingest
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed, source_at

KILLS = how_many("SKYSHARD_TEST_REPLACE_KILLS", 2)
"""Drivers that are killed with -9 at random instants."""
ROUNDS = how_many("SKYSHARD_TEST_REPLACE_ROUNDS", 1)
"""Random histories of replaced files."""
JOIN = "SELECT o.objectId, s.sourceId FROM Object o JOIN Source s ON o.objectId = s.objectId"


@pytest.fixture
def files(tmp_path: Path) -> TractFiles:
    """The first state, written."""
    return first_files(tmp_path)


def bad(testbed: Testbed, database: str) -> list[Any]:
    return [check for check in testbed.verify(database) if not check.is_good]


def assert_is(testbed: Testbed, files: TractFiles, database: str = "") -> None:
    """Verified, and every answer is SQLite's over the files that are there; no row is listed that is not there."""
    name = database or files.database
    (listed,) = (one for one in testbed.databases() if one.database == name)
    assert listed.rows == sum(map(len, files.rows.values()))
    assert bad(testbed, name) == []
    assert answers(testbed, name) == right_answers(files.rows)


@pytest.mark.parametrize(
    ("loader", "engine", "replicas"),
    [(Loader.IMAGE, "MyISAM", 2), (Loader.LOAD_DATA, "MyISAM", 1), (Loader.IMAGE, "InnoDB", 1),
     (Loader.LOAD_DATA, "InnoDB", 2)],
    ids=["image-MyISAM-2", "text-MyISAM-1", "image-InnoDB-1", "text-InnoDB-2"],
)  # fmt: skip
def test_a_tract_takes_the_place_of_its_rows(
    testbed: Testbed, files: TractFiles, loader: Loader, engine: str, replicas: int
) -> None:
    """Director, overlap, dependents, a regular table: as if the new files had come first; then nothing is new."""
    layout = testbed.plan(files.mapping).layout.model_copy(update={"engine": engine, "replicas": replicas})
    testbed.ingest(files.mapping, layout=layout, loader=loader)
    assert_is(testbed, files)
    second_state(files)
    report = testbed.ingest(files.mapping, loader=loader, replace=["1"])
    assert [table.rows for table in report.tables] == [4, 3, 2]
    assert_is(testbed, files)
    assert testbed.explain(JOIN, database=files.database).kind == "local"
    assert testbed.ingest(files.mapping).transaction == 0
    assert testbed.ingest(files.mapping, replace=["1"]).transaction == 0


def test_rows_that_lose_their_director_stay_found(testbed: Testbed, files: TractFiles) -> None:
    """Only the director's file is replaced: sources of objects that went or moved are found, and joined, all the same;
    when their own file follows, joins are answered chunk by chunk again."""
    testbed.ingest(files.mapping)
    testbed.ingest(files.mapping, replace=[str(second_objects(files))])
    assert_is(testbed, files)
    testbed.compact(files.database, grace_s=0.0)
    assert_is(testbed, files)
    second_state(files)
    paths = [str(files.path(table, 1)) for table in ("Source", "Visit")]
    testbed.ingest(files.mapping, replace=paths)
    assert_is(testbed, files)
    assert testbed.explain(JOIN, database=files.database).kind == "local"
    testbed.rebuild_indexes(files.database)
    assert_is(testbed, files)


def test_after_transactions_and_compactions(testbed: Testbed, files: TractFiles) -> None:
    """Parts of several transactions, merged or not, before and after; the old content may come back."""
    testbed.ingest(files.mapping)
    old = {table: files.rows[table, 1] for table in files.tables}
    files.write("Object", 3, [(21, 10.05, 5.05, 7.5), (22, 300.0, 60.0, 8.5)])
    files.write("Source", 3, [(301, 21, 10.05, 5.05), (302, 2, 10.2, 5.1)])
    testbed.ingest(files.mapping)
    second_state(files)
    testbed.ingest(files.mapping, replace=["1"])
    assert_is(testbed, files)
    testbed.compact(files.database, grace_s=0.0)
    files.write("Object", 3, [(22, 300.0, 60.0, 8.75)])
    testbed.ingest(files.mapping, replace=[str(files.path("Object", 3))])
    assert_is(testbed, files)
    for table, rows in old.items():
        files.write(table, 1, rows)
    testbed.ingest(files.mapping, replace=["1"])
    assert_is(testbed, files)
    files.write("Object", 4, [(31, 10.0, 5.01, 1.0)])
    testbed.ingest(files.mapping)
    assert_is(testbed, files)


def test_a_dataset_of_another_run(testbed: Testbed, files: TractFiles) -> None:
    """The same datasets under other paths: refused with the way out, then taken in place of the old ones."""
    testbed.ingest(files.mapping)
    again = TractFiles(files.folder, files.database, run=NEXT_RUN)
    first_state(again)
    second_state(again)
    with pytest.raises(UserError, match=r"is objectTable_tract tract 1 .* was ingested into .* --replace"):
        testbed.ingest(again.mapping)
    testbed.ingest(again.mapping, replace=["1"])
    assert_is(testbed, again)
    assert testbed.ingest(again.mapping).transaction == 0
    standing = testbed.registry.input_files.standing(files.database)
    assert {(file.tract, file.weekly, file.ticket) for file in standing} == {
        ("1", "w_2026_28", "DM-55555"), ("2", "w_2026_24", "DM-54321")}  # fmt: skip


def test_a_tract_may_have_fewer_files_and_rows(testbed: Testbed, files: TractFiles) -> None:
    """A table of the tract that is not written again is emptied of it; a file without rows leaves none."""
    testbed.ingest(files.mapping)
    files.write("Object", 1, [])
    files.remove("Visit", 1)
    files.write("Source", 1, [(109, 12, 200.0, -30.0)])
    testbed.ingest(files.mapping, replace=["1"])
    assert_is(testbed, files)
    files.write("Object", 2, [])
    testbed.ingest(files.mapping, replace=[str(files.path("Object", 2))])
    assert_is(testbed, files)


def test_a_key_of_another_file_is_refused(testbed: Testbed, files: TractFiles) -> None:
    """A rewritten file may not bring keys that other files have; then all is as it was."""
    testbed.ingest(files.mapping)
    rows = dict(files.rows)
    for table, row, words in (
        ("Object", (11, 10.0, 5.0, 1.0), "key 11 of director 'Object' .* earlier transaction"),
        ("Object", (1, 10.0, 5.0, 1.0), "key 1 of director 'Object' occurs twice"),
        ("Source", (201, 11, 10.1, 5.2), "sourceId 201 occurs twice"),
        ("Visit", (3, "y"), "visit 3 occurs twice"),
    ):
        files.write(table, 1, [*rows[table, 1], row])
        with pytest.raises(UserError, match=words):
            testbed.ingest(files.mapping, replace=[str(files.path(table, 1))])
        files.write(table, 1, rows[table, 1])
        assert testbed.registry.transactions.find_open(files.database) is None
    assert_is(testbed, files)


def test_what_cannot_be_replaced_is_refused(testbed: Testbed, files: TractFiles, tmp_path: Path) -> None:
    """Never ingested, not in the source, an unknown tract, a database that knows no files, or none: one line each."""

    def refused(words: str, *replace: str, source: Path = files.mapping, **options: Any) -> None:
        with pytest.raises(UserError, match=words):
            testbed.ingest(source, replace=replace, **options)

    refused("no database .* is published; ingest it without --replace", "1")
    testbed.ingest(files.mapping)
    refused("nothing of tract 7 was ingested", "7")
    refused("has no file '/no/where'", "/no/where")
    files.write("Visit", 3, [(9, "y")])
    refused("was never ingested", str(files.path("Visit", 3)))
    files.remove("Visit", 3)
    files.write("Visit", 1, files.rows["Visit", 2])
    refused("has the content of", str(files.path("Visit", 1)))
    files.write("Visit", 1, [(1, "g"), (2, "r")])
    bare = TractFiles(tmp_path / "bare", f"{files.database}b", provenance=False)
    first_state(bare)
    testbed.ingest(bare.mapping)
    refused("does not know which rows are of which file", "1", source=bare.mapping)
    assert_is(testbed, files)
    assert_is(testbed, bare)


def ingest_text(testbed: Testbed, folder: Path, database: str, tables: dict[str, Any], **content: str) -> Path:
    """A mapping over text files of the given lines; returns its path."""
    folder.mkdir(exist_ok=True)
    for name, lines in content.items():
        (folder / f"{name}.csv").write_text(lines)
    mapping = {"version": 1, "database": database, "striping": STRIPING, "provenance": True, "tables": tables}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    testbed.ingest(folder / "mapping.yaml")
    return folder / "mapping.yaml"


def declared(name: str, columns: str, **layout: Any) -> dict[str, Any]:
    pairs = [column.split() for column in columns.split(", ")]
    return {"files": [f"{name}.csv"], "declare": [{"name": n, "type": kind} for n, kind in pairs], **layout}


def test_followers_in_another_database_and_matches(testbed: Testbed, files: TractFiles, tmp_path: Path) -> None:
    """A dependent of another database and a ref-match table stay right when objects go or move."""
    testbed.ingest(files.mapping)
    name = f"{files.database}f"
    director = f"{files.database}.Object"
    tables = {
        "Gal": declared("Gal", "galId bigint, ra double, decl double", role="director", key="galId",
                        position=["ra", "decl"]),
        "Forced": declared("Forced", "fid bigint, objectId bigint, ra double, decl double", role="dependent",
                           key="objectId", director=director, position=["ra", "decl"]),
        "Pair": declared("Pair", "objectId bigint, galId bigint", role="ref-match", director=director, key="objectId",
                         director2="Gal", key2="galId", flag="flag"),
    }  # fmt: skip
    ingest_text(
        testbed, tmp_path / "f", name, tables, Gal="galId,ra,decl\n71,10.1,5.0\n73,40.1,5.0\n",
        Forced="fid,objectId,ra,decl\n1,1,10.0,5.0\n2,2,10.2,5.1\n3,3,40.0,5.0\n",
        Pair="objectId,galId\n1,71\n2,71\n3,73\n",
    )  # fmt: skip

    def ask(sql: str) -> list[Any]:
        return sorted(rows_in(testbed.query(sql, database=name).table))

    def check(objects: set[int]) -> None:
        assert ask("SELECT COUNT(*) FROM Forced") == ask("SELECT COUNT(*) FROM Pair") == [(3,)]
        assert ask(f"SELECT fid FROM Forced f JOIN {director} o ON o.objectId = f.objectId") == [
            (key,) for key in sorted(objects & {1, 2, 3})]  # fmt: skip
        for key in (1, 2, 3):
            assert ask(f"SELECT fid FROM Forced WHERE objectId = {key}") == [(key,)]
            assert ask(f"SELECT galId FROM Pair WHERE objectId = {key}") == [(71 if key < 3 else 73,)]
        assert ask(
            f"SELECT o.objectId, g.galId FROM {director} o JOIN Pair p ON o.objectId = p.objectId "
            "JOIN Gal g ON g.galId = p.galId"
        ) == [(key, 71 if key < 3 else 73) for key in sorted(objects & {1, 2, 3})]  # fmt: skip
        assert bad(testbed, name) == []

    check({1, 2, 3})
    testbed.ingest(files.mapping, replace=[str(second_objects(files))])
    check({1, 3})
    assert_is(testbed, files)


def run_until(testbed: Testbed, files: TractFiles, fuse: Fuse, *wanted: str) -> None:
    """Replace until the fuse goes off, or to the end."""
    known = tuple(testbed.registry.databases.table_definitions(files.database))
    plan = make_plan(source_at(files.mapping), known=known)
    Ingest(plan, fused(testbed, fuse), replace=wanted).run()


@pytest.mark.timeout(STEPS_LIMIT_S)
def test_stopped_at_every_so_many_steps(testbed: Testbed, files: TractFiles) -> None:
    """Wherever it stops, all is as before or all is new; run again it goes on, aborted it leaves the old state."""
    testbed.ingest(files.mapping, replicas=2)
    states = (first_state, second_state)
    stops = 0
    for turn, step in enumerate(steps_on(), 1):
        done = testbed.registry.transactions.all(files.database)[-1]["id"]
        before = right_answers(files.rows)
        states[turn % 2](files)
        after = right_answers(files.rows)
        try:
            run_until(testbed, files, Fuse(step), "1")
            break
        except Stopped:
            stops += 1
        found = testbed.registry.transactions.find_open(files.database)
        last = testbed.registry.transactions.all(files.database)[-1]
        is_new = found is None and last["id"] != done
        assert answers(testbed, files.database) == (after if is_new else before)
        if found is not None and stops % 2:
            testbed.abort_transaction(found.id)
            assert answers(testbed, files.database) == before
            assert bad(testbed, files.database) == []
        testbed.ingest(files.mapping, replace=["1"])
        assert_is(testbed, files)
    assert stops > MORE_STOPS_THAN
    assert_is(testbed, files)


@pytest.mark.timeout(300 + 100 * KILLS)
def test_killed_at_any_instant(testbed: Testbed, files: TractFiles) -> None:
    """A driver that is killed leaves the old state or the new one, and what it left is ended by the next run."""
    chance = random.Random(20261128)
    testbed.ingest(files.mapping, replicas=2)
    states = (first_state, second_state)
    for number in range(KILLS):
        before = right_answers(files.rows)
        states[(number + 1) % 2](files)
        after = right_answers(files.rows)
        driver = Driver(
            testbed.cluster.folder, files.mapping, files.database, "inline", files.folder / "log", replaced="1"
        )
        stage = chance.choice(["prepare", "partition Object", "partition Source", "load", "director index", "publish"])
        driver.wait_for(lambda lines, stage=stage: stage in lines)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.15))
        driver.process.kill()
        driver.end()
        assert answers(testbed, files.database) in (before, after)
        if chance.random() < 0.5 and (found := testbed.registry.transactions.find_open(files.database)):
            testbed.abort_transaction(found.id)
            assert answers(testbed, files.database) == before
        testbed.ingest(files.mapping, replace=["1"])
        assert_is(testbed, files)


@pytest.mark.timeout(300 + 100 * ROUNDS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random_histories(testbed: Testbed, tmp_path: Path, seed: int) -> None:
    """Files come and are rewritten, alone or by tracts, between compactions: the answers are always SQLite's."""
    chance = random.Random(seed)
    files = first_files(tmp_path, text=seed % 3 == 2)
    testbed.ingest(
        files.mapping, loader=chance.choice([Loader.IMAGE, Loader.LOAD_DATA]), replicas=chance.choice([1, 2])
    )
    for _ in range(8):
        what, tract = chance.choice(["tract", "Object", "Source", "Visit", "new", "compact"]), chance.choice([1, 2])
        if what == "compact":
            testbed.compact(files.database, grace_s=0.0)
            continue
        if what == "new":
            tract = 10 + len(files.rows)
        for table in files.tables if what in ("tract", "new") else (what,):
            files.write(table, tract, drawn(chance, files, table, tract))
        wanted = [] if what == "new" else [str(tract)] if what == "tract" else [str(files.path(what, tract))]
        testbed.ingest(files.mapping, replace=wanted)
        assert answers(testbed, files.database) == right_answers(files.rows), (seed, what, tract)
    assert bad(testbed, files.database) == []


def drawn(chance: random.Random, files: TractFiles, table: str, tract: int) -> list[Any]:
    """Rows of a file: keys that no other file has, at places of a few chunks; sources of any object, or of none."""
    taken = {row[0] for (name, other), rows in files.rows.items() if name == table and other != tract for row in rows}
    keys = chance.sample(sorted({*range(1, 60)} - taken), chance.randint(0, 6))
    places = [(10.0, 5.0), (10.3, 5.1), (40.0, 5.0), (359.95, 0.1), (0.05, 0.1), (200.0, -30.0), (12.0, 89.9)]
    if table == "Visit":
        return [(key, chance.choice("grizy")) for key in keys]
    if table == "Object":
        return [(key, *chance.choice(places), chance.random()) for key in keys]
    return [(key, chance.randint(1, 60), *chance.choice(places)) for key in keys]


def test_statements_are_those_of_the_support() -> None:
    """Every kind of table is asked for by the statements that are compared."""
    assert all(any(f"FROM {table}" in sql for sql in STATEMENTS) for table in ("Object", "Source", "Visit"))
