"""Experiments of visits: which cells can be, and what is kept of their trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.made_experiments import MACHINE
from tests.support.visit_trials import MadeVisits, made_visit_trial

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.analyse import Collected, analyse
from skyshard.bench.experiment.block_order import block_order
from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.visit_cells import cell_visits, visit_numbers
from skyshard.bench.pages.experiment_page import html, markdown
from skyshard.bench.pages.visit_cells_section import node_points, visit_rows

HEAD = "version: 1\nname: made\nworkload: apdb-quick\ntrials: 2\n"
CELLS = "cells:\n  one: {target: cluster, nodes: 1}\n  two: {target: cluster, nodes: 2}\n  file: {target: sqlite}\n"
MADE = MadeVisits(visits=300, tiles=1, noise=0.02)


def _read(folder: Path, text: str) -> ReadExperiment:
    path = folder / "made.yaml"
    path.write_text(HEAD + text)
    return read_experiment(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("factors: {target: [sqlite, czar]}\n", "target 'czar' stores no visits"),
        ("factors: {target: [sqlite, cluster]}\nhold: {nodes: 2}\n", "'nodes' contradicts target sqlite"),
        ("cells:\n  a: {target: sqlite, engine: InnoDB}\n  b: {target: mariadb}\n", "'engine' contradicts target"),
        ("factors: {loader: [image, load-data]}\n", "'loader' is no factor of visits"),
        ("factors: {upsert: [replace, swap]}\n", "'swap' is not one of replace"),
    ],
)
def test_what_visits_cannot_have_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """A door, nodes of a file, an engine of a file, factors of ingest: with the line."""
    with pytest.raises(UserError, match=words):
        make_design(_read(tmp_path, text), is_of_visits=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("factors: {target: [czar, sqlite]}\n", "'sqlite' is a store of visits"),
        ("factors: {upsert: [replace, on-duplicate]}\n", "'upsert' is a factor of visits only"),
    ],
)
def test_queries_do_not_take_what_is_of_visits(tmp_path: Path, text: str, words: str) -> None:
    """The other way round."""
    with pytest.raises(UserError, match=words):
        make_design(_read(tmp_path, f"recipe: mini\n{text}"))


def _analysed(folder: Path, *, other_rows: bool = False) -> ExperimentResult:
    """Two nodes read in half the time of one; ``other_rows``: and other numbers of rows leave their servers."""
    read = _read(folder, CELLS)
    design = make_design(read, is_of_visits=True)
    order = block_order([cell.number for cell in design.cells], 2, 1)
    speeds = {1: 1.0, 2: 0.5, 3: 0.8}
    trials = {
        one: made_visit_trial(
            replace(MADE, start_s=0.05 * speeds[one.cell], before=0.4 * speeds[one.cell], seed=one.block), target="made"
        )
        for one in order
    }
    visits = [
        found
        for cell in design.cells
        for found in cell_visits(
            cell.number, cell.label, int(cell.levels.get("nodes", 1)),
            [trial for one, trial in trials.items() if one.cell == cell.number],
        )
    ]  # fmt: skip
    numbers = [visit_numbers(trial, one.block, one.cell, 1.0) for one, trial in trials.items()]
    if other_rows:
        numbers = [one.model_copy(update={"answers": str(one.cell)}) for one in numbers]
    return analyse(Collected(read.file, read.digest, design, order, numbers, {}, MACHINE, elapsed_s=6.0, visits=visits))


def test_cells_have_levels_slopes_and_courses(tmp_path: Path) -> None:
    """What was put in comes back for each cell: time, growth, plateau, share of one node's."""
    result = _analysed(tmp_path)
    one, two, file = result.visits
    assert two.select_s == pytest.approx(0.5 * one.select_s, rel=0.05)
    assert one.before == pytest.approx(0.4, rel=0.1)
    assert one.plateau is not None
    assert abs(one.plateau.value) < 0.3
    assert (one.nodes, two.nodes, file.nodes) == (1, 2, 1)
    assert len(one.visits) == len(one.course_s) == 40
    assert (one.wrong, one.rows) == (0, 0)
    assert [row[0] for row in visit_rows(result.visits)] == ["1: one", "2: two", "3: file"]


def test_rows_that_leave_servers_are_no_answers(tmp_path: Path) -> None:
    """Cells of the sky decide how many do; every answer is compared, and cut to its region before."""
    result = _analysed(tmp_path, other_rows=True)
    assert not [one for one in result.cautions if "numbers of rows" in one]
    assert not [one for one in result.held_sentences if one.startswith("the rows:")]


def test_reads_stand_against_the_number_of_nodes(tmp_path: Path) -> None:
    """Cells of a cluster are points of one line; the file is none."""
    points = node_points(_analysed(tmp_path))
    assert [(one.label, one.nodes) for one in points] == [("cluster", 1), ("cluster", 2)]


def test_page_and_markdown_have_the_visits(tmp_path: Path) -> None:
    """The same page as of every experiment, with a section of its own."""
    result = _analysed(tmp_path)
    page = html(result)
    assert 'id="visits"' in page
    assert "courses-0" in page
    assert "visit-nodes" in page
    assert "## Visits" in markdown(result)
    assert "the state before each trial: a store that was just made, empty" in result.held_sentences
    assert not any("fraction" in one for one in result.held_sentences)
