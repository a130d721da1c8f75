"""Tests of effects: how often nothing is taken for something, and what a sceptic may check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.depth import drawn
from tests.support.made_experiments import made_trials, written

from skyshard.bench.experiment.analyse import analyse
from skyshard.bench.experiment.effects import can_show, holm_steps, orders

EXPERIMENTS = drawn(40)
CLASSES = ("LV", "FTSObj", "nearN")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tail", [np.inf, 3.0], ids=["normal", "heavy tails"])
def test_experiments_without_effects_show_one_in_at_most_one_of_twenty(tmp_path: Path, tail: float) -> None:
    """A/A experiments of 2 x 2 cells and three blocks with strong drift; noise also with rare outliers."""
    file = written(tmp_path, "factors: {engine: [MyISAM, Aria], nodes: [1, 2]}\ntrials: 3\n")
    random = np.random.default_rng(20260707)
    false_alarms = 0
    for _ in range(EXPERIMENTS):
        drifts = np.cumsum(random.normal(0, 0.5, 4))

        def noise() -> float:
            return 0.08 * float(random.normal() if np.isinf(tail) else random.standard_t(tail))

        found = analyse(
            made_trials(file, {name: lambda _: 0.0 for name in CLASSES}, noise=noise, drift=drifts.__getitem__)
        )
        false_alarms += any(one.is_shown for one in found.effects) or any(len(one.best) == 1 for one in found.classes)
    assert false_alarms <= 0.05 * EXPERIMENTS


def test_intervals_exclude_one_exactly_where_effects_are_shown(tmp_path: Path) -> None:
    """One criterion, not two."""
    file = written(tmp_path, "factors: {engine: [MyISAM, Aria, InnoDB], nodes: [1, 2]}\ntrials: 4\n")
    random = np.random.default_rng(2)
    classes = {f"C{n}": (lambda levels, n=n: 0.04 * n * (levels["nodes"] == 2)) for n in range(6)}
    found = analyse(made_trials(file, classes, noise=lambda: float(random.normal(0, 0.05))))
    shown = [one.is_shown for one in found.effects]
    assert any(shown)
    assert not all(shown)
    for one in found.effects:
        assert one.low is not None
        assert one.high is not None
        assert one.is_shown == (not one.low <= 1 <= one.high)


def test_a_single_block_shows_nothing(tmp_path: Path) -> None:
    """However large the ratio."""
    file = written(tmp_path, "factors: {nodes: [1, 2]}\ntrials: 1\n")
    found = analyse(made_trials(file, {"LV": lambda levels: 5.0 * (levels["nodes"] == 2)}, noise=lambda: 0.0))
    assert [(one.is_shown, one.low, one.p) for one in found.effects] == [(False, None, 1.0)]
    assert "nothing can be said" in found.conclusion


def test_holms_steps_keep_the_order() -> None:
    """Corrected p never falls with the raw one, and the first that fails stops the rest."""
    raw = [0.001, 0.2, 0.012, 0.03]
    corrected, levels = holm_steps(raw)
    assert corrected == pytest.approx([0.004, 0.2, 0.036, 0.06])
    assert levels == pytest.approx([0.025 / 4, 0.025 / 3, 0.025 / 3, 0.025 / 3])


def test_many_cells_are_judged_like_few(tmp_path: Path) -> None:
    """64 cells in five blocks come in one of 10^356 orders, which no floating-point number holds."""
    engines, nodes = "[MyISAM, Aria, InnoDB, MyRocks]", list(range(1, 17))
    file = written(tmp_path, f"factors: {{engine: {engines}, nodes: {nodes}}}\ntrials: 5\n")
    random = np.random.default_rng(4)
    classes = {"LV": lambda levels: 2.0 * (levels["engine"] == "Aria")}
    found = analyse(made_trials(file, classes, noise=lambda: float(random.normal(0, 0.02))))
    assert {one.factor for one in found.effects if one.is_shown and not one.is_pair} == {"engine"}
    assert found.cautions == []
    assert found.exact_test is not None
    assert len(found.exact_test.possible) == 446
    assert orders(64, 5) > orders(64, 4)
    assert can_show(200, 200)
