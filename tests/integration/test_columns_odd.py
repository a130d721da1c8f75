"""Columns at the ends of their types: what the engine of columns computes is what a server computes.

``SKYSHARD_STATEMENTS`` and ``SKYSHARD_EXPRESSIONS`` draw more, ``SKYSHARD_SEED`` others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from tests.support.depth import how_many
from tests.support.drawn_scans import DATABASE, BothWays, drawn_expression, drawn_statement

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration
EXPRESSIONS = how_many("SKYSHARD_EXPRESSIONS", 600)
TOGETHER = 25
"""Expressions in one statement."""
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 400)
SEED = int(os.environ.get("SKYSHARD_SEED", "1"))
FEWEST_SHARE = 0.2
"""Of the drawn statements that columns answer: fewer would prove little."""


@pytest.fixture(scope="module")
def both(private_cluster: PrivateCluster) -> Iterator[BothWays]:
    with connect(private_cluster.endpoint("czar"), Account.ADMIN) as server:
        yield BothWays(server, SEED)
        server.execute(f"DROP DATABASE {DATABASE}")


@pytest.mark.timeout(0 if STATEMENTS > 1000 else 120)
def test_drawn_scans_agree(both: BothWays) -> None:
    """Every drawn statement that the proof admits has the same rows, types and NULLs both ways."""
    chance, wrong = Random(SEED), []
    for _ in range(STATEMENTS):
        sql = drawn_statement(chance)
        found = both.difference(sql)
        wrong += [f"{found}: {sql}"] if found else []
    print(both.counts, both.why.most_common(), *wrong, sep="\n")
    assert wrong == []
    assert both.counts["alike"] > FEWEST_SHARE * STATEMENTS


@pytest.mark.timeout(0 if EXPRESSIONS > 2000 else 120)
def test_drawn_expressions_agree(both: BothWays) -> None:
    """Every drawn expression that the proof admits has the same values, types and NULLs both ways, row by row."""
    chance, wrong = Random(SEED + 1000), list[str]()
    both.counts.clear()
    while both.counts.total() < EXPRESSIONS and not wrong:
        texts = [drawn_expression(chance) for _ in range(2 * TOGETHER)]
        admitted = [(text, pull) for text in texts if (pull := both.admitted(text)) is not None]
        wrong += both.differences(admitted) if admitted else []
    print(both.counts, *wrong, sep="\n")
    assert wrong == []
    assert both.counts["alike"] > EXPRESSIONS / 2
