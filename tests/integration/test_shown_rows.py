"""Rows that a server shows are those that went through a table of the types of the result, or they are not taken."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from tests.support.same_answer import difference
from tests.support.split_sky import Splitter, drop, make_rows

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.layout import Striping
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.czar.result.typed_results import TypedColumn, create_scratch, read_types
from skyshard.czar.run.scratch_tables import query_name, scratch_table
from skyshard.czar.run.shown_rows import FewRows, merged_at_once, shown_rows, shows_whole
from skyshard.czar.run.stored_result import store_result
from skyshard.db.connection import Connection, at_once, connect
from skyshard.rowimage.sqltype import parse_type

pytestmark = pytest.mark.integration
QUERY = query_name()
TABLE = scratch_table(QUERY, "p0")
ROWS = (
    "(-9223372036854775808, 18446744073709551615, -128, 1.7976931348623157e308, 0.1, -12345678901234567890.0123456789),"
    "(9223372036854775807, 0, 127, 4.9406564584124654e-324, 3.4e38, 0.5), (1, 2, 3, 0.1, -0.3, 2.25),"
    "(NULL, NULL, NULL, NULL, NULL, NULL), (7, 9223372036854775808, 0, -1e16, 1e-45, -0.00000000005)"
)
SHOWN = [
    "i", "u", "t", "x", "d", "-t", "i % 10", "t + 1", "x / 3", "d / 7", "t / 3", "-d", "ABS(d)", "COALESCE(t, 0)",
    "IF(t > 0, x, t)", "CAST(t AS SIGNED)", "CAST(u AS UNSIGNED)", "t = 3", "x * 0", "SQRT(t)", "1e0 * i", "f + f",
]  # fmt: skip
TOTALS = [
    "COUNT(*)", "SUM(t)", "AVG(t)", "SUM(d)", "AVG(d)", "MIN(x)", "MAX(u)", "SUM(i)", "SUM(u) / COUNT(u)",
    "CAST(COALESCE(SUM(t), 0) AS SIGNED)", "SUM(x * 1e-300)", "BIT_OR(t)",
]  # fmt: skip
NOT_SHOWN = ["f", "ROUND(x / 7, 2)", "CAST(t AS CHAR)", "DATE('2020-02-03')"]


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Connection]:
    """A session of the czar's server with a table of numbers at the ends of their types."""
    with connect(private_cluster.endpoint("czar")) as connection:
        kinds = "i bigint, u bigint unsigned, t tinyint, x double, f float, d decimal(38,10)"
        connection.execute(f"CREATE TEMPORARY TABLE {TABLE} ({kinds}) ENGINE=MEMORY")
        connection.execute(f"INSERT INTO {TABLE} VALUES {ROWS}")
        yield connection


def typed(server: Connection, items: list[str]) -> tuple[str, tuple[TypedColumn, ...]]:
    """A statement that selects these, as c0, c1 ..., and its types."""
    statement = f"SELECT {', '.join(f'{item} AS c{place}' for place, item in enumerate(items))} FROM {TABLE}"
    names = [f"c{place}" for place in range(len(items))]
    return statement, read_types(server, statement, scratch_table(QUERY, "types"), names)


@pytest.mark.parametrize("items", [SHOWN, TOTALS], ids=["rows", "totals"])
def test_shown_values_are_those_of_a_table_of_the_types(server: Connection, items: list[str]) -> None:
    """Whole numbers, DECIMALs and DOUBLEs to the last digit, one statement an item and all of them in one."""
    for some in ([one] for one in items):
        statement, types = typed(server, some)
        assert shows_whole(types), some
        shown = shown_rows(server, statement, types)
        assert shown is not None, some
        assert shown.equals(store_result(server, QUERY, statement, types)), some
    statement, types = typed(server, items)
    assert pa.table(shown_rows(server, statement, types)).equals(store_result(server, QUERY, statement, types))


@pytest.mark.parametrize("item", NOT_SHOWN)
def test_values_that_a_server_shows_rounded_go_through_a_table(server: Connection, item: str) -> None:
    """A FLOAT is shown with six digits, a DOUBLE of fixed digits rounded."""
    statement, types = typed(server, ["x", item])
    assert not shows_whole(types) or shown_rows(server, statement, types) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [("bigint", "2.5"), ("bigint", "2.5e0"), ("double", "2"), ("decimal(10,2)", "2.125"), ("double", "'2'"),
     ("bigint", "'2'")],
)  # fmt: skip
def test_rows_of_other_types_than_the_results_are_not_taken(server: Connection, kind: str, value: str) -> None:
    """A merge whose columns are of another type goes through a table, which rounds as one server does."""
    types = (TypedColumn("c0", parse_type(kind)),)
    assert shown_rows(server, f"SELECT {value} AS c0", types) is None


