"""Drawn histories: several transactions in any order, and what is done in between, against one plain MariaDB.

``SKYSHARD_HISTORIES`` sets how many are played, ``SKYSHARD_SEED`` where they begin, ``SKYSHARD_STATEMENTS`` how many
statements are asked after each step. The first three have steps of every kind.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.depth import how_many
from tests.support.history_sky import draw_history
from tests.support.playing import Player

from skyshard.cluster.private_cluster import PrivateCluster

HISTORIES = how_many("SKYSHARD_HISTORIES", 1)
SEED = int(os.environ.get("SKYSHARD_SEED", "398"))
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 8)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(SEED, SEED + HISTORIES))
def test_a_history_is_answered_as_by_one_server(private_cluster: PrivateCluster, tmp_path: Path, seed: int) -> None:
    """After every step all checks are good, and czar and oracle answer as plain tables with the same rows do."""
    player = Player(private_cluster, tmp_path, draw_history(seed, len(private_cluster.node_names)), STATEMENTS)
    player.play()
    print(seed, dict(player.counts))
    assert player.wrong == []
