"""Fits and projections on times with known answers; the model against published results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bench_trials import made_trial, made_workload

from skyshard.bench.compare.published_results import TOLERANCE, check_model, cliff, read_published
from skyshard.bench.compare.scaling import power_fit, predict, work_fit
from skyshard.bench.compare.sweep import INGEST, Size, forecasts, sweep_of
from skyshard.bench.pages.sweep_page import write_sweep
from skyshard.errors import UserError
from skyshard.host.shipped_data import data_file, data_folder
from skyshard.progress import unwatched
from skyshard.scenarios.sweep_run import SweepRun

PUBLISHED = sorted(data_folder("queries", "published").glob("*.yaml"))


@given(st.floats(0.2, 2.0), st.floats(1e-3, 1e3))
def test_the_exponent_of_a_power_law_is_found(exponent: float, scale: float) -> None:
    """Times c f^e give back e, whatever c."""
    fractions = [1e-6, 2e-6, 5e-6, 1e-5]
    fit = power_fit(fractions, [scale * (f * 1e6) ** exponent for f in fractions])
    assert fit.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.low is not None
    assert fit.high is not None
    assert fit.low <= exponent + 1e-6
    assert fit.high >= exponent - 1e-6


def test_an_exponents_interval_needs_three_sizes() -> None:
    """Two sizes have a slope and no interval."""
    assert power_fit([1, 2], [1, 2]).low is None


def test_overhead_and_work_are_told_apart() -> None:
    """t = 0.05 s + 4e4 s x fraction / nodes gives back both numbers, over two node counts."""
    fractions, nodes = [1e-6, 5e-6, 1e-5, 1e-5], [2.0, 2.0, 2.0, 1.0]
    fit = work_fit(fractions, nodes, [0.05 + 4e4 * f / n for f, n in zip(fractions, nodes, strict=True)])
    assert fit.overhead_s == pytest.approx(0.05, rel=1e-6)
    assert fit.per_share_s == pytest.approx(4e4, rel=1e-6)


def test_overhead_is_never_negative() -> None:
    """Times that fall with size do not lead to negative times elsewhere."""
    fit = work_fit([1e-6, 1e-5], [1.0, 1.0], [1.0, 0.5])
    assert fit.overhead_s >= 0
    assert fit.per_share_s >= 0


def test_bands_hold_the_held_out_size() -> None:
    """Of 60 series with 5 % scatter between sizes the band holds the held-out median at least 54 times."""
    random = np.random.default_rng(1)
    sizes, nodes = np.array([1e-6, 2e-6, 4e-6, 8e-6]), [2.0] * 4
    held = 0
    for _ in range(60):
        level = (0.02 + 1e4 * sizes) * np.exp(random.normal(0, 0.05, 4))
        samples = [one * np.exp(random.normal(0, 0.1, 20)) for one in level]
        found = predict(sizes[:3].tolist(), nodes[:3], samples[:3], (8e-6, 2.0), random)
        held += found.holds(float(np.median(samples[3])))
    assert held >= 54


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda p: p.stem)
def test_published_results_are_checked_against_the_model(path: Path) -> None:
    """From the 10 % column the model gives four of five scans and joins at 20 %, and fails for most at 30 %."""
    checks = {(one.name, one.fraction): one for one in check_model(read_published(path))}
    scans = ["Object scan", "Source scan", "ForcedSource scan", "Object x Source", "Object x ForcedSource"]
    assert sum(checks[name, 0.2].holds for name in scans) >= 4
    assert not checks["Object scan", 0.3].holds
    assert not checks["Object x ForcedSource", 0.3].holds
    assert checks["Source scan", 0.2].ratio == pytest.approx(2460 / (1080 * 2 * 24 / 25))
    assert all(one.holds == (1 / TOLERANCE <= one.ratio <= TOLERANCE) for one in checks.values())


def test_concurrent_scans_are_flat_and_then_a_cliff() -> None:
    """Twenty published scans cost 1.25 times one, forty 2.9 times that."""
    scans = read_published(data_file("queries", "published", "kpm.yaml")).concurrent_object_scans
    assert cliff(scans.scans, scans.mean_s) == pytest.approx((20, 4320 / 1500))


def sizes(fractions: list[float], nodes: int = 2) -> list[Size]:
    """Trials whose times grow by half a time a fraction of 1e-6."""
    return [Size(f, nodes, made_trial(i, 1 + 0.5 * f * 1e6)) for i, f in enumerate(fractions)]


@pytest.mark.timeout(20)
def test_a_sweep_predicts_its_largest_fraction_and_projects(tmp_path: Path) -> None:
    """The forecast from the smaller sizes holds, projections grow with the fraction, and the pages are written."""
    measured = sizes([1e-6, 2e-6, 5e-6, 1e-5])
    predicted = forecasts(measured[:3], (1e-5, 2))
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


def test_two_sizes_say_nothing_of_their_scatter() -> None:
    """Two sizes fit any line exactly: a forecast from them is not told, from three it is."""
    two, three = (forecasts(sizes([1e-6, 2e-6, 5e-6][:count]), (1e-5, 2))["FTSObj, one"] for count in (2, 3))
    assert not two.is_told
    assert three.is_told


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


@pytest.mark.parametrize(("fraction", "words"), [(1.5, "not in"), (0.5, "take fractions up to")])
def test_a_fraction_that_cannot_be_is_refused(tmp_path: Path, fraction: float, words: str) -> None:
    """The message says which fractions can."""
    run = SweepRun(tmp_path, made_workload(), tmp_path / "out", "tiny", (fraction,), (1,), (25,))
    with pytest.raises(UserError, match=words):
        run.run(unwatched)
    assert not (tmp_path / "out").exists()