@pytest.mark.parametrize(
    ("kind", "value"), [("tinyint", "128"), ("bigint", "18446744073709551615"), ("bigint unsigned", "-1")]
)
def test_a_shown_value_beyond_its_type_is_refused(server: Connection, kind: str, value: str) -> None:
    """As the table of the types refuses it, not cut."""
    types = (TypedColumn("c0", parse_type(kind)),)
    for way in (shown_rows, lambda *given: store_result(given[0], QUERY, *given[1:])):
        with pytest.raises(Refusal):
            way(server, f"SELECT {value} AS c0", types)


def test_a_shown_decimal_has_all_its_digits(server: Connection) -> None:
    """More than a DOUBLE or a BIGINT has."""
    statement, types = typed(server, ["MIN(d)"])
    shown = shown_rows(server, statement, types)
    assert shown is not None
    assert shown.column(0).to_pylist() == [Decimal("-12345678901234567890.0123456789")]


@pytest.mark.parametrize(
    ("rows", "is_whole"),
    [
        ([(100, "%s 50 %", 0.5), (-7, "é'\\", None)], True),
        ([(1, "a", 5e-324)], True),
        ([], True),
        ([(128, "a", 1.5)], False),
        ([(1, "abcdefghijk", 1.5)], False),
    ],
)
def test_few_rows_are_merged_in_one_round_trip(
    server: Connection, rows: list[tuple[int, str, float | None]], is_whole: bool
) -> None:
    """As if they had been stored first; not where a value does not fit. Their table is gone either way."""
    columns = [TypedColumn(*one) for one in zip("atx", map(parse_type, ("tinyint", "char(10)", "double")), strict=True)]
    name = scratch_table(QUERY, "few")
    create = create_scratch(name, columns, is_temporary=True)
    merge = f"SELECT SUM(a) AS c0, COUNT(t) + SUM(t LIKE '\\%s%') AS c1, MAX(x) AS c2 FROM {name}"
    kinds = [
        TypedColumn(f"c{place}", parse_type(kind))
        for place, kind in enumerate(("decimal(25)", "decimal(24)", "double"))
    ]
    before = questions(server)
    found = merged_at_once(server, FewRows(name, create, rows), merge, kinds)
    assert questions(server) - before == 2, "with the one that asks for their number"
    assert (found is not None) is is_whole
    if found is not None:
        server.execute(create)
        if rows:
            server.insert(name, rows)
        assert found.equals(shown_rows(server, merge, kinds))
        server.execute(f"DROP TEMPORARY TABLE {name}")
    with pytest.raises(UserError, match="1146"):
        server.rows(f"SELECT * FROM {name}")


def test_what_fails_behind_the_first_result_is_an_error(server: Connection) -> None:
    """Statements that are sent together give the rows of the first that has some, if all of them work."""
    assert server.rows(at_once("SELECT 1", "SELECT 2")) == [(1,)]
    with pytest.raises(UserError, match="1051"):
        server.rows(at_once("SELECT 1", f"DROP TABLE {scratch_table(QUERY, 'none')}"))
    assert server.rows("SELECT 3") == [(3,)]


def questions(server: Connection) -> int:
    """Round trips of a session so far."""
    return int(
        server.value("SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'")
    )


def test_many_rows_of_a_join_go_through_a_table(
    private_cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join may bring more rows than it reads: these are not held in memory as the server shows them."""
    striping = Striping(stripes=6, substripes=5, overlap_deg=2.0)
    sky = Splitter(private_cluster, striping, 2, 0).build("shown_join", make_rows(3, striping, 60))
    nodes = {name: private_cluster.node(name) for name in sky.nodes}
    stars = sky.mono.execute("SELECT starId FROM Star", sky.database).rows
    asked, take = list[str](), shown_rows

    def noted(connection: Connection, statement: str, *others: Any) -> pa.Table | None:
        asked.append(statement)
        return take(connection, statement, *others)

    for module in ("execute_plan", "shown_rows"):
        monkeypatch.setattr(f"skyshard.czar.run.{module}.shown_rows", noted)
    pairs = "FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 1.9"
    try:
        with Czar(
            sky, private_cluster.endpoint("czar"), nodes, private_cluster.data_dir("czar"), text_rows=stars
        ) as czar:
            for sql, is_shown in (
                (f"SELECT a.starId, b.starId {pairs} ORDER BY a.starId, b.starId", False),
                (f"SELECT COUNT(*), MIN(a.starId) {pairs}", True),
            ):
                asked.clear()
                got, want = czar.execute(sql, sky.database), sky.mono.execute(sql, sky.database)
                assert difference(got, want, is_ordered=True) == "", sql
                assert bool(asked) == is_shown, sql
                assert is_shown or got.rows > stars
    finally:
        sky.close()
        drop(private_cluster, sky.database)
