"""Drawn statements asked of the czar and, in the very same words, of one plain MariaDB, which shares no parser with it.

``SKYSHARD_STATEMENTS`` sets how many are drawn, ``SKYSHARD_SEED`` where they begin and which rows there are. What
differs becomes a line of tests/cases/plain.sql. Half of the statements are scans by columns where these can be.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pymysql
import pytest
from tests.support.beside_plain import BesidePlain
from tests.support.depth import how_many
from tests.support.plain_grammar import Grammar
from tests.support.plain_sky import FIRST, SECOND, plain_sky
from tests.support.plain_templates import Statement
from tests.support.raw_server import RawServer

from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import MONO_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 300)
SEED = int(os.environ.get("SKYSHARD_SEED", "1"))
MOST_REFUSED, MOST_WRONG = 0.05, 0.25
"""Shares of the statements; more would leave too little to compare."""
CASES = Path(__file__).resolve().parents[1] / "cases" / "plain.sql"
KNOWN = [line for line in CASES.read_text().splitlines() if line and not line.startswith("--")]


@pytest.fixture(scope="module")
def beside(
    private_cluster: PrivateCluster, testbed: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BesidePlain]:
    folder, replicas = tmp_path_factory.mktemp("plain"), min(2, len(testbed.nodes))
    with plain_sky(private_cluster, testbed, folder, SEED, replicas) as raw:
        yield BesidePlain(testbed, raw, FIRST)


@pytest.mark.timeout(36_000)
def test_drawn_statements_agree_with_plain_mariadb(beside: BesidePlain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, types, rows and NULLs; nothing is answered that plain MariaDB does not answer, and little is refused."""
    monkeypatch.setenv("SKYSHARD_BOTH", "1")
    for number in range(STATEMENTS):
        beside.ask(Grammar(Random(f"{SEED} plain {number}")).statement(), "columns" if number % 2 else "rows")
    print(dict(beside.counts), f"{beside.columns} chunks by columns", *beside.refused, sep="\n")
    assert beside.faults == [], "\n".join(beside.faults)
    assert sum(count for name, count in beside.counts.items() if name.startswith("refused")) < MOST_REFUSED * STATEMENTS
    assert beside.counts["wrong"] < MOST_WRONG * STATEMENTS
    assert beside.columns > 0


@pytest.mark.parametrize("sql", KNOWN)
def test_known_statements_agree_with_plain_mariadb(beside: BesidePlain, sql: str) -> None:
    """What once went wrong stays right."""
    text = sql.removeprefix("! ")
    beside.faults.clear()
    beside.refused.clear()
    for scan in ("rows", "columns"):
        beside.ask(Statement(text, text, sql.startswith("! ")), scan)
    assert (beside.faults, beside.refused) == ([], [])


@pytest.mark.parametrize("sql", ["SELECT 1", "SHOW DATABASES", "SELECT COUNT(*) FROM sa.Obj", "SHOW TABLES FROM sa"])
def test_a_database_that_is_not_there_is_refused_as_by_a_client_of_mariadb(
    beside: BesidePlain, private_cluster: PrivateCluster, sql: str
) -> None:
    """Also where no name of the statement needs it; of system schemas there is one, whatever is asked of it."""
    with pytest.raises(pymysql.OperationalError, match="Unknown database 'nosuch'"):
        RawServer(private_cluster.endpoint(MONO_NAME), "nosuch")
    testbed = beside.testbed
    for ask in (testbed.query, testbed.explain, partial(testbed.query, target="mono")):
        with pytest.raises(UserError, match="no database 'nosuch'"):
            ask(sql, database="nosuch")
    assert testbed.query(sql, database=SECOND).rows > 0
    assert testbed.query(sql, database="information_schema").rows > 0


def test_tables_that_are_called_alike_in_one_database_are_refused(beside: BesidePlain) -> None:
    """As by MariaDB; so is a name that two of them have, and a star of both, which says what to write."""
    for sql, words in {
        "SELECT 1 FROM sa.Obj, Obj": "two tables are called 'Obj'",
        "SELECT 1 FROM sa.Obj o, (SELECT 1 AS a) o": "two tables are called 'o'",
        "SELECT Obj.n FROM sa.Obj, sb.Obj": "column 'Obj.n' is ambiguous",
        "SELECT Obj.* FROM sa.Obj, sb.Obj": "write sa.Obj or sb.Obj, or give each an alias of its own",
        "SELECT o.n AS n, s.n AS n FROM Obj o, Src s GROUP BY n": "column 'n' in GROUP BY is ambiguous",
    }.items():
        with pytest.raises(UserError) as error:
            beside.testbed.query(sql, database=FIRST)
        assert words in f"{error.value}; {error.value.remedy}"
