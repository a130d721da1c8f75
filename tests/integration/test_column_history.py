"""What columns answer at each step of a database's life: further transactions, compactions, builds, drops.

Columns have odd names and types (``odd_scans``), blocks are short, so that their borders are within chunks and at their
ends. ``SKYSHARD_STATEMENTS`` draws more at each step, ``SKYSHARD_SEED`` others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from tests.support.depth import how_many
from tests.support.odd_scans import drawn_statement, write_odd_sky

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.czar.run.both_ways import difference
from skyshard.node.columns import build_segment
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "column_history"
SOME = ("order", "µ", "NULL", "g1", "ra")
"""Columns of images that do not have all."""
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 4)
FIXED = (
    "SELECT COUNT(*), SUM(objectId), MIN(objectId), MAX(`order`), COUNT(`µ`) FROM Object WHERE ra > 0",
    "SELECT chunkId, subChunkId, COUNT(*), MIN(objectId) FROM Object GROUP BY chunkId, subChunkId",
    "SELECT objectId, `order` FROM Object WHERE `order` >= 9223372036854775808",
    "SELECT COUNT(*), MIN(ra), MAX(objectId) FROM Object WHERE ra BETWEEN 22.1 AND 30.7 AND `order` > 0.1",
    "SELECT `order` AS ra, ra AS `order`, `NULL` FROM Object WHERE `order` > 2 ORDER BY `order`, ra LIMIT 7",
    "SELECT g1, COUNT(*), SUM(`µ`) FROM Object WHERE ra BETWEEN 22 AND 31 GROUP BY g1",
)
Step = Callable[[Testbed, Path], object]


def more(rows: int, seed: int) -> Step:
    """A transaction of so many rows."""

    def ingest(testbed: Testbed, folder: Path) -> None:
        source = write_odd_sky(folder / f"sky{seed}", rows=rows, seed=seed, first_key=10**9 * seed)
        testbed.ingest(source, database=DATABASE)

    return ingest


STEPS: dict[str, tuple[Step, int, bool]] = {
    "built": (lambda testbed, _: testbed.columns.build(DATABASE), 120, True),
    "a second transaction": (more(80, 2), 200, True),
    "one row": (more(1, 3), 201, True),
    "compacted": (lambda testbed, _: testbed.compact(DATABASE), 201, True),
    "images dropped": (lambda testbed, _: testbed.columns.drop(DATABASE), 201, False),
    "some columns": (lambda testbed, _: testbed.columns.build(DATABASE, columns=SOME), 201, False),
    "some columns of a transaction": (more(40, 4), 241, False),
    "all columns": (lambda testbed, _: testbed.columns.build(DATABASE), 241, True),
    "compacted again": (lambda testbed, _: testbed.compact(DATABASE), 241, True),
}
"""What is done, one after the other; the rows there are then, and whether all columns have images."""


@pytest.fixture(params=[1, pytest.param(7, marks=pytest.mark.deep)], ids=["blocks of one row", "blocks of seven rows"])
def empty(testbed: Testbed, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Testbed]:
    monkeypatch.setattr(build_segment, "BATCH_ROWS", request.param)
    yield testbed
    testbed.drop(DATABASE)


def by_columns(testbed: Testbed, sql: str) -> bool:
    """Whether columns answered, after their answer was held against those of rows and of one server.

    What is an error, as a number beyond its type, is one as rows, too.
    """
    try:
        with testbed.czar.open(sql, DATABASE, scan="columns") as answer:
            got, is_by_columns = answer.table(), answer.running.column_chunks > 0
    except UserError:
        with pytest.raises(SkyshardError):
            testbed.query(sql, database=DATABASE, scan="rows")
        return False
    assert difference(got, testbed.query(sql, database=DATABASE, scan="rows").table) == "", sql
    assert difference(got, testbed.query(sql, database=DATABASE, target="mono").table) == "", sql
    return is_by_columns


def test_each_step_of_a_life_has_one_answer(empty: Testbed, tmp_path: Path) -> None:
    """By columns, as rows and of one server, from no row on; columns answer wherever they have what is asked for."""
    chance = Random(int(os.environ.get("SKYSHARD_SEED", "1")))
    empty.ingest(write_odd_sky(tmp_path / "none", rows=0), database=DATABASE, columns="none")
    more(120, 1)(empty, tmp_path)
    for name, (step, rows, has_all) in STEPS.items():
        step(empty, tmp_path)
        empty.load_mono(DATABASE)
        counted = empty.query("SELECT COUNT(*) AS n FROM Object WHERE ra > 0", database=DATABASE, scan="columns")
        assert counted.table.to_pylist() == [{"n": rows}], name
        came = [by_columns(empty, sql) for sql in FIXED]
        assert all(came[-2:]) == (name != "images dropped"), name
        assert all(came) == has_all, name
        for _ in range(STATEMENTS):
            by_columns(empty, drawn_statement(chance))
