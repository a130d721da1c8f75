"""An experiment whose inputs are wrong makes nothing and says one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.made_experiments import HEAD, written

from skyshard.basics.errors import UserError
from skyshard.scenarios.experiment.checks import check_experiment

WIDE = "version: 1\nstriping: {stripes: 85, substripes: 12, overlap_deg: 0.01667}\nengine: InnoDB\nreplicas: 2\n"
FACTORS = "factors:\n  nodes: [1, 2]\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD.replace("quick", "quik") + FACTORS, 3, "there is no workload 'quik'"),
        (HEAD.replace("mini", "minni") + FACTORS, 4, "no recipe 'minni'"),
        (HEAD + FACTORS + "  layout: [kpm-85-12, none]\n", 7, "there is no layout 'none'"),
        (HEAD + FACTORS + "leave_out: [LV2]\n", 7, "has no class 'LV2'"),
        (HEAD + FACTORS + "duration_s: 3\n", 7, "has a duration"),
        (HEAD.replace("mini", "m" * 3000) + FACTORS, 4, "is not a name or a file"),
        (HEAD.replace("mini", "m" * 300) + FACTORS, 4, "no recipe 'mmm"),
        (HEAD.replace("quick", "q" * 300) + FACTORS, 3, "there is no workload 'qqq"),
        (HEAD + f"{FACTORS}  layout: [kpm-85-12, {'l' * 300}]\n", 7, "there is no layout 'lll"),
        (HEAD + f"{FACTORS}  scenario: [none, {'s' * 300}]\n", 7, "there is no scenario 'sss"),
        (HEAD + "factors:\n  set.innodb_io_capacity: [100, 200]\n", 6, "the cells' engine is MyISAM"),
        (HEAD.replace("workload: quick\n", "") + "factors:\n  workload: [quick, apdb-quick]\n", 5, "is one of visits"),
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


def test_the_room_of_a_cell_counts_what_its_layout_asks_for(tmp_path: Path) -> None:
    """Engine and replicas of a layout take their space, as those of a factor do."""
    (tmp_path / "wide.yaml").write_text(WIDE)
    text = "factors: {nodes: [2, 3]}\nhold: {layout: wide.yaml, HOW}\ntrials: 2\n"
    layout = check_experiment(written(tmp_path, text.replace(", HOW", "")), tmp_path / "out")
    plain = check_experiment(written(tmp_path, text.replace("HOW", "replicas: 1, engine: MyISAM")), tmp_path / "out")
    asked = check_experiment(written(tmp_path, text.replace("HOW", "replicas: 2, engine: InnoDB")), tmp_path / "out")
    assert layout.estimates == asked.estimates
    assert plain.estimates[1] < layout.estimates[1]


def test_a_setting_may_be_of_the_layout_s_engine(tmp_path: Path) -> None:
    """No cell says the engine, the layout does."""
    (tmp_path / "wide.yaml").write_text(WIDE)
    text = "factors:\n  set.innodb_io_capacity: [100, 200]\nhold: {layout: wide.yaml}\ntrials: 2\n"
    assert len(check_experiment(written(tmp_path, text), tmp_path / "out").design.cells) == 2


def test_a_workload_is_cut_to_what_the_recipe_makes(tmp_path: Path) -> None:
    """Answers are not compared unless the file asks for it."""
    checked = check_experiment(written(tmp_path, f"{FACTORS}trials: 2\nleave_out: [nearN, FTSObj]\n"), tmp_path / "out")
    _, workload = checked.asked(checked.design.cells[0])
    names = {load.class_name for phase in workload.phases for load in phase.classes}
    assert "nearN" not in names
    assert "LV" in names
    assert not workload.check_answers
    assert {"recipe mini", "workload quick", "template LV/cone"} <= set(checked.inputs)
