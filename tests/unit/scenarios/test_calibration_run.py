"""Calibrations look at their inputs first; cold trials ask fewer queries."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.basics.progress import unwatched
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.scenarios.calibration_run import CalibrationRun, Sky, cold_workload, skies_of

FILE = find_workload("calibration")


def test_two_skies_are_too_few(tmp_path: Path) -> None:
    """Nothing is made."""
    run = CalibrationRun(FILE, read_workload(FILE), tmp_path / "out", skies=skies_of([0.1], [0.2]))
    with pytest.raises(UserError, match="2 skies in 2 rounds"):
        run.run(unwatched)
    assert not (tmp_path / "out").exists()


def test_an_unknown_recipe_is_named(tmp_path: Path) -> None:
    """Before a server starts."""
    with pytest.raises(UserError, match="no recipe 'nope'"):
        CalibrationRun(FILE, read_workload(FILE), tmp_path / "out", recipe="nope").run(unwatched)


def test_skies_come_by_size() -> None:
    """Small before large, whatever they are made by."""
    assert skies_of([0.3, 0.05], [0.1]) == (Sky(0.05, "c"), Sky(0.1, "t"), Sky(0.3, "c"))


def test_cold_trials_ask_every_template_without_warm_up() -> None:
    """Eleven of a class of eleven templates, four of a class with one."""
    loads = {one.class_name: one for phase in cold_workload(read_workload(FILE)).phases for one in phase.classes}
    assert (loads["FTSObj"].count, loads["FTSSrc"].count) == (11, 4)
    assert all(one.warm_up == 0 for one in loads.values())


def test_a_calibration_asks_every_class_alone() -> None:
    """One class a phase, one client: the only phases that tell what a query costs."""
    for phase in read_workload(FILE).phases:
        assert [one.arrivals.clients for one in phase.classes] == [1]
