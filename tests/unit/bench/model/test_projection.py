"""Projections from planted trials: truths are met, verdicts are told only where intervals allow."""

from dataclasses import replace
from functools import cache

import pytest
from tests.support.planted_costs import (
    MACHINE,
    PLANTED,
    SKIES,
    PlantedSky,
    planted_time,
    planted_trials,
    planted_workload,
)

from skyshard.bench.model.class_time import Setting, class_time, template_works
from skyshard.bench.model.disk_efficiency import disk_efficiency
from skyshard.bench.model.fit_costs import fit_costs
from skyshard.bench.model.hardware import read_hardware
from skyshard.bench.model.observations import observe
from skyshard.bench.model.projection import Basis, Projection, Target, project
from skyshard.scenarios.projection_run import published_tests, size_of
from skyshard.synth.recipe.release_profile import read_profile

HUNDREDFOLD = PlantedSky(5_000_000, 110)


@cache
def projected(fraction: float = 0.5, nodes: int = 25) -> Projection:
    basis = Basis(observe(planted_trials(scatter=0.05, cold=SKIES[2:]))[0], MACHINE, published_tests())
    size = size_of(read_profile("kpm"), fraction)
    return project(basis, Target(size, "kpm", fraction, read_hardware("ldm-552-2018"), nodes, planted_workload(), True))


def test_a_hundred_times_the_rows_are_predicted_warm_and_cold() -> None:
    """On the machine of the trials, the times of a catalog a hundred times as large are those of the planted costs."""
    observations = observe(planted_trials(cold=SKIES[2:]))[0]
    fitted, efficiency = fit_costs(observations), disk_efficiency(observations, MACHINE)
    assert efficiency == pytest.approx(0.5, rel=0.1)
    assert efficiency is not None
    works = {one.template: one for every in template_works(observations).values() for one in every}
    for key in ("FTSObj/extent", "FTSSrc/count_flux", "FTSFSrc/count_flux"):
        sql, costs = PLANTED[key]
        for is_cold, memory in ((False, 1e6), (True, 1e-9)):
            hardware = MACHINE.model_copy(update={"memory_gb": memory})
            setting = Setting(HUNDREDFOLD.size, hardware, 2, efficiency)
            found = class_time([works[key]], fitted.costs, setting).total_s
            assert found == pytest.approx(planted_time(HUNDREDFOLD, key, sql, costs, is_cold=is_cold), rel=0.15), key


def test_the_distance_and_the_cold_trials_are_told() -> None:
    """Rows projected over rows measured, and how many trials read from the disk."""
    found = projected()
    assert found.distance == pytest.approx(
        sum(size_of(read_profile("kpm"), 0.5).rows.values()) / (75_000 * 110), rel=0.01
    )
    assert found.measured_cold == 2


def test_a_node_with_a_hundred_times_its_memory_reads_from_the_disk() -> None:
    """At half of DR1 on 25 small nodes almost nothing is cached; on 900, a scan of Object is."""
    few, many = ({one.class_name: one for one in projected(nodes=nodes).classes} for nodes in (25, 900))
    assert few["FTSSrc"].cached < 0.01
    assert many["FTSSrc"].cached > 5 * few["FTSSrc"].cached
    assert few["FTSSrc"].predicted_s > 20 * many["FTSSrc"].predicted_s


def test_fewest_nodes_meet_the_target_and_one_less_does_not() -> None:
    """The table's number is the smallest, and the number for the whole interval is not smaller."""
    one = next(row for row in projected().classes if row.class_name == "FTSSrc")
    assert one.target_s is not None
    assert one.fewest_nodes is not None
    assert one.fewest_nodes > 1
    times = [
        next(row.predicted_s for row in projected(nodes=nodes).classes if row.class_name == "FTSSrc")
        for nodes in (one.fewest_nodes, one.fewest_nodes - 1)
    ]
    assert times[0] <= one.target_s < times[1]
    assert one.sure_nodes is None or one.sure_nodes >= one.fewest_nodes


def test_growth_is_flat_and_then_steep() -> None:
    """A scan of Source alone: small shares of DR1 cost the overhead, a tenth of it and more the disk."""
    growth = next(one for one in projected().growth if one.class_name == "FTSSrc")
    assert growth.times_s[1] < 3 * growth.times_s[0]
    assert growth.regimes[0] != "disk"
    assert growth.regimes[-1] == "disk"
    assert growth.times_s[-1] > 100 * growth.times_s[5]


def test_intervals_hold_their_prediction_and_are_wider_than_the_errors_of_the_published_tests() -> None:
    """Each published scan lies in the interval that scans get."""
    found = projected()
    for one in found.classes:
        assert one.low_s <= one.predicted_s <= one.high_s
    scan = next(one for one in found.classes if one.class_name == "FTSSrc")
    ratios = [one.ratio for one in found.published if one.kind == "scan"]
    inside = [scan.low_s / scan.predicted_s <= one <= scan.high_s / scan.predicted_s for one in ratios]
    assert sum(inside) >= 0.9 * len(ratios)


def test_without_cold_trials_the_page_says_so() -> None:
    """The rate of the disk is then the hardware file's."""
    observations = observe(planted_trials())[0]
    basis = Basis(observations, MACHINE, published_tests())
    size = replace(size_of(read_profile("kpm"), 0.5))
    found = project(basis, Target(size, "kpm", 0.5, read_hardware("nvme-2026"), 10, planted_workload(), False))
    assert any("cold" in one for one in found.cautions)
    assert found.load == ""
