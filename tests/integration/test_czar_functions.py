"""Every function that the server has is listed with its place; those that hang on it are answered as on one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.odd_sky import odd_sky
from tests.support.split_sky import SplitSky

from skyshard.basics.errors import Refusal, UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.plan.query_plan import Kind
from skyshard.czar.sql.function_places import PLACES, Place
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration
ROWS = 60
NOT_CALLED = {"SCHEMAS"}
"""Words that the server lists as functions and does not take as such."""


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[SplitSky]:
    with odd_sky(private_cluster, "functions", 3, ROWS) as made:
        yield made


def value(sky: SplitSky, sql: str) -> object:
    return sky.czar.execute(sql, sky.database).table.column(0)[0].as_py()


def test_every_function_of_the_server_is_listed(private_cluster: PrivateCluster) -> None:
    """Its own list of functions, and every keyword that it takes as a function."""
    with connect(private_cluster.endpoint("czar"), Account.READER) as server:
        names = {str(row[0]) for row in server.rows("SELECT function FROM information_schema.sql_functions")}
        words = {str(row[0]) for row in server.rows("SELECT word FROM information_schema.keywords")}
        for word in sorted(word for word in words - names if word.isidentifier()):
            try:
                server.rows(f"SELECT {word}(1)")
            except UserError as error:
                if "(1582)" in str(error):  # wrong number of arguments
                    names.add(word)
    assert sorted(names - set(PLACES) - NOT_CALLED) == []


@pytest.mark.parametrize("name", sorted(name for name, place in PLACES.items() if place is Place.REFUSED))
def test_what_waits_or_tells_of_a_session_is_refused(sky: SplitSky, name: str) -> None:
    """By the czar and by the oracle, by name."""
    for target in (sky.czar, sky.mono):
        with pytest.raises(Refusal, match=rf"\[function\] {name}\(\) is not answered"):
            target.execute(f"SELECT {name}(id) FROM Odd", sky.database)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT COUNT(*) FROM Odd WHERE ROWNUM() <= 7", 7),
        ("SELECT COUNT(*) FROM Odd WHERE rownum() + 0 * id <= 7", 7),
        ("SELECT MAX(ROWNUM()) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT r) FROM (SELECT ROWNUM() r FROM Odd) q", ROWS),
        ("SELECT COUNT(DISTINCT UUID_SHORT()) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT `uuid`()) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT SYS_GUID()) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT RAND(5)) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT RAND(2 + 3)) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT RAND()) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT RAND(id)) FROM Odd", ROWS),
        ("SELECT COUNT(DISTINCT NOW(6)) FROM Odd", 1),
        ("SELECT COUNT(DISTINCT UTC_TIMESTAMP) + COUNT(DISTINCT UTC_DATE, UTC_TIME) FROM Odd", 2),
        ("SELECT COUNT(DISTINCT USER(), CURRENT_USER, SESSION_USER(), VERSION(), DATABASE()) FROM Odd", 1),
        ("SELECT COUNT(*) FROM Odd WHERE CURRENT_ROLE IS NULL", ROWS),
        ("SELECT COUNT(*) FROM Odd WHERE SYSDATE() >= NOW() AND LENGTH(RANDOM_BYTES(5)) = 5", ROWS),
    ],
)
def test_values_of_one_server(sky: SplitSky, sql: str, wanted: int) -> None:
    """Counted by hand: numbers run on, ids differ, the time is one."""
    assert value(sky, sql) == wanted
    assert sky.mono.execute(sql, sky.database).table.column(0)[0].as_py() == wanted


def test_functions_that_count_are_gathered(sky: SplitSky) -> None:
    """Nothing that counts rows or calls is computed chunk by chunk; what hangs on its arguments is."""
    kinds = {
        sql: sky.czar.execute(sql, sky.database).stats.kind
        for sql in ("SELECT ROWNUM() FROM Odd", "SELECT UUID_SHORT() FROM Odd", "SELECT RAND(id) FROM Odd")
    }
    assert list(kinds.values()) == [Kind.GATHER, Kind.GATHER, Kind.LOCAL]


def test_stored_functions_are_refused(sky: SplitSky) -> None:
    """A function of a database may read or write anything."""
    with pytest.raises(Refusal, match="stored functions"):
        sky.czar.execute("SELECT sys.version_major() FROM Odd", sky.database)
