"""Columns at the ends of their types: what the engine of columns computes is what a server computes.

``SKYSHARD_STATEMENTS`` draws more statements, ``SKYSHARD_SEED`` others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from tests.support.drawn_scans import DATABASE, BothWays, drawn_statement

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration
STATEMENTS = int(os.environ.get("SKYSHARD_STATEMENTS", "400"))
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
