"""An experiment whose inputs are wrong makes nothing and says one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.made_experiments import HEAD, written

from skyshard.basics.errors import UserError
from skyshard.scenarios.experiment.checks import check_experiment

FACTORS = "factors:\n  nodes: [1, 2]\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD.replace("quick", "quik") + FACTORS, 3, "there is no workload 'quik'"),
        (HEAD.replace("mini", "minni") + FACTORS, 4, "no recipe 'minni'"),
        (HEAD + FACTORS + "  layout: [kpm-85-12, none]\n", 7, "there is no layout 'none'"),
        (HEAD + FACTORS + "leave_out: [LV2]\n", 7, "has no class 'LV2'"),
        (HEAD + FACTORS + "duration_s: 3\n", 7, "has a duration"),
        (HEAD + "factors:\n  workload: [quick, kpm-99]\n", 6, "'workload' is a factor, and held"),
    ],
)
def test_what_an_experiment_names_must_be_there(tmp_path: Path, text: str, line: int, words: str) -> None:
    """File, line, key; no folder."""
    path = tmp_path / "made.yaml"
    path.write_text(f"{text}trials: 2\n")
    with pytest.raises(UserError) as caught:
        check_experiment(path, tmp_path / "out")
    assert words in str(caught.value)
    assert f"line {line}," in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_cell_that_does_not_fit_the_disk_is_named(tmp_path: Path) -> None:
    """With what it takes, what there is, and the remedy."""
    with pytest.raises(UserError) as caught:
        check_experiment(written(tmp_path, f"{FACTORS}trials: 2\n"), tmp_path / "out", 1 << 20)
    assert "line 4, key 'recipe': cell '1 node' takes about" in str(caught.value)
    assert "--disk-budget" in caught.value.remedy


def test_a_workload_is_cut_to_what_the_recipe_makes(tmp_path: Path) -> None:
    """Answers are not compared unless the file asks for it."""
    checked = check_experiment(written(tmp_path, f"{FACTORS}trials: 2\nleave_out: [nearN, FTSObj]\n"), tmp_path / "out")
    _, workload = checked.asked(checked.design.cells[0])
    names = {load.class_name for phase in workload.phases for load in phase.classes}
    assert "nearN" not in names
    assert "LV" in names
    assert not workload.check_answers
    assert {"recipe mini", "workload quick", "template LV/cone"} <= set(checked.inputs)
