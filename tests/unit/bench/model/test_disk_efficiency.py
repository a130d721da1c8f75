"""The share of a disk's rate that cold scans reach."""

from dataclasses import replace

import pytest
from tests.support.planted_costs import MACHINE, SKIES, planted_trials

from skyshard.bench.model.disk_efficiency import disk_efficiency
from skyshard.bench.model.observations import Observation, observe


def observations() -> list[Observation]:
    return observe(planted_trials(cold=SKIES[2:]))[0]


def test_planted_efficiency_is_found() -> None:
    """Cold scans at half of the disk's rate."""
    assert disk_efficiency(observations(), MACHINE) == pytest.approx(0.5, rel=0.1)


def test_cold_scans_as_fast_as_warm_ones_do_not_lessen_the_rate() -> None:
    """The processor decides; the disk may have its full rate."""
    found = observations()
    warm = {(one.template, one.demand.bytes): one.elapsed_s for one in found if not one.is_cold}
    same = [replace(one, elapsed_s=warm[one.template, one.demand.bytes]) for one in found]
    assert disk_efficiency(same, MACHINE) == 1.0


def test_without_cold_trials_or_hardware_nothing_is_known() -> None:
    """None, and the page says so."""
    assert disk_efficiency(observe(planted_trials())[0], MACHINE) is None
    assert disk_efficiency(observations(), None) is None
