"""Endurance in short: faults, changes and moves over three hosts (in length: ``benchmarks/soak.py``).

What meets what is the machine's; the kinds, and their order, are drawn; every one comes at a depth of 4. In a usual
run each fault strikes alone: ``test_running_hosts``, ``test_faults_over_hosts``, ``test_ingest_hosts``,
``test_queries_over_hosts``.
"""

from __future__ import annotations

import random

import pytest
from tests.support.depth import drawn
from tests.support.hosts import Lab
from tests.support.running_site import running_site
from tests.support.soak import soak

pytestmark = [pytest.mark.hosts, pytest.mark.deep, pytest.mark.timeout(1800)]
FAULTS, CHANGES = 7, 4


def test_a_short_soak_loses_nothing_and_leaves_nothing(lab: Lab) -> None:
    """Every answer is right at its moment; in the end all is verified, each chunk at its level, and nothing left."""
    kinds, seed = drawn(2), random.randrange(1000)
    print(f"seed {seed}")
    with running_site(lab, nodes=3) as site:
        # leaves cores to the commands
        found = soak(site, seconds=5, seed=seed, pause_s=(0.5, 2.0), asks_after_s=0.3, most_kinds=kinds)
        assert found.wrong == [], site.said
        assert found.right > 0
        assert min(found.faults.values()) >= 1
        assert len(found.faults) == min(kinds, FAULTS)
        assert all(found.done[name] for name in ("drained", "nodes enable", "replicas rebalance"))
        changes = ("ingest", "compact", "drop", "replicas repair")
        assert sum(found.done[name] > 0 for name in changes) >= min(kinds, CHANGES) - 1  # a new one is an ingest, too
