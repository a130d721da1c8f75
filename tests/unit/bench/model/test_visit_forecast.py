"""The forecast of visits, against growth that was put in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.visit_trials import FACTS, MadeVisits, made_samples

from skyshard.bench.model.hardware import read_hardware
from skyshard.bench.model.published_visits import shipped_published_visits
from skyshard.bench.model.visit_forecast import Forecast, check_held_out, forecast_visits, row_cost
from skyshard.bench.record.visit_summary import summarise_visits
from skyshard.bench.record.visit_times import visit_times

MADE = MadeVisits(visits=360, noise=0.05, seed=5)


def _forecast(made: MadeVisits, cores: int = 2) -> Forecast | None:
    samples = made_samples(made)
    numbers = summarise_visits(samples, {"visits": FACTS}).phases[0]
    return forecast_visits(numbers, visit_times(samples, "visits"), shipped_published_visits(), cores)


def test_cost_of_a_row_is_the_one_put_in() -> None:
    """Reads that grow by 96 ms while a tile's rows grow to 60: half of it is DiaSource's, 0.8 ms a row."""
    times = visit_times(made_samples(replace(MADE, noise=0.0)), "visits")
    sources = next(one for one in times.parts if one.name == "DiaSource select")
    cost = row_cost(sources, times.tiles, MADE.window)
    assert cost
    assert cost.row_s == pytest.approx(0.4 * 0.24 * 0.5 / 60, rel=0.05)
    assert cost.fixed_s == pytest.approx(0.025, rel=0.05)
    assert cost.bytes_a_row == pytest.approx(120)


def test_held_out_visits_are_forecast_within_a_tenth() -> None:
    """Months after the window are told from those before it, where time follows rows."""
    samples = made_samples(MADE)
    numbers = summarise_visits(samples, {"visits": FACTS}).phases[0]
    held = check_held_out(numbers, visit_times(samples, "visits"))
    assert [one.what for one in held] == ["reads", "stores", "whole visits"]
    assert all(abs(one.error) < 0.1 for one in held)
    assert {one.visits for one in held} == {120}


def test_forecast_that_misses_has_a_wide_range() -> None:
    """Reads that jump once the history is full are not told beforehand; the range is as wide as the miss."""
    found = _forecast(replace(MADE, after=4.0))
    assert found
    assert found.error > 0.3
    assert found.error == pytest.approx(max(abs(one.error) for one in found.held_out))
    for one in found.nodes:
        assert one.low_s < one.visit_s < one.high_s


def test_more_nodes_never_take_longer_and_never_less_than_one_tile_alone() -> None:
    """From one node to twelve the time falls, until the slowest tile by itself is left."""
    found = _forecast(MADE)
    assert found
    assert [one.nodes for one in found.nodes] == [1, 3, 6, 12]
    times = [one.visit_s for one in found.nodes]
    assert times == sorted(times, reverse=True)
    assert times[0] > times[-1]
    assert times[-2] == times[-1]


def test_faster_cores_take_less() -> None:
    """The servers' part is in proportion to the speed of a core."""
    samples = made_samples(MADE)
    numbers, times = summarise_visits(samples, {"visits": FACTS}).phases[0], visit_times(samples, "visits")
    machine = read_hardware("nvme-2026")
    slow, quick = (
        forecast_visits(numbers, times, shipped_published_visits(), 2, machine.model_copy(update={"core_speed": speed}))
        for speed in (1.0, 2.0)
    )
    assert slow
    assert quick
    assert quick.nodes[0].visit_s < slow.nodes[0].visit_s


def test_too_short_a_run_has_no_forecast() -> None:
    """Thirty visits do not tell what a row costs."""
    assert _forecast(replace(MADE, visits=30)) is None


def test_run_without_a_full_history_is_not_checked() -> None:
    """The forecast is made, and says that nothing was held out."""
    found = _forecast(replace(MADE, visits=200))
    assert found
    assert found.held_out == []
