"""Pairs counted from positions are the nodes' own, and one server's: self joins, two directors, dependents, matches.

``SKYSHARD_STATEMENTS`` sets how many statements are drawn (CI draws few), ``SKYSHARD_SEED`` where they begin.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from tests.support.depth import how_many
from tests.support.same_answer import difference, rows_in
from tests.support.split_sky import Row, SplitSky, Splitter, drop, make_rows

from skyshard.catalog.layout import Striping
from skyshard.chunking.sphere import unit_vectors
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.czar.pairs.separation_bound import BOUND_RAD
from skyshard.czar.plan.pair_way import PairWay
from skyshard.czar.result.answer import QueryResult
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.sql.region_sql import number
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 30)
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
STRIPING = Striping(stripes=12, substripes=3, overlap_deg=1.0)
STARS = 160
NEVER = 2**62
"""More rows than there are: the nodes count."""
POSITIONS = {"Star": ("ra", "decl"), "Galaxy": ("ra", "dec_"), "Epoch": ("raStar", "declStar")}
OWN = {
    "Star": ("kind < 3", "mag > 15", "decl > -20.5", "name = 's3'", "mag IS NULL"), "Galaxy": ("kind <> 2", "z < 1.5"),
    "Epoch": ("bandId = 1", "t > 4.5", "starId > 50"),
}  # fmt: skip
WHOLE = {"Star": ("starId", "kind"), "Galaxy": ("galaxyId", "kind", "bits"), "Epoch": ("epochId", "starId", "bandId")}
SHOWN = {
    "Star": ("starId", "ra", "decl", "mag", "flux", "kind"), "Galaxy": ("galaxyId", "ra", "z", "bits"),
    "Epoch": ("epochId", "starId", "raStar", "t", "flux", "bandId"),
}  # fmt: skip
"""Columns that pairs' rows are asked for: whole numbers, DOUBLEs and FLOATs, some of them NULL."""
SIDES = [("Star", "Star"), ("Star", "Star"), ("Galaxy", "Galaxy"), ("Star", "Galaxy"), ("Epoch", "Star")]


def crowded_rows() -> dict[str, list[Row]]:
    """Stars at places of others, and at steps of a tenth of a degree from them, so that many pairs are doubtful."""
    rows = make_rows(SEED + 5, STRIPING, STARS)
    stars = rows["Star"]
    twins = [(10**7 + n, *star[1:]) for n, star in enumerate(stars[::5])]
    steps = [
        (10**8 + 10 * n + k, star[1], max(-90.0, star[2] - k / 10), *star[3:])
        for n, star in enumerate(stars[::9]) for k in (1, 5)
    ]  # fmt: skip
    zero = [(10**9 + n, ra, 0.25 * n, *stars[0][3:]) for n, ra in enumerate((0.0, 0.0, 0.1, -0.1, 1e-12, -1e-12))]
    rows["Star"] = [*stars, *twins, *steps, *zero]
    rows["Epoch"] += [(10**6 + 50 + n, star[0], None, None, *one[4:]) for n, (star, one) in
                      enumerate(zip(stars[:4], rows["Epoch"][:4], strict=True))]  # fmt: skip
    return rows


class Sky:
    """A split sky, and a czar over it that counts all pairs from positions."""

    def __init__(self, cluster: PrivateCluster, sky: SplitSky) -> None:
        self.split = sky
        nodes = {name: cluster.node(name) for name in sky.nodes}
        made = [
            Czar(sky, cluster.endpoint("czar"), nodes, cluster.data_dir("czar"), pair_rows=rows) for rows in (0, NEVER)
        ]
        self.by_positions, self.by_nodes = made

    def close(self) -> None:
        for one in (self.by_positions, self.by_nodes, self.split):
            one.close()

    def answers(self, sql: str) -> list[QueryResult]:
        """By positions, by the nodes, by one server."""
        return [one.execute(sql, self.split.database) for one in (self.by_positions, self.by_nodes, self.split.mono)]

    def counts(self, sql: str) -> list[int]:
        """What both ways and one server say."""
        return [int(one.table.column(0)[0].as_py()) for one in self.answers(sql)]

    def is_by_positions(self, sql: str) -> bool:
        typed = self.by_positions.plan_ahead(sql, self.split.database).typed
        return isinstance(typed, TypedPlan) and all(isinstance(pull.pairs, PairWay) for pull in typed.plan.pulls)


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[Sky]:
    made = Sky(private_cluster, Splitter(private_cluster, STRIPING, 2, 0).build("near_pairs", crowded_rows()))
    yield made
    made.close()
    drop(private_cluster, made.split.database)


