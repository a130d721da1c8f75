"""Scans by columns whose names and types are odd: what the czar answers by columns, as rows, and one server.

``SKYSHARD_STATEMENTS`` draws more, ``SKYSHARD_SEED`` others.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from tests.support.depth import how_many
from tests.support.odd_scans import COLUMNS, drawn_statement, name, write_odd_sky

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.czar.run.both_ways import difference
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "oddly_named"
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 40)
SUMS = ("SUM", "AVG", "STD")


@pytest.fixture(scope="module")
def sky(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    testbed.ingest(write_odd_sky(tmp_path_factory.mktemp("odd") / "sky"), database=DATABASE, columns="all")
    testbed.load_mono(DATABASE)
    yield testbed
    testbed.drop(DATABASE)


def compared(sky: Testbed, sql: str) -> tuple[str, str]:
    """What became of a statement, and what differs between its answers: empty where nothing does."""
    try:
        with sky.czar.open(sql, DATABASE, scan="columns") as answer:
            got, is_by_columns = answer.table(), answer.running.column_chunks > 0
    except UserError:
        try:
            sky.query(sql, database=DATABASE, scan="rows")
        except SkyshardError:
            return "an error", ""
        return "an error", "an error by columns alone"
    is_exact = not any(word in sql for word in SUMS)
    found = difference(got, sky.query(sql, database=DATABASE, scan="rows").table, is_exact=is_exact)
    found = found or difference(got, sky.query(sql, database=DATABASE, target="mono").table)
    return "by columns" if is_by_columns else "as rows", found


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_any_name_and_type_has_one_answer(sky: Testbed, column: str) -> None:
    """NULLs are counted by columns for every type but DECIMAL(50,5); numbers are grouped, sorted and compared."""
    one = name(column)
    by_columns, found = compared(sky, f"SELECT COUNT({one}), COUNT(*) AS {one} FROM Object WHERE {one} IS NOT NULL")
    assert (by_columns, found) == ("as rows" if column == "d50" else "by columns", "")
    for sql in (
        f"SELECT {one}, COUNT(*), MIN({one}) FROM Object GROUP BY {one}",
        f"SELECT objectId, {one} FROM Object ORDER BY {one} DESC, objectId LIMIT 5",
        f"SELECT objectId FROM Object WHERE {one} > 0.5 OR {one} <=> NULL",
    ):
        assert compared(sky, sql)[1] == "", sql


@pytest.mark.timeout(0 if STATEMENTS > 400 else 120)
def test_drawn_statements_have_one_answer(sky: Testbed) -> None:
    """By columns, as rows and of one server; each is wholly ordered, or has no LIMIT but of 0."""
    chance, counts, wrong = Random(int(os.environ.get("SKYSHARD_SEED", "1"))), Counter[str](), list[str]()
    for _ in range(STATEMENTS):
        sql = drawn_statement(chance)
        kind, found = compared(sky, sql)
        counts[kind] += 1
        wrong += [f"{found}: {sql}"] if found else []
    print(counts, *wrong, sep="\n")
    assert wrong == []
    assert counts["by columns"] > STATEMENTS / 5
