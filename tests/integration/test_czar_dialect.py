"""Texts that the czar writes, tried on a real server: round trips, result names, regions, functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Box, Circle, Ellipse, Polygon, Region, ang_sep
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.bind.expand_functions import FORMULAS
from skyshard.czar.sql.dialect import DIALECT, parse_expression, render
from skyshard.czar.sql.region_sql import condition, fill, number
from skyshard.czar.sql.statement import SelectStatement, parse_statement
from skyshard.db.connection import Account, Connection, connect

pytestmark = pytest.mark.integration

CASES = Path(__file__).resolve().parents[1] / "cases"
TABLE = (
    "CREATE TABLE t (id BIGINT, ra DOUBLE, f FLOAT, i INT, s VARCHAR(10), c CHAR(3), d DECIMAL(10,3), dt DATETIME, "
    "b BIT(1), y SMALLINT) ENGINE=MyISAM"
)
ROWS = (
    "INSERT INTO t VALUES (1,1.5,0.1,3,'abc','x',1.5,'2020-01-01 10:11:12',1,1),(2,-2.5,1e30,4,NULL,'a%',2,NULL,0,NULL)"
)


ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "xe9": "\xe9"}


def lines(name: str) -> list[str]:
    return [line for line in (CASES / name).read_text().splitlines() if line.strip() and not line.startswith("--")]


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Connection]:
    with connect(private_cluster.endpoint("czar"), Account.ADMIN) as admin:
        admin.execute("DROP DATABASE IF EXISTS dialect")
        admin.execute("CREATE DATABASE dialect CHARACTER SET latin1")
        admin.execute(f"{TABLE.replace('TABLE t', 'TABLE dialect.t')}")
        admin.execute(ROWS.replace("INTO t", "INTO dialect.t"))
        with connect(private_cluster.endpoint("czar"), Account.READER, "dialect") as reader:
            yield reader
        admin.execute("DROP DATABASE dialect")


@pytest.mark.parametrize("line", lines("round_trip.sql"))
def test_round_trip_gives_the_same_values(server: Connection, line: str) -> None:
    """An expression that went through a tree means what it meant."""
    written = f"SELECT {line} FROM t"
    (tree,) = DIALECT.parse(written)
    assert tree is not None
    assert server.rows(render(tree)) == server.rows(written)


@pytest.mark.parametrize("line", lines("names.sql"))
def test_result_names_are_those_of_the_server(server: Connection, line: str) -> None:
    """The names in the case file are what MariaDB says."""
    sql, names = line.split(" => ")
    server.rows(sql)
    assert "|".join(column.name for column in server.columns) == names.strip()


SPELLINGS = [line.replace("\\\\", "\0") for line in lines("spellings.txt")]


@pytest.mark.parametrize("form", ["{}", "DISTINCT {}, 1", "i, {}", "1 /* a */, /* b */ {} /* c */, i x"])
def test_odd_spellings_have_the_names_that_the_server_gives(server: Connection, form: str) -> None:
    """Comments around an item are no part of its name, those inside are; blanks, quotes and digits stay."""
    wrong = []
    for line in SPELLINGS:
        item = re.sub(r"\\(n|t|r|xe9)", lambda found: ESCAPES[found[1]], line).replace("\0", "\\")
        sql = f"SELECT {form.format(item)} FROM t"
        try:
            server.rows(sql)
        except UserError:
            continue
        wanted = tuple(column.name for column in server.columns)
        statement = parse_statement(sql)
        assert isinstance(statement, SelectStatement)
        if statement.names != wanted:
            wrong.append(f"{statement.names} instead of {wanted}: {sql!r}")
    assert wrong == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (SELECT i+1, COUNT( * ), 'x', id%2 FROM t GROUP BY 1) q",
        "SELECT q.`i+1`, `ra*2`-1 AS x, q.* FROM (SELECT i+1, ra*2 FROM t) q WHERE `I+1` > 0 ORDER BY `i+1`",
        "WITH w AS (SELECT i/2, /* half */ ra  / 2 FROM t) SELECT * FROM w JOIN (SELECT i/2 FROM t) v USING (`i/2`)",
        "WITH RECURSIVE n AS (SELECT 1+0 UNION ALL SELECT `1+0`+1 FROM n WHERE `1+0`<4) SELECT * FROM n",
        "SELECT * FROM ((SELECT MAX(i)MIN, -i, - ra FROM t) UNION (SELECT 1, 2, 3)) q",
        "SELECT * FROM (SELECT `i+1`+1 FROM (SELECT i+1 FROM t) p) q JOIN (SELECT NOT i FROM t) r",
        "SELECT i+1 FROM t ORDER BY `i+1`",
        "SELECT id%2, COUNT(*) FROM t GROUP BY `id%2` HAVING `count(*)` > 0 ORDER BY `ID%2` DESC",
        "SELECT \\N, \\N AS x, i IS \\N FROM t",
        "SELECT SUBSTR(s FROM 2), MID(s FROM 1 FOR 2), SUBSTR( s , 2 ), substring(s from 2 for 1), MID(i=3, 1) FROM t",
        "SELECT id FROM t ORDER BY id OFFSET 1 ROW",
        "SELECT i, ((SELECT i FROM t) ORDER BY i DESC LIMIT 1) FROM t WHERE i < ((SELECT 4) LIMIT 1)",
        "WITH t AS (SELECT 5 AS id) (SELECT COUNT(*) FROM t) LIMIT 1",
        "WITH t AS (SELECT 5 AS id) ((SELECT id FROM t) UNION SELECT 7) ORDER BY id DESC",
        "WITH t AS (SELECT 5 AS id UNION SELECT 6) (SELECT id FROM t ORDER BY id LIMIT 1) LIMIT 7",
        "(SELECT id FROM t ORDER BY id OFFSET 1 ROWS FETCH NEXT 3 ROWS WITH TIES) UNION ALL (SELECT 5 FROM t)",
        "SELECT i > DATE '2020-01-01' AS x FROM t HAVING x ORDER BY x",
        "SELECT CAST(ra AS SIGNED INT), CONVERT(i, UNSIGNED INT), CAST(i AS UNSIGNED INTEGER) FROM t",
    ],
)
def test_inner_items_are_called_as_they_are_written(server: Connection, sql: str) -> None:
    """A derived table's columns and names in ORDER BY hang on the blanks of the text, which a tree does not keep."""
    wanted = server.rows(sql), [column.name for column in server.columns]
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    got = server.rows(render(statement.tree)), [column.name for column in server.columns]
    names = got[1] if None in statement.names else list(statement.names)
    assert (got[0], names) == wanted


