"""Effects as weights of cells, against values worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np

from skyshard.bench.experiment.contrasts import contrasts_of
from skyshard.bench.experiment.factors import Value

FACTORS: dict[str, list[Value]] = {"engine": ["A", "B", "C"], "nodes": [1, 2]}
CELLS: list[dict[str, Value]] = [dict(zip(FACTORS, one, strict=True)) for one in itertools.product(*FACTORS.values())]


def test_a_factors_effect_is_the_difference_of_averages() -> None:
    """Over all other factors, whatever pairs do."""
    means = np.array([0.0, 1.0, 10.0, 12.0, 3.0, 30.0])
    mains = [one for one in contrasts_of(FACTORS, CELLS) if not one.other]
    found = {(one.factor, one.level, one.against): float(one.weights @ means) for one in mains}
    assert np.isclose(found["engine", "B", "A"], 11.0 - 0.5)
    assert np.isclose(found["engine", "C", "B"], 16.5 - 11.0)
    assert np.isclose(found["nodes", 2, 1], (1 + 12 + 30) / 3 - (0 + 10 + 3) / 3)


def test_a_pairs_effect_is_what_both_do_beyond_each_alone() -> None:
    """Against the first levels."""
    means = np.array([0.0, 1.0, 10.0, 12.0, 3.0, 30.0])
    found = {
        (one.level, one.other_level): float(one.weights @ means) for one in contrasts_of(FACTORS, CELLS) if one.other
    }
    assert np.isclose(found["B", 2], (12 - 10) - (1 - 0))
    assert np.isclose(found["C", 2], (30 - 3) - (1 - 0))


def test_a_missing_cell_leaves_what_can_be_told() -> None:
    """Without one of six cells the pairs are not all told; effects of factors are, if pairs do nothing."""
    found = contrasts_of(FACTORS, CELLS[:-1])
    assert not [one for one in found if one.other]
    means = np.array([0.0, 1.0, 10.0, 11.0, 3.0])
    told = {(one.factor, one.level, one.against): float(one.weights @ means) for one in found}
    assert np.isclose(told["engine", "C", "A"], 3.0)
    assert np.isclose(told["nodes", 2, 1], 1.0)


def test_a_factor_with_one_level_left_has_no_effect() -> None:
    """Its other cells failed."""
    found = contrasts_of(FACTORS, [cell for cell in CELLS if cell["nodes"] == 1])
    assert {one.factor for one in found} == {"engine"}
