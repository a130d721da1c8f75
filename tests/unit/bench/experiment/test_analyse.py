"""Planted effects are found with their size; what does nothing is said to do nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.made_experiments import HEAD, made_trials, written

from skyshard.bench.experiment.analyse import analyse
from skyshard.bench.experiment.experiment_result import Effect, ExperimentResult
from skyshard.bench.experiment.trial_numbers import ClassNumbers

FILE = "factors: {engine: [MyISAM, Aria], set.key_buffer_size: [8M, 64M], nodes: [1, 2]}\ntrials: 4\n"
CLASSES = {
    "LV": lambda levels: -0.5 * (levels["engine"] == "MyISAM") * (levels["set.key_buffer_size"] == "64M"),
    "FTSObj": lambda levels: 0.4 * (levels["engine"] == "Aria") - 0.3 * (levels["nodes"] == 2),
    "nearN": lambda levels: 0.0,
}
CLASSES_OF_NODES = {"LV": lambda levels: 0.1 * (levels["nodes"] == 2)}


@pytest.fixture
def result(tmp_path: Path) -> ExperimentResult:
    """Trials with a spread of 3 %, and blocks that differ by a factor of two."""
    random = np.random.default_rng(4)
    return analyse(
        made_trials(written(tmp_path, FILE), CLASSES, noise=lambda: float(random.normal(0, 0.03)),
                    drift=lambda block: 0.7 * (block % 2))
    )  # fmt: skip


def one_class(name: str, median_s: float) -> ClassNumbers:
    return ClassNumbers(phase="alone", class_name=name, n=20, errors=0, wrong=0, median_s=median_s)


def effect(result: ExperimentResult, class_name: str, factor: str, other: str = "") -> Effect:
    return next(o for o in result.effects if (o.class_name, o.factor, o.other) == (class_name, factor, other))


@pytest.mark.parametrize(
    ("class_name", "factor", "other", "planted"),
    [
        ("FTSObj", "engine", "", np.exp(0.4)),
        ("FTSObj", "nodes", "", np.exp(-0.3)),
        ("LV", "set.key_buffer_size", "", np.exp(-0.25)),  # half of the cells have it
        ("LV", "engine", "set.key_buffer_size", np.exp(0.5)),
    ],
)
def test_a_planted_effect_is_found_with_its_size(
    result: ExperimentResult, class_name: str, factor: str, other: str, planted: float
) -> None:
    """Within its interval, and the interval excludes 1."""
    found = effect(result, class_name, factor, other)
    assert found.is_shown
    assert found.low is not None
    assert found.high is not None
    assert found.low <= planted <= found.high
    assert found.ratio == pytest.approx(planted, rel=0.06)


def test_what_has_no_effect_is_said_to_have_none(result: ExperimentResult) -> None:
    """A class that nothing moves; a factor that does nothing for a class."""
    still = next(one for one in result.classes if one.class_name == "nearN")
    assert still.moved_by == []
    assert still.sentence == "No factor moves it: every effect is within 1.10 ×."
    assert not effect(result, "FTSObj", "set.key_buffer_size").is_shown
    assert "No factor is shown to move nearN (alone)." in result.conclusion


def test_the_paragraph_names_the_best_levels_and_what_depends_on_what(result: ExperimentResult) -> None:
    """Only what was planted."""
    assert "MyISAM is fastest for" in result.conclusion
    assert "2 nodes are fastest for FTSObj (alone)" in result.conclusion
    assert "What engine does depends on set.key_buffer_size for LV (alone)." in result.conclusion
    assert "1 node is fastest" not in result.conclusion


def test_best_cells_are_those_that_were_planted(result: ExperimentResult) -> None:
    """Of LV both node counts are as good as each other."""
    labels = {cell.number: cell.label for cell in result.cells}
    best = {one.class_name: {labels[number] for number in one.best} for one in result.classes}
    assert best["LV"] == {"MyISAM, key_buffer_size 64M, 1 node", "MyISAM, key_buffer_size 64M, 2 nodes"}
    assert len(best["nearN"]) == 8


@pytest.mark.parametrize("seed", [5, 8, 9])
def test_of_a_single_factor_the_best_cells_are_those_that_no_effect_shows_slower(tmp_path: Path, seed: int) -> None:
    """Cells and effects say the same, also where an effect is barely shown."""
    random = np.random.default_rng(seed)
    text = "factors: {scan_threads: [1, 2, 3, 4]}\ntrials: 4\n"
    classes = {"LV": lambda levels: {1: 0.0, 2: 0.16, 3: 0.4, 4: 0.8}[levels["scan_threads"]]}
    found = analyse(made_trials(written(tmp_path, text), classes, noise=lambda: float(random.normal(0, 0.05))))
    slower = {one.level for one in found.effects if one.is_shown and one.against == 1}
    assert {cell.number for cell in found.cells if cell.levels["scan_threads"] not in slower} == set(
        found.classes[0].best
    )


def test_missing_trials_are_counted_and_the_rest_is_analysed(tmp_path: Path) -> None:
    """A cell that failed altogether takes its own effects with it, not those of others."""
    random = np.random.default_rng(5)
    made = made_trials(written(tmp_path, FILE), CLASSES, noise=lambda: float(random.normal(0, 0.03)))
    left = [trial for trial in made.trials if trial.cell != 8 and not (trial.cell == 3 and trial.block == 2)]
    found = analyse(replace(made, trials=left, failures={8: ["block 1: no room"]}))
    assert found.trials_done == 27
    assert found.cells[7].failures == ["block 1: no room"]
    assert "5 of 32 trials are missing." in found.cautions
    assert effect(found, "FTSObj", "engine").ratio == pytest.approx(np.exp(0.4), rel=0.1)


def test_an_experiment_without_a_trial_says_so(tmp_path: Path) -> None:
    """Everything failed: a result, and no claim."""
    made = made_trials(written(tmp_path, FILE), CLASSES, noise=lambda: 0.0)
    found = analyse(replace(made, trials=[], builds={}))
    assert found.effects == []
    assert "nothing can be said" in found.conclusion


def test_failed_queries_and_wrong_answers_are_told_apart(tmp_path: Path) -> None:
    """What failed is no wrong answer, and the other way round."""
    made = made_trials(written(tmp_path, FILE), {"LV": CLASSES["LV"], "nearN": CLASSES["nearN"]}, noise=lambda: 0.0)
    trial = made.trials[3]
    lookup, pairs = trial.classes
    odd = [lookup.model_copy(update={"errors": 2}), pairs.model_copy(update={"wrong": 1})]
    found = analyse(
        replace(made, trials=[*made.trials[:3], trial.model_copy(update={"classes": odd}), *made.trials[4:]])
    )
    assert found.cautions == [
        "Queries failed in LV (alone): medians are of those that were answered.",
        "Queries were answered wrongly in nearN (alone).",
    ]


def test_different_row_counts_of_one_statement_are_a_caution(tmp_path: Path) -> None:
    """Cells that answer differently are not compared in silence."""
    made = made_trials(written(tmp_path, FILE), CLASSES, noise=lambda: 0.0)
    odd = [made.trials[0].model_copy(update={"answers": "other"}), *made.trials[1:]]
    assert any("different numbers of rows" in one for one in analyse(replace(made, trials=odd)).cautions)


def test_rows_by_chunk_may_differ_between_layouts(tmp_path: Path) -> None:
    """Each has chunks of its own; within a layout, and in all other statements, numbers of rows are equal."""
    made = made_trials(
        written(tmp_path, "factors: {layout: [kpm-85-12, qserv-340-3], nodes: [1, 2]}\ntrials: 3\n"), CLASSES_OF_NODES,
        noise=lambda: 0.0,
    )  # fmt: skip

    def cautions(rows: dict[int, str], sky: dict[int, str]) -> list[str]:
        trials = [
            one.model_copy(update={"answers": rows.get(one.cell, "a"), "answers_of_sky": sky.get(one.cell, "s")})
            for one in made.trials
        ]
        return [one for one in analyse(replace(made, trials=trials)).cautions if "numbers of rows" in one]

    assert cautions({3: "b", 4: "b"}, {}) == []
    assert len(cautions({4: "b"}, {})) == 1
    assert len(cautions({}, {3: "t", 4: "t"})) == 1


def test_a_factor_whose_levels_share_no_class_is_named(tmp_path: Path) -> None:
    """Two workloads with other classes: nothing is said of them, and that is said."""
    text = "factors: {workload: [quick, lookups], nodes: [1, 2]}\ntrials: 3\n"
    made = made_trials(written(tmp_path, text, head=HEAD.replace("workload: quick\n", "")), {}, noise=lambda: 0.0)
    trials = [
        one.model_copy(update={"classes": [one_class("LV" if one.cell <= 2 else "FTSObj", 0.1 + 0.01 * one.block)]})
        for one in made.trials
    ]
    found = analyse(replace(made, trials=trials))
    assert found.cautions == ["No class was answered at two levels of workload: nothing is said of it."]


def test_what_was_held_is_said_as_it_was(tmp_path: Path) -> None:
    """Engine and replicas by their values where no layout decides; caches of cells with other nodes."""
    held = analyse(made_trials(written(tmp_path, FILE), CLASSES, noise=lambda: 0.0)).held_sentences
    assert "layout: the recipe's own" in held
    assert "replicas: 1" in held
    assert not any("shrink" in one for one in held)
    assert any("all nodes of a cell together have the same share of the memory" in one for one in held)
    text = "factors: {layout: [kpm-85-12, qserv-340-3]}\ntrials: 3\n"
    held = analyse(made_trials(written(tmp_path, text), CLASSES_OF_NODES, noise=lambda: 0.0)).held_sentences
    assert {"engine: as the layout has it", "replicas: as the layout has it", "nodes: 2"} <= set(held)
    assert not any("share of the memory" in one for one in held)


@pytest.mark.parametrize(
    ("nodes", "trials", "needed"), [("[1, 2]", 3, 6), ("[1, 2]", 6, 0), ("[1, 2, 3]", 2, 3), ("[1, 2, 3, 4]", 4, 0)]
)
def test_an_effect_that_chance_makes_of_few_trials_is_not_shown(
    tmp_path: Path, nodes: str, trials: int, needed: int
) -> None:
    """Of two equal cells the same one is ahead in all of three blocks in one experiment of four, however far."""
    random = np.random.default_rng(2)
    file = written(tmp_path, f"factors: {{nodes: {nodes}}}\ntrials: {trials}\n")
    classes = {"LV": lambda levels: 2.0 * (levels["nodes"] == 2)}
    found = analyse(made_trials(file, classes, noise=lambda: float(random.normal(0, 0.02))))
    assert any(one.is_shown for one in found.effects) == (not needed)
    said = [one for one in found.cautions if "nothing can be shown" in one]
    assert bool(said) == bool(needed)
    assert not said or f"Run {needed} trials or more" in said[0]


def test_classes_without_figures_are_named(tmp_path: Path) -> None:
    """One that a single cell answered, and one whose cells no block has together, are on no table: that is said."""
    made = made_trials(
        written(tmp_path, "factors: {nodes: [1, 2]}\ntrials: 2\n"), {"LV": lambda _: 0.0}, noise=lambda: 0.0
    )
    trials = []
    for trial in made.trials:
        more = [one_class("alone", 1.0)] if trial.cell == 2 else []
        more += [one_class("apart", 1.0)] if trial.cell == trial.block else []
        trials.append(trial.model_copy(update={"classes": [*trial.classes, *more]}))
    found = analyse(replace(made, trials=trials))
    assert [one.class_name for one in found.classes] == ["LV"]
    assert "Only one cell answered alone (alone): nothing is said of it." in found.cautions
    assert "No block joins the cells that answered apart (alone): nothing is said of it." in found.cautions
