"""Drawn statements over split skies: any split of the rows over nodes answers as one server does.

``SKYSHARD_STATEMENTS`` sets how many statements are drawn (CI draws few), ``SKYSHARD_SEED`` where they begin;
``SKYSHARD_NODES`` how many nodes there are. ``SKYSHARD_MANY`` asks for a sky of more than 4,000 chunks with rows, most
of them with one star; there the oracle gives up after ``SKYSHARD_PATIENCE`` seconds, as one server joins them for
hours. A mismatch becomes a line of tests/cases/split.sql.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.czar_grammar import Grammar
from tests.support.depth import how_many
from tests.support.same_answer import difference, normal, rows_in
from tests.support.split_sky import SplitSky, Splitter, drop, make_rows

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.layout import Striping
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.result.answer import QueryResult
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 80)
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
CASES = Path(__file__).resolve().parents[1] / "cases" / "split.sql"
COARSE = Striping(stripes=6, substripes=5, overlap_deg=2.0)
FINE = Striping(stripes=20, substripes=4, overlap_deg=0.7)
IS_MANY = "SKYSHARD_MANY" in os.environ
STARS = int(os.environ.get("SKYSHARD_STARS", "4700" if IS_MANY else "48"))
PATIENCE_S = int(os.environ.get("SKYSHARD_PATIENCE", "5"))
SKIES = {"coarse": (COARSE, -1), "fine": (FINE, 20_000)}
"""Striping, and how many rows travel as text."""
if IS_MANY:  # minutes to make
    SKIES = {"many": (Striping(stripes=90, substripes=3, overlap_deg=0.4), 2000)}


@pytest.fixture(scope="module")
def skies(private_cluster: PrivateCluster) -> Iterator[dict[str, SplitSky]]:
    made = {}
    rows = make_rows(SEED + 1, list(SKIES.values())[-1][0], STARS, is_spread=IS_MANY)
    for number, (name, (striping, text_rows)) in enumerate(SKIES.items()):
        made[name] = Splitter(private_cluster, striping, len(private_cluster.node_names), number).build(
            f"split_{name}", rows, text_rows=text_rows
        )
    if IS_MANY:
        assert sum(entry.rows > 0 for entry in made["many"].tables["Star"].chunks.values()) > 4000
        with connect(private_cluster.endpoint("mono"), Account.ADMIN) as mono:
            mono.execute(f"SET GLOBAL max_statement_time = {PATIENCE_S}")
    yield made
    for sky in made.values():
        sky.close()
        drop(private_cluster, sky.database)


def compare(sky: SplitSky, sql: str, *, is_ordered: bool) -> tuple[str, str]:
    """What differs (empty if nothing), and the kind of the plan or the code of the refusal."""
    try:
        want = sky.mono.execute(sql, sky.database)
    except Refusal as refusal:
        return "", f"refused {refusal.code}"
    except UserError as error:
        if "max_statement_time" in str(error):
            return "", "unanswered"
        try:
            sky.czar.execute(sql, sky.database)
        except UserError:
            return "", "wrong"
        return f"one server says {error}", ""
    got = sky.czar.execute(sql, sky.database)
    return difference(got, want, is_ordered=is_ordered), str(got.stats.kind)


@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("name", list(SKIES))
def test_drawn_statements_agree(skies: dict[str, SplitSky], name: str) -> None:
    """Names, types and rows are those of one server for every drawn statement; few of them make no sense."""
    sky, kinds = skies[name], Counter[str]()
    striping = SKIES[name][0]
    wrong: list[str] = []
    for number in range(STATEMENTS // len(SKIES)):
        grammar = Grammar(Random(f"{SEED} {name} {number}"), striping.overlap_deg, STARS)
        sql, is_ordered = grammar.statement()
        found, kind = compare(sky, sql, is_ordered=is_ordered)
        kinds[kind] += 1
        wrong += [f"{found}: {sql}"] if found else []
        if IS_MANY and (found or number % 100 == 99):
            print(number + 1, dict(kinds), wrong[-1:] if found else "", flush=True)
    print(name, dict(kinds))
    assert wrong == []
    assert kinds["wrong"] < 0.1 * kinds.total()


@pytest.mark.parametrize("sql", [line for line in CASES.read_text().splitlines() if line and not line.startswith("--")])
def test_known_statements_agree(skies: dict[str, SplitSky], sql: str) -> None:
    """What once went wrong stays right."""
    for sky in skies.values():
        assert compare(sky, sql, is_ordered=False)[0] == ""


@pytest.mark.parametrize("name", list(SKIES))
def test_a_limit_without_order_gives_so_many_of_the_rows(skies: dict[str, SplitSky], name: str) -> None:
    """Whatever rows they are: as many as there are, none twice, all of them rows of the whole answer."""
    sky, chance = skies[name], Random(f"{SEED} limit {name}")
    tried = 0
    while tried < 12:
        sql, is_ordered = Grammar(chance, SKIES[name][0].overlap_deg, STARS).plain()
        if is_ordered or " LIMIT " in sql:
            continue
        try:
            whole = sky.mono.execute(sql, sky.database)
        except UserError:
            continue
        tried += 1
        count, offset = chance.choice([0, 1, 5, 40, 1000]), chance.choice([0, 0, 3])
        cut = sky.czar.execute(f"{sql} LIMIT {count} OFFSET {offset}", sky.database)
        assert cut.rows == max(0, min(count, whole.rows - offset)), sql
        assert not lines_of(cut) - lines_of(whole), sql


def lines_of(result: QueryResult) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(map(normal, row)) for row in rows_in(result.table))


AREAS = [
    "qserv_areaspec_box(340, -20, 40, 60)",
    "qserv_areaspec_circle(0, 90, 70)",
    "qserv_areaspec_circle(359.99, 0, 120)",
    "scisql_s2PtInEllipse(s.ra, s.decl, 180, 45, 36000, 9000, 30) = 1",
    "scisql_angSep(s.ra, s.decl, 0, -90) < 60",
]


@pytest.mark.parametrize("area", AREAS)
def test_an_area_cut_in_two_adds_up(skies: dict[str, SplitSky], area: str) -> None:
    """Inside and outside are all; the north and the south of an area are the area; a star in the area is not lost."""
    for sky in skies.values():

        def count(where: str, sky: SplitSky = sky) -> int:
            table = sky.czar.execute(f"SELECT COUNT(*) FROM Star s WHERE {where}", sky.database).table
            return int(table.column(0)[0].as_py())

        assert count(area) + count(f"NOT ({area})") == STARS
        assert count(f"{area} AND s.decl < 12.5") + count(f"{area} AND s.decl >= 12.5") == count(area)
        assert count(f"{area} AND s.ra < 0") + count(f"s.ra >= 0 AND {area}") == count(area)
        assert count(f"{area} OR s.ra BETWEEN -20 AND 20") == count(area) + count(
            f"s.ra BETWEEN -20 AND 20 AND NOT {area}"
        )


def test_a_finer_layout_gives_the_same_answers(skies: dict[str, SplitSky]) -> None:
    """The same rows in larger and in smaller chunks answer alike."""
    one, other = skies.values()
    for number in range(12):
        sql, is_ordered = Grammar(Random(f"{SEED} finer {number}"), FINE.overlap_deg, STARS).statement()
        try:
            want = one.czar.execute(sql, one.database)
        except UserError:
            continue
        assert difference(other.czar.execute(sql, other.database), want, is_ordered=is_ordered) == "", sql
