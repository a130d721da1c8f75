"""Long, deep and wide statements, mistakes that only a server notices, results beyond memory: what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.odd_sky import odd_sky
from tests.support.split_sky import SplitSky

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.db.connection import Account, connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
ROWS = 40
"""Their keys are 3, 14, 25 ..."""


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[SplitSky]:
    with odd_sky(private_cluster, "long_statements", 3, ROWS) as made:
        yield made


def count(sky: SplitSky, where: str) -> set[int]:
    sql = f"SELECT COUNT(*) FROM Odd WHERE {where}"
    return {int(target.execute(sql, sky.database).table.column(0)[0].as_py()) for target in (sky.czar, sky.mono)}


TERMS = 1500
CHAINS = {
    "AND": (" AND ".join(f"id <> {11 * n + 3}" for n in range(5, TERMS)), 5),
    "OR": (" OR ".join(f"id = {11 * n + 3}" for n in range(-TERMS, 7)), 7),
    "OR within AND": (" AND ".join(f"(id <> {11 * n + 3} OR id < 3)" for n in range(9, TERMS)), 9),
    "ranges": (" OR ".join(f"id BETWEEN {n} AND {n + 1}" for n in range(2, 2 * TERMS, 11)), ROWS),
    "IN": (f"id IN ({', '.join(str(11 * n + 3) for n in range(-TERMS, 11))})", 11),
    "parentheses": (f"{'(' * TERMS}id <= 14{')' * TERMS}", 2),
    "NOT": (f"{'NOT ' * TERMS}id <= 14", 2),
    "CASE": (f"CASE id {' '.join(f'WHEN {n} THEN 1' for n in range(TERMS))} END IS NULL", 0),
    "nested calls": (f"{'IFNULL(NULL, ' * 200}id{')' * 200} <= 25", 3),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.deep) if name == "OR within AND" else name for name in CHAINS]
)
def test_long_chains_are_answered(sky: SplitSky, name: str) -> None:
    """As many rows as the rule for the keys says."""
    where, wanted = CHAINS[name]
    assert count(sky, where) == {wanted}


def test_what_no_server_can_nest_is_a_mistake(sky: SplitSky) -> None:
    """One line that says what to do."""
    with pytest.raises(UserError, match=r"Thread stack overrun.*split the statement"):
        sky.czar.execute(f"SELECT SUM(id{' + 1' * 3000}) FROM Odd", sky.database)


@pytest.mark.parametrize(
    "item",
    ["EXTRACTVALUE('<a/>', '~')", "UPDATEXML('<a/>', '//[', 'x')", "EXTRACTVALUE('<a/>', txt)", "txt REGEXP '('",
     "REGEXP_REPLACE(txt, '[', 'x')", "EXP(1000 + id)", "CONVERT(txt USING nosuch)",
     "txt COLLATE latin1_bin = txt COLLATE latin1_general_ci", "(SELECT id FROM Odd)"],
)  # fmt: skip
def test_mistakes_that_a_server_notices_are_the_users(sky: SplitSky, item: str) -> None:
    """Not a failing cluster, and no bug; over chunks, merged, and on one server."""
    for sql in (f"SELECT {item} FROM Odd", f"SELECT MAX({item}) FROM Odd", f"SELECT n FROM Word WHERE {item}"):
        for target in (sky.czar, sky.mono):
            if "Word" in sql and ("id" in item or "Odd" in item):
                continue
            with pytest.raises(UserError) as error:
                target.execute(sql, sky.database)
            assert "\n" not in str(error.value)
            assert ".sock" not in str(error.value)


def test_two_wide_tables_in_one_result(sky: SplitSky) -> None:
    """2,600 columns work; more than a table's definition can hold are refused with what to do."""
    items = ", ".join(f"id + {n}" for n in range(2600))
    assert sky.czar.execute(f"SELECT {items} FROM Odd WHERE id < 20", sky.database).rows == 2
    with pytest.raises(UserError, match="name fewer columns"):
        sky.czar.execute(f"SELECT {items}, {items} FROM Odd", sky.database)


def test_a_result_beyond_a_table_in_memory_goes_to_disk(sky: SplitSky, private_cluster: PrivateCluster) -> None:
    """A product of small tables: what would be "table is full" is kept in a file."""
    data_dir = private_cluster.data_dir("czar")
    nodes = {name: private_cluster.node(name) for name in sky.nodes}
    with connect(private_cluster.endpoint("czar"), Account.ADMIN) as admin:
        before = admin.value("SELECT @@GLOBAL.max_heap_table_size")
        admin.execute("SET GLOBAL max_heap_table_size = 65536")
        try:
            with Czar(sky, private_cluster.endpoint("czar"), nodes, data_dir) as czar:
                found = czar.execute("SELECT a.id, b.id FROM Odd a, Odd b, Odd c", sky.database)
        finally:
            admin.execute(f"SET GLOBAL max_heap_table_size = {before}")
    assert found.rows == ROWS**3


def test_explain_counts_the_rows_that_are_read(sky: SplitSky) -> None:
    """Of an aggregate that gives one row a chunk, too."""
    for sql in ("SELECT COUNT(*) FROM Odd WHERE txt = 'abc'", "SELECT MAX(id) FROM Odd", "SELECT id FROM Odd"):
        explained = sky.czar.explain(sql, sky.database)
        assert explained.rows_read == explained.costs.rows_read == ROWS
