"""Sweeps: forecasts, projections, speed-up by nodes."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.bench_trials import made_trial

from skyshard.bench.compare.sweep import INGEST, Size, forecasts, sweep_of
from skyshard.bench.pages.sweep_page import write_sweep


def sizes(fractions: list[float], nodes: int = 2) -> list[Size]:
    """Trials whose times grow by half a time a fraction of 1e-6."""
    return [Size(f, nodes, made_trial(i, 1 + 0.5 * f * 1e6)) for i, f in enumerate(fractions)]


@pytest.mark.timeout(20)
def test_a_sweep_predicts_its_largest_fraction_and_projects(tmp_path: Path) -> None:
    """The forecast from the smaller sizes holds, projections grow with the fraction, and the pages are written."""
    measured = sizes([1e-3, 2e-3, 5e-3, 1e-2])
    predicted = forecasts(measured[:3], (1e-2, 2))
    found = sweep_of(measured, predicted, recipe="tiny", profile="kpm", on_nodes=[25])
    one = next(s for s in found.scalings if s.name == "FTSObj, one")
    assert one.held_out is not None
    assert one.held_out.holds
    assert one.exponent_low is not None
    assert one.exponent is not None
    assert one.exponent_high is not None
    assert one.exponent_low < one.exponent < one.exponent_high
    assert one.projections[0].predicted_s < one.projections[1].predicted_s
    page = write_sweep(found, tmp_path).read_text()
    assert "https:" not in page
    assert (tmp_path / "sweep.md").read_text().count("FTSObj, one") >= 3
    assert INGEST not in [s.name for s in found.scalings]


def test_a_sweep_of_a_laptop_says_nothing_of_dr1(tmp_path: Path) -> None:
    """Fifty thousand times the largest size is not projected; the page says why, and what to use."""
    found = sweep_of(sizes([1e-6, 2e-6, 5e-6, 1e-5]), {}, recipe="tiny", profile="kpm", on_nodes=[25])
    assert all(one.projections == [] for one in found.scalings)
    assert "50,000 times" in found.projection_note
    page = write_sweep(found, tmp_path).read_text()
    assert "skyshard bench project" in page
    assert "bench project" in (tmp_path / "sweep.md").read_text()


def test_a_sweep_that_foretold_nothing_says_so(tmp_path: Path) -> None:
    """No "0 of 0", no line about predictions that the figure lacks, and no time for growth that was not seen."""
    measured = [Size(f, 1, made_trial(i, 1.0)) for i, f in enumerate([1e-6, 2e-6, 1e-5])]
    found = sweep_of(measured, forecasts(measured[:2], (1e-5, 1)), recipe="tiny", profile="kpm", on_nodes=[25])
    level = found.model_copy(
        update={"scalings": [one.model_copy(update={"per_share_s": 0.0}) for one in found.scalings]}
    )
    page = write_sweep(level, tmp_path).read_text()
    assert f"None of {len(found.scalings)} series could be predicted from the smaller sizes" in page
    assert "no growth seen" in page
    assert "0 of 0" not in page
    assert "Open squares" not in page
    assert "another number of nodes" not in page


def test_two_sizes_say_nothing_of_their_scatter() -> None:
    """Two sizes fit any line exactly: a forecast from them is not told, from three it is."""
    two, three = (forecasts(sizes([1e-6, 2e-6, 5e-6][:count]), (1e-5, 2))["FTSObj, one"] for count in (2, 3))
    assert not two.is_useful
    assert three.is_useful


def on_cores(size: Size, cores: int) -> Size:
    manifest = size.trial.manifest
    environment = manifest.environment.model_copy(update={"cores": cores})
    trial = replace(size.trial, manifest=manifest.model_copy(update={"environment": environment}))
    return replace(size, trial=trial)


def test_twice_the_nodes_are_half_the_work() -> None:
    """Two node counts at one fraction, with cores for both, give the speed-up between them."""
    both = [on_cores(one, 32) for one in [*sizes([1e-6, 2e-6]), Size(2e-6, 4, made_trial(1, 1.0))]]
    found = sweep_of(both, {}, recipe="r", profile="kpm", on_nodes=[])
    assert found.scalings[1].node_speedup[4] == pytest.approx(2.0, rel=0.1)
    assert found.node_note == ""


def test_nodes_that_share_cores_give_no_speed_up(tmp_path: Path) -> None:
    """Four nodes on two cores: no number, a sentence instead, on the page and among the assumptions."""
    both = [*sizes([1e-6, 2e-6]), Size(2e-6, 4, made_trial(1, 1.0))]
    found = sweep_of(both, {}, recipe="r", profile="kpm", on_nodes=[25])
    assert all(one.node_speedup == {} for one in found.scalings)
    assert "4 nodes shared one machine of 2 cores" in found.node_note
    assert found.node_note in write_sweep(found, tmp_path).read_text()
    assert found.node_note in (tmp_path / "sweep.md").read_text()
    assert any("was not measured" in sentence for sentence in found.assumptions)