def drawn(chance: Random) -> tuple[str, str]:
    """A COUNT(*) of near neighbours with conditions on either side, or on both; and the same pairs as rows."""
    one, other = chance.choice(SIDES)
    places = [f"{alias}.{name}" for alias, table in (("a", one), ("b", other)) for name in POSITIONS[table]]
    if chance.random() < 0.3:
        places = places[2:] + places[:2]
    separation = f"scisql_angSep({', '.join(places)})"
    radius = chance.choice(["0", "0.1", "0.5", "0.5e0", "1", "1e-12", "0.3", "0.50", "0.4 + 0.1"])
    near = f"{separation} {chance.choice(['<', '<='])} {radius}"
    if chance.random() < 0.2:
        near = f"{radius} {chance.choice(['>', '>='])} {separation}"
    terms = [near]
    terms += [f"{separation} {chance.choice(['>', '>='])} {chance.choice(['0', '0.1', '0.2'])}"] * (
        chance.random() < 0.2
    )
    for alias, table in (("a", one), ("b", other)):
        terms += [f"{alias}.{chance.choice(OWN[table])}"] * (chance.random() < 0.3)
    for _ in range(chance.choice([0, 1, 1, 2])):
        word = chance.choice(["<>", "<>", "<", ">=", "=", ">", "<="])
        terms.append(f"a.{chance.choice(WHOLE[one])} {word} b.{chance.choice(WHOLE[other])}")
    terms += ["qserv_areaspec_box(-40, -60, 100, 88)"] * (chance.random() < 0.2)
    item = chance.choice(["COUNT(*)", "COUNT(*)", "COUNT(*) * 2", "COUNT(*) + 1"])
    columns = [f"{alias}.{name}" for alias, table in (("a", one), ("b", other)) for name in SHOWN[table]]
    columns = [*chance.choices(columns, k=chance.randrange(1, 6)), *[separation] * (chance.random() < 0.6)]
    chance.shuffle(columns)
    rows = ", ".join(f"{column} AS v{index}" for index, column in enumerate(columns))
    if chance.random() < 0.3:
        rest = f"FROM {one} a JOIN {other} b ON {terms[0]} WHERE {' AND '.join(terms[1:]) or 'TRUE'}"
    else:
        chance.shuffle(terms)
        rest = f"FROM {one} a, {other} b WHERE {' AND '.join(terms)}"
    return f"SELECT {item} {rest}", f"SELECT {rows} {rest}"


@pytest.mark.timeout(36_000)
def test_drawn_counts_agree(sky: Sky) -> None:
    """By positions, by the nodes and by one server, for whatever is drawn; nearly all can be counted from positions."""
    wrong, left = [], 0
    for turn in range(STATEMENTS):
        sql, _ = drawn(Random(f"{SEED} near {turn}"))
        counts = sky.counts(sql)
        wrong += [f"{counts}: {sql}"] if len(set(counts)) > 1 else []
        left += not sky.is_by_positions(sql)  # joined by key, too
    assert not wrong, "\n".join(wrong)
    assert left < STATEMENTS / 10


@pytest.mark.timeout(36_000)
def test_drawn_rows_of_pairs_agree(sky: Sky) -> None:
    """To the last bit of every separation those that the nodes find, and those of one server."""
    wrong, left = [], 0
    for turn in range(STATEMENTS):
        _, sql = drawn(Random(f"{SEED} near {turn}"))
        got, nodes, mono = sky.answers(sql)
        left += not sky.is_by_positions(sql)
        counted = [(one.table.schema, Counter(rows_in(one.table))) for one in (got, nodes)]
        found = difference(got, mono, is_ordered=False)
        wrong += [f"{found or 'not as the nodes'}: {sql}"] if found or counted[0] != counted[1] else []
    assert not wrong, "\n".join(wrong)
    assert left < STATEMENTS / 10


