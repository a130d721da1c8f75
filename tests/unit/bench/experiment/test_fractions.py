"""Fractional designs: balanced, and honest about what they cannot tell apart."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.support.made_experiments import written

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.cells import Design, make_design
from skyshard.bench.experiment.coding import coded_columns
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.bench.experiment.fractions import optimal_subset, regular_fraction

THREE = "engine: [MyISAM, Aria], nodes: [1, 2], fraction: [1.0, 0.5]"

SIXTY = ", ".join(f"set.made_{number}: [1, 2]" for number in range(60))


def design(folder: Path, factors: str, more: str = "") -> Design:
    return make_design(
        read_experiment(written(folder, f"factors: {{{factors}}}\n{more}design: fractional\ntrials: 3\n"))
    )


SIZES = ((3, 3, 4), (4, 4, 8), (5, 5, 16), (7, 3, 8), (7, 4, 16), (10, 4, 32))


@pytest.mark.parametrize(
    ("count", "resolution", "runs"),
    [*SIZES, pytest.param(12, 4, 32, marks=pytest.mark.deep)],
)
def test_a_fraction_of_two_levels_is_orthogonal(count: int, resolution: int, runs: int) -> None:
    """Known sizes (Box, Hunter and Hunter, table 12.15); every two columns have all combinations equally often."""
    found = regular_fraction(count, resolution)
    assert found is not None
    places, reached = found
    assert len(places) == runs
    assert reached >= resolution
    levels = [list(itertools.product((0, 1), repeat=count))[place] for place in places]
    for one, other in itertools.combinations(range(count), 2):
        assert set(Counter((run[one], run[other]) for run in levels).values()) == {runs // 4}


def test_a_subset_of_more_levels_tells_the_factors_effects() -> None:
    """The model of the factors' own effects has full rank."""
    counts = [3, 2, 2, 4]
    everything = list(itertools.product(*(range(count) for count in counts)))
    columns = coded_columns(counts, [everything[place] for place in optimal_subset(counts)])
    assert np.linalg.matrix_rank(columns) == columns.shape[1]
    assert len(columns) < len(everything) / 2


def test_what_is_confounded_is_said(tmp_path: Path) -> None:
    """In the half of three factors each one cannot be told from the pair of the two others."""
    found = design(tmp_path, THREE)
    assert len(found.cells) == 4
    text = " ".join(found.sentences)
    assert "resolution III" in text
    assert "engine cannot be told from what nodes with fraction do together" in text


def test_a_clear_fraction_says_so(tmp_path: Path) -> None:
    """Resolution IV keeps the factors' own effects clear of pairs."""
    found = design(tmp_path, f"{THREE}, loader: [image, load-data]")
    assert len(found.cells) == 8
    assert "clear of those of pairs" in " ".join(found.sentences)


@pytest.mark.parametrize(
    ("factors", "more", "words"),
    [
        ("nodes: [1, 2], fraction: [1.0, 0.5]", "", "2 factors have no fraction"),
        (THREE, "resolution: 5\n", "no fraction of resolution 5"),
        (f"{THREE}, scan_threads: [1, 2, 3]", "resolution: 4\n", "factors with two levels each"),
        (SIXTY, "", "is taken of 65,536 combinations at most, and these have more"),
        (f"{SIXTY}, nodes: [1, 2, 3]", "", "is taken of 1,024 combinations at most, and these have more"),
    ],
)
def test_a_fraction_that_there_is_not_is_refused(tmp_path: Path, factors: str, more: str, words: str) -> None:
    """With the line of what asks for it."""
    with pytest.raises(UserError, match=words):
        design(tmp_path, factors, more)
