"""The machine's own changes are seen, said, and never taken for a release's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.bench_trials import made_trial

from skyshard.bench.compare.class_change import LatencyChange
from skyshard.bench.compare.comparison import Comparison, compare_trials
from skyshard.bench.compare.machine_noise import machine_shifts
from skyshard.bench.record.machine_probe import MachineReading
from skyshard.bench.record.trial_folder import Trial

pytestmark = pytest.mark.timeout(30)


def timed(trial: Trial, slowness: float, disk_s: float | None = 0.01) -> Trial:
    """The trial with readings of a machine that takes so many times as long."""
    whens = ("before", "between", "after")
    readings = [
        MachineReading.model_validate(
            {"when": when, "cpu_s": 0.01 * slowness, "memory_s": 0.02 * slowness, "disk_s": disk_s}
        )
        for when in whens
    ]
    return replace(trial, manifest=trial.manifest.model_copy(update={"machine": readings}))


def compared(factor: float, new: Sequence[float], old: Sequence[float]) -> Comparison:
    """Trials that take ``factor`` times as long, on machines of the slownesses given for each."""
    sides = [[(f"n{i}", timed(made_trial(i, factor), slow)) for i, slow in enumerate(new)],
             [(f"o{i}", timed(made_trial(50 + i), slow)) for i, slow in enumerate(old)]]  # fmt: skip
    return compare_trials(*sides)


def test_a_slower_machine_is_not_a_slower_release() -> None:
    """Everything takes 1.3 times as long, the machine's own work too: no class is worse, and the page says why."""
    found = compared(1.3, [1.3, 1.31, 1.29, 1.3], [1.0, 1.01, 0.99, 1.0])
    assert {one.change for one in found.classes} == {LatencyChange.INCONCLUSIVE}
    assert found.regressions == []
    (caution,) = found.cautions
    assert "The machine itself was not as fast for both sides" in caution
    assert "processor 1.3 times as long, memory 1.3 times as long" in caution


def test_a_change_beyond_the_machines_is_still_found() -> None:
    """Twice as long on a machine that takes 1.3 times as long is a regression; its interval is that much wider."""
    found = compared(2.0, [1.3] * 4, [1.0] * 4)
    plain = compared(2.0, [1.0] * 4, [1.0] * 4)
    assert {one.change for one in found.classes} == {LatencyChange.WORSE}
    for one, other in zip(found.classes, plain.classes, strict=True):
        assert one.median.value == other.median.value
        assert one.median.low == pytest.approx(other.median.low / 1.3)
        assert one.median.high == pytest.approx(other.median.high * 1.3)


def test_what_comes_and_goes_on_both_sides_is_no_shift() -> None:
    """Readings that differ from trial to trial as much as between the sides widen nothing."""
    found = compared(1.0, [1.0, 1.6, 0.8, 1.2], [1.1, 0.7, 1.4, 1.0])
    assert [one.differs for one in found.machine] == [False, False, False]
    assert found.cautions == []


def test_a_small_steady_shift_is_none() -> None:
    """Within five per cent."""
    found = compared(1.0, [1.03] * 4, [1.0] * 4)
    assert [one.differs for one in found.machine] == [False, False, False]


def test_trials_without_readings_are_compared_as_before() -> None:
    """Those of 0.1.0 have none: nothing is said, nothing is wider; a disk that one could not write is left out."""
    bare, read = made_trial(1), timed(made_trial(2), 1.0)
    assert machine_shifts([bare.manifest], [read.manifest]) == []
    no_disk = timed(made_trial(3), 1.0, None)
    assert [one.resource for one in machine_shifts([read.manifest], [no_disk.manifest])] == ["processor", "memory"]
