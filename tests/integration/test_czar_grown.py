"""Drawn statements over skies that came in several transactions: rows of every role before and after their directors.

``SKYSHARD_STATEMENTS`` sets how many statements are drawn, ``SKYSHARD_SKIES`` over how many skies, ``SKYSHARD_SEED``
where they begin. Answers are held against plain tables loaded by hand, and so is the oracle.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from tests.support.czar_grammar import Grammar
from tests.support.depth import how_many
from tests.support.grown_sky import GrownSky, make_batches
from tests.support.same_answer import difference

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.layout import Striping
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 60)
SKIES = int(os.environ.get("SKYSHARD_SKIES", "1"))
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
STARS = int(os.environ.get("SKYSHARD_STARS", "40"))
STRIPING = Striping(stripes=20, substripes=4, overlap_deg=0.7)
KNOWN = [line for line in (Path(__file__).resolve().parents[1] / "cases" / "grown.sql").read_text().splitlines()
         if line and not line.startswith("--")]  # fmt: skip


@pytest.fixture(scope="module", params=range(SEED, SEED + SKIES))
def sky(request: pytest.FixtureRequest, testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> GrownSky:
    """Four transactions, and compactions after some of them."""
    seed: int = request.param
    chance = random.Random(seed)
    replicas = chance.choice([1, len(testbed.nodes)])
    sky = GrownSky(testbed, tmp_path_factory.mktemp("grown"), f"grown{seed}", STRIPING, replicas)
    for batch in make_batches(seed, STRIPING, STARS, 4):
        sky.add(batch)
        if chance.random() < 0.4:
            testbed.compact(sky.database, grace_s=chance.choice([0.0, 60.0]))
    sky.load_oracles()
    return sky


def compare(sky: GrownSky, sql: str, *, is_ordered: bool) -> tuple[str, str]:
    """What differs (empty if nothing), and the kind of the plan or the code of the refusal."""
    try:
        want = sky.plain.execute(sql, sky.plain_name)
    except Refusal as refusal:
        return "", f"refused {refusal.code}"
    except UserError:
        return "", "wrong"
    oracle = difference(sky.testbed.query(sql, database=sky.database, target="mono"), want, is_ordered=is_ordered)
    got = sky.testbed.query(sql, database=sky.database)
    found = difference(got, want, is_ordered=is_ordered)
    return (f"czar: {found}" if found else f"oracle: {oracle}" if oracle else ""), str(got.stats.kind)


@pytest.mark.timeout(36_000)
def test_drawn_statements_agree(sky: GrownSky) -> None:
    """Every answer is that of plain tables with all rows, whatever came first and whatever was compacted."""
    kinds, wrong = Counter[str](), []
    for number in range(STATEMENTS):
        sql, is_ordered = Grammar(random.Random(f"{sky.database} {number}"), STRIPING.overlap_deg, STARS).statement()
        if "NATURAL" in sql:  # plain tables have no chunk numbers
            continue
        found, kind = compare(sky, sql, is_ordered=is_ordered)
        kinds[kind] += 1
        wrong += [f"{found}: {sql}"] if found else []
    print(sky.database, dict(kinds))
    assert wrong == []


@pytest.mark.parametrize("sql", KNOWN)
def test_known_statements_agree(sky: GrownSky, sql: str) -> None:
    """Key look-ups, joins, anti-joins, aggregates over rows that came before their directors."""
    assert compare(sky, sql, is_ordered=False)[0] == ""


def test_nothing_is_wrong_with_the_tables(sky: GrownSky) -> None:
    """Counts, digests, replicas and indexes of all generations are good."""
    assert [check for check in sky.testbed.verify(sky.database) if not check.is_good] == []
