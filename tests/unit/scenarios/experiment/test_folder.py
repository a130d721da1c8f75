"""The folder of an experiment: what was begun is gone on with, nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.made_experiments import written

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.block_order import PlannedTrial
from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.trial_numbers import TrialNumbers
from skyshard.scenarios.experiment.folder import ExperimentFolder, ExperimentPlan, choice_of_cells, plan_of

FILE = "factors:\n  nodes: [1, 2]\ntrials: 2\n"


def begun(folder: Path) -> tuple[ExperimentFolder, ReadExperiment, ExperimentPlan]:
    read = read_experiment(written(folder, FILE))
    plan = plan_of(read, {"recipe mini": "abc"}, is_cold=False)
    made = ExperimentFolder(folder / "out")
    made.check(read, plan)
    made.begin(plan)
    return made, read, plan


def test_the_same_experiment_goes_on(tmp_path: Path) -> None:
    """Comments and description may change."""
    made, _, plan = begun(tmp_path)
    again = read_experiment(written(tmp_path, f"# more\ndescription: words\n{FILE}"))
    made.check(again, plan_of(again, plan.inputs, is_cold=False))


@pytest.mark.parametrize(
    ("text", "inputs", "is_cold", "words"),
    [
        (FILE.replace("trials: 2", "trials: 3"), {"recipe mini": "abc"}, False, "line 7, key 'trials': it is 3, but"),
        (FILE.replace("[1, 2]", "[1, 3]"), {"recipe mini": "abc"}, False, "key 'factors'"),
        (FILE, {"recipe mini": "abd"}, False, "'recipe mini' has changed since"),
        (FILE, {"recipe mini": "abc"}, True, "was begun with warm trials"),
    ],
)
def test_a_change_half_way_is_refused(
    tmp_path: Path, text: str, inputs: dict[str, str], is_cold: bool, words: str
) -> None:
    """The first change is named with its line."""
    made, _, _ = begun(tmp_path)
    read = read_experiment(written(tmp_path, text))
    with pytest.raises(UserError) as caught:
        made.check(read, plan_of(read, inputs, is_cold=is_cold))
    assert words in str(caught.value)
    assert "choose another --out" in caught.value.remedy


def test_another_choice_of_cells_is_refused(tmp_path: Path) -> None:
    """Of a fraction that is searched for: trials of another release's cells are not taken for those of ours."""
    three = "nodes: [1, 2], fraction: [1.0, 0.5], scan_threads: [1, 2, 3]"
    read = read_experiment(written(tmp_path, f"factors: {{{three}}}\ndesign: fractional\ntrials: 3\n"))
    design = make_design(read)
    made, plan = ExperimentFolder(tmp_path / "out"), plan_of(read, choice_of_cells(design), is_cold=False)
    made.begin(plan)
    made.check(read, plan)
    others = replace(design, cells=design.cells[::-1])
    with pytest.raises(UserError, match="'choice of cells' has changed since"):
        made.check(read, plan_of(read, choice_of_cells(others), is_cold=False))
    assert choice_of_cells(replace(design, kind="full")) == {}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Nothing is made in it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").touch()
    with pytest.raises(UserError, match="holds something else"):
        begun(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second one is told."""
    made, _, _ = begun(tmp_path)
    with made.locked(), pytest.raises(UserError, match="another run works on"), made.locked():
        pass
    with made.locked():
        pass


def test_a_trial_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    """A failure is forgotten when the trial has run."""
    made, _, _ = begun(tmp_path)
    planned = PlannedTrial(1, 2)
    numbers = TrialNumbers(version=1, block=1, cell=2, elapsed_s=1.0, statements="", answers="", classes=[])
    made.fail(planned, "no room")
    assert made.failure(planned) == "no room"
    made.work_folder(planned).mkdir()
    assert made.numbers(planned) is None
    made.keep(planned, numbers)
    assert made.numbers(planned) == numbers
    assert made.failure(planned) == ""