REGIONS: list[Region] = [
    Box(10, -20, 40, 30), Box(350, -10, 10, 10), Box(0, 89, 360, 90), Box(-30, -5, 30, 5), Box(355, 0, 360, 20),
    Box(0, 5, 10, -5), Box(120, -90, 121, -89.99), Circle(0, 0, 0.3), Circle(359.99, 5, 2), Circle(100, 90, 1),
    Circle(10, -89.9, 0.5), Circle(123.4, 45.6, 1e-6), Circle(30, 30, 119), Circle(0, 0, 180), Circle(5, 5, 0),
    Ellipse(359.9, 5, 3600, 1000, 30), Ellipse(80, 89.9, 7200, 300, 120), Ellipse(200, -30, 1.0, 0.5, 0),
    Ellipse(10, 10, 10, 0, 0), Polygon.of(10, 0, 40, 0, 40, 30, 10, 30), Polygon.of(350, -10, 10, -10, 10, 10, 350, 10),
    Polygon.of(0, 80, 120, 80, 240, 80), Polygon.of(20, 10, 20.001, 10, 20, 10.001),
]  # fmt: skip


def points_near(region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Points all over the sky, at the poles and the wrap, and close around the region's bounds."""
    random = np.random.default_rng(3)
    ra = [random.uniform(0, 360, 60), np.array([0.0, 0.0, 359.9999999, 180.0, 0.0])]
    dec = [np.degrees(np.arcsin(random.uniform(-1, 1, 60))), np.array([90.0, -90.0, 0.0, 0.0, 0.0])]
    bounds = region.bounds()
    width = (bounds.ra_max - bounds.ra_min) % 360.0 or 360.0
    height = max(bounds.dec_max - bounds.dec_min, 1e-9)
    ra.append((bounds.ra_min + random.uniform(-0.2, 1.2, 120) * width) % 360.0)
    dec.append(np.clip(bounds.dec_min + random.uniform(-0.2, 1.2, 120) * height, -90, 90))
    return np.concatenate(ra), np.concatenate(dec)


@pytest.mark.parametrize("region", REGIONS, ids=repr)
@pytest.mark.parametrize("is_beyond", [True, False])
@pytest.mark.parametrize("is_valid", [True, False])
def test_region_condition_is_contains(server: Connection, region: Region, is_valid: bool, is_beyond: bool) -> None:
    """A region in SQL holds the points that the region itself holds; also for unreduced right ascensions."""
    ra, dec = points_near(region)
    shift = np.resize([0.0, 360.0, -360.0], len(ra)) if is_beyond else 0.0
    text = render(condition(region, parse_expression("p.ra"), parse_expression("p.d"), is_valid=is_valid))
    pairs = zip((ra + shift).tolist(), dec.tolist(), strict=True)
    rows = " UNION ALL ".join(f"SELECT {number(one)} ra, {number(other)} d" for one, other in pairs)
    got = [bool(row[0]) for row in server.rows(f"SELECT {text} FROM ({rows}) p")]
    want = region.contains(ra + shift, dec)
    assert [place for place, (one, other) in enumerate(zip(got, want, strict=True)) if one != other] == []


def test_region_condition_is_not_true_for_null(server: Connection) -> None:
    """No region holds a NULL position."""
    for region in REGIONS:
        for ra, dec in (("NULL", "1"), ("1", "NULL"), ("NULL", "NULL")):
            text = render(condition(region, parse_expression(ra), parse_expression(dec), is_valid=True))
            assert server.rows(f"SELECT COUNT(*) FROM t WHERE {text}") == [(0,)]


def formula(name: str, *arguments: str) -> str:
    parameters, text = FORMULAS[name]
    return render(fill(text, **dict(zip(parameters.split(), map(parse_expression, arguments), strict=True))))


@pytest.mark.parametrize(
    "pair",
    [(0, 0, 0, 0), (0, 0, 180, 0), (10, 90, 200, 90), (10, 89.9999, 190, 89.9999), (359.9999, 0, 0.0001, 0),
     (20, 30, 20, 30.0000001), (1.5, -45, 181.5, 45), (100, -90, 3, 90), (120, 45, 120.0000001, 45)],
)  # fmt: skip
def test_angular_separation_is_that_of_the_sphere(server: Connection, pair: tuple[float, float, float, float]) -> None:
    """scisql_angSep to 1e-9 relative, at poles, wrap, antipodes and tiny separations; NULL stays NULL."""
    got = server.value(f"SELECT {formula('angsep', *map(repr, map(float, pair)))}")
    assert math.isclose(got, float(ang_sep(*pair)), rel_tol=1e-9, abs_tol=1e-13)
    assert server.value(f"SELECT {formula('angsep', 'NULL', *map(repr, map(float, pair[1:])))}") is None


@pytest.mark.parametrize(
    ("name", "arguments", "want"),
    [
        ("fluxtoabmag", (3.63078054770101e-20,), 0.0),
        ("fluxtoabmag", (0.0,), None),
        ("fluxtoabmag", (-1.0,), None),
        ("nanojanskytoabmag", (1.0,), 31.4),
        ("nanojanskytoabmag", (3630.78054770101,), 22.5),
        ("nanojanskytoabmagsigma", (100.0, 1.0), 0.010857362047581296),
        ("fluxtoabmagsigma", (1e-28, 1e-30), 0.010857362047581296),
        ("fluxtoabmagsigma", (-1e-28, 1e-30), None),
        ("abmagtonanojansky", (31.4,), 1.0),
        ("abmagtoflux", (-48.6,), 1.0),
        ("abmagtonanojanskysigma", (31.4, 0.1), 0.09210340371976183),
    ],
)
def test_magnitudes_are_those_of_the_formula(
    server: Connection, name: str, arguments: tuple[float, ...], want: float | None
) -> None:
    """AB magnitudes: -2.5 log10(f) - 48.6 in cgs, 31.4 - 2.5 log10(f) in nJy, and their inverses and errors."""
    got = server.value(f"SELECT {formula(name, *map(repr, arguments))}")
    assert got == want if want is None else math.isclose(got, want, rel_tol=1e-12, abs_tol=1e-9)
