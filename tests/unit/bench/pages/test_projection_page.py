"""The page of a projection."""

from dataclasses import replace
from functools import cache

import pytest
from tests.support.planted_costs import MACHINE, SKIES, planted_trials, planted_workload

from skyshard.bench.model.hardware import read_hardware
from skyshard.bench.model.observations import observe
from skyshard.bench.model.projection import Basis, Projection, Target, project
from skyshard.bench.pages.projection_page import markdown, row, sentences, status, verdict
from skyshard.scenarios.projection_run import published_tests, size_of
from skyshard.synth.recipe.release_profile import read_profile


@cache
def projection() -> Projection:
    basis = Basis(observe(planted_trials(cold=SKIES[2:]))[0], MACHINE, published_tests())
    target = Target(
        size_of(read_profile("kpm"), 0.5), "kpm", 0.5, read_hardware("ldm-552-2018"), 25, planted_workload(), True
    )
    return project(basis, replace(target))


def told(*verdicts: str, **more: object) -> Projection:
    found = projection()
    rows = [one.model_copy(update={"verdict": word}) for one, word in zip(found.classes, verdicts, strict=False)]
    return found.model_copy(update={"classes": rows} | more)


def test_the_distance_is_said_in_words() -> None:
    """The first sentence: from how many rows to how many."""
    assert "times as many. Nothing between was measured." in sentences(projection())[0]


@pytest.mark.parametrize(
    ("verdicts", "more", "expected"),
    [
        (("meets", "open", "open"), {}, "partial"),
        (("meets", "meets", "open"), {}, "passed"),
        (("meets", "meets", "misses"), {}, "failed"),
        (("meets", "meets", "open"), {"measured_cold": 0}, "partial"),
        (("meets", "meets", "open"), {"stretch": 4.0}, "partial"),
        (("meets", "meets", "open"), {"stretch": 4.0, "times": "processor"}, "passed"),
    ],
)
def test_a_green_tick_needs_most_classes_told_cold_trials_and_a_quiet_machine(
    verdicts: tuple[str, ...], more: dict[str, object], expected: str
) -> None:
    """Nothing is green by default."""
    assert status(told(*verdicts, **more)) == expected


def test_classes_that_cannot_be_told_are_named() -> None:
    """In the verdict's sentence."""
    assert "cannot be told for FTSObj" in verdict(told("meets", "open"))


def test_an_interval_that_tells_nothing_is_unknown() -> None:
    """Ends a thousandfold apart are not shown as numbers."""
    one = projection().classes[0].model_copy(update={"low_s": 1e-3, "high_s": 1e3})
    assert "(unknown)" in row(one)[5]


def test_every_published_number_is_on_the_page() -> None:
    """Beside its prediction."""
    text = markdown(projection())
    assert text.count("| ForcedSource scan |") == 3
    assert "a million rows" in text