@pytest.mark.parametrize(
    ("sql", "is_by_positions"),
    [
        (
            "SELECT COUNT(*) FROM Star s, Pair p, Galaxy g WHERE s.starId = p.starId AND p.galaxyId = g.galaxyId "
            "AND scisql_angSep(s.ra, s.decl, g.ra, g.dec_) < 1 AND p.weight < 18",
            True,
        ),
        (
            "SELECT COUNT(*) FROM Star a JOIN Epoch e ON a.starId = e.starId JOIN Star b "
            "ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5 WHERE e.bandId < 3 AND b.kind <> a.kind",
            True,
        ),
        (
            "SELECT COUNT(*) FROM Star a, Star b, Band f WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) <= 0.5 "
            "AND a.kind = f.bandId",
            True,
        ),
        ("SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5 AND a.mag < b.mag",
         False),
        ("SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) BETWEEN 0.1 AND 0.5",
         False),
        (
            "SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5 "
            "HAVING COUNT(*) > 1",
            True,
        ),
        ("SELECT COUNT(*), MAX(a.mag) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5",
         False),
        ("SELECT COUNT(a.mag) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5", False),
        ("SELECT COUNT(*) FROM Star a LEFT JOIN Star b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5", False),
        ("SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5 GROUP BY a.kind "
         "ORDER BY a.kind", False),
        ("SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5 "
         "AND a.starId IN (SELECT starId FROM Epoch)", False),
    ],
)  # fmt: skip
def test_what_can_be_counted_from_positions_is_so(sky: Sky, sql: str, is_by_positions: bool) -> None:
    """Matches and joins by key on one side can; what is not proven cannot. Both ways agree with one server."""
    assert sky.is_by_positions(sql) is is_by_positions
    counts = sky.counts(sql)
    assert len(set(counts)) == 1


def test_a_right_ascension_beyond_two_turns_is_left_to_the_node(private_cluster: PrivateCluster, sky: Sky) -> None:
    """The bound is not derived there; the unit's statement is asked instead, and the count is the same."""
    sql = "SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5"
    before = sky.counts(sql)
    chunks = sky.split.tables["Star"].chunks.items()
    names = ("Star", "StarFullOverlap")
    tables = [(node, f"{name}_{chunk}") for chunk, entry in chunks for node in entry.nodes for name in names]
    for turn in (1440, -1440):
        for node, table in [*tables, ("mono", "Star")]:
            with connect(private_cluster.endpoint(node), Account.ADMIN, sky.split.database) as connection:
                connection.execute(f"UPDATE {table} SET ra = ra + {turn} WHERE starId = 7")
        counts = sky.counts(sql)
        assert len(set(counts)) == 1
    assert counts == before


def test_a_kept_plan_counts_the_pairs_of_other_areas(sky: Sky) -> None:
    """Plans whose area is exchanged read positions in that area."""
    near = "scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5"
    for area in ("-40, -60, 100, 88", "300, -80, 20, 10", "0, 0, 360, 90", "150, -90, 200, 0", "0, -90, 360, 90"):
        sql = f"SELECT COUNT(*) FROM Star a, Star b WHERE {near} AND qserv_areaspec_box({area})"
        assert sky.is_by_positions(sql)
        assert len(set(sky.counts(sql))) == 1


def test_both_ways_are_compared_on_demand(sky: Sky, monkeypatch: pytest.MonkeyPatch) -> None:
    """SKYSHARD_BOTH=1 asks the nodes, too."""
    monkeypatch.setenv("SKYSHARD_BOTH", "1")
    sql = "SELECT COUNT(*) FROM Star a, Star b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.5"
    assert len(set(sky.counts(sql))) == 1


def test_separations_of_the_server_are_within_the_bound(sky: Sky) -> None:
    """At poles, across 0 degrees and for tiny separations: MariaDB's expression and chords of unit vectors."""
    chance = np.random.default_rng(SEED)
    count = 2000
    ra, dec = chance.uniform(-720, 720, count), np.degrees(np.arcsin(chance.uniform(-1, 1, count)))
    dec[::10], ra[1::10] = chance.choice([-90, 90, 89.99999, -89.9999], count // 10), chance.choice([0, 360, -360, 720])
    ra2, dec2 = ra + 10.0 ** chance.uniform(-12, 0.9, count), dec + 10.0 ** chance.uniform(-12, 0.9, count)
    ra2, dec2 = np.where(ra2 > 0, ra2 - 360 * (chance.random(count) < 0.3), ra2), np.clip(dec2, -90, 90)
    chord = np.linalg.norm(unit_vectors(ra, dec) - unit_vectors(ra2, dec2), axis=1)
    here = 2 * np.arcsin(chord / 2)
    rows = zip(*(column.tolist() for column in (ra, dec, ra2, dec2)), strict=True)
    items = [f"scisql_angSep({', '.join(map(number, row))})" for row in rows]
    there: list[float] = []
    for start in range(0, count, 200):
        sql = f"SELECT {', '.join(items[start : start + 200])}"
        there += [column[0].as_py() for column in sky.by_nodes.execute(sql, sky.split.database).table.columns]
    near = np.degrees(here) < 10
    assert near.sum() > count // 2
    assert np.abs(here - np.radians(there))[near].max() < BOUND_RAD / 4
