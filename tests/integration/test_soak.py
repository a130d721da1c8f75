"""Endurance in short: each kind of fault, change and move once, over three hosts (in length: ``benchmarks/soak.py``).

What the seed draws is the order; what meets what is the machine's.
"""

from __future__ import annotations

import pytest
from tests.support.hosts import Lab
from tests.support.running_site import running_site
from tests.support.soak import soak

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1800)]


def test_a_short_soak_loses_nothing_and_leaves_nothing(lab: Lab) -> None:
    """Every answer is right at its moment; in the end all is verified, each chunk at its level, and nothing left."""
    with running_site(lab, nodes=3) as site:
        found = soak(site, seconds=20, seed=3, pause_s=(0.5, 2.0), asks_after_s=0.3)  # leaves cores to the commands
        assert found.wrong == [], site.said
        assert found.right > 0
        assert min(found.faults.values()) >= 1
        assert len(found.faults) == 7
        done = ("ingest", "compact", "drop", "drained", "nodes enable", "replicas rebalance", "replicas repair")
        assert min(found.done[name] for name in done) >= 1
