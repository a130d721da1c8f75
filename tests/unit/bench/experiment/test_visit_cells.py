"""Experiments of visits: which cells can be, and what is kept of their trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.made_experiments import MACHINE
from tests.support.visit_trials import MadeVisits, made_visit_trial

from skyshard.basics.errors import UserError
from skyshard.basics.readable import seconds
from skyshard.bench.experiment.analyse import Collected, analyse
from skyshard.bench.experiment.block_order import block_order
from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.visit_cells import cell_visits, visit_numbers
from skyshard.bench.pages.experiment_page import cost_headers, cost_rows, html, markdown
from skyshard.bench.pages.visit_cells_section import held_table, node_points, visit_rows
from skyshard.bench.record.visit_trial import VisitTrial
from skyshard.pages.page_template import count

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
        ("factors: {engine: [InnoDB, Aria]}\nhold: {target: mariadb}\n", "engine Aria contradicts target mariadb"),
        ("factors: {target: [mariadb, cluster]}\nhold: {engine: MyISAM}\n", "engine MyISAM contradicts target"),
        ("factors: {loader: [image, load-data]}\n", "'loader' is no factor of visits"),
        ("factors: {upsert: [replace, swap]}\n", "'swap' is not one of replace"),
        ("factors: {pixels: [chunks, htm-20]}\nhold: {target: cluster}\n", "'pixels' contradicts target cluster"),
        ("factors: {pixels: [chunks, q3c]}\n", "pixels q3c contradicts target sqlite"),
        ("factors: {target: [sqlite, postgresql]}\nhold: {upsert: replace}\n", "upsert replace contradicts target"),
    ],
)
def test_what_visits_cannot_have_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """A door, nodes of a file, an engine of a file, factors of ingest: with the line."""
    with pytest.raises(UserError, match=words):
        make_design(_read(tmp_path, text), is_of_visits=True)


def test_chunks_are_the_pixels_of_any_store(tmp_path: Path) -> None:
    """A cluster has no others: a file that says so for all of its stores says what is."""
    design = make_design(
        _read(tmp_path, "factors: {target: [mariadb, cluster]}\nhold: {pixels: chunks}\n"), is_of_visits=True
    )
    assert [cell.all["pixels"] for cell in design.cells] == ["chunks", "chunks"]


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


def _analysed(
    folder: Path, *, other_rows: bool = False, slower: float = 1.0, processes: Mapping[int, int] | None = None
) -> ExperimentResult:
    """Two nodes read in half the time of one; ``other_rows``: and other numbers of rows leave their servers;
    ``slower``: in the first block all takes so many times as long; ``processes``: of a cell's tiles, else threads."""
    read = _read(folder, CELLS)
    design = make_design(read, is_of_visits=True)
    order = block_order([cell.number for cell in design.cells], 2, 1)
    speeds, slow = {1: 1.0, 2: 0.5, 3: 0.8}, {1: slower, 2: 1.0}
    trials = {
        one: _with_sizes(
            made_visit_trial(
                replace(
                    MADE,
                    start_s=0.05 * speeds[one.cell] * slow[one.block],
                    before=0.4 * speeds[one.cell],
                    seed=one.block,
                ),
                target="made",
            ),
            one.cell * 1000 * one.block,
        )
        for one in order
    }
    trials = {one: _with_driver(trial, (processes or {}).get(one.cell, 0)) for one, trial in trials.items()}
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


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> ExperimentResult:
    return _analysed(tmp_path_factory.mktemp("analysed"))


@pytest.fixture(scope="module")
def page(analysed: ExperimentResult) -> str:
    return html(analysed)


def _with_driver(trial: VisitTrial, processes: int) -> VisitTrial:
    driver = {"runtime": "processes" if processes else "threads", "processes": processes or 1}
    return replace(trial, manifest=trial.manifest.model_copy(update={"driver": driver}))


def _with_sizes(trial: VisitTrial, size: int) -> VisitTrial:
    """A trial whose store held two tables at its end."""
    sizes = {"DiaObject": {"rows": 100, "bytes": size}, "DiaSource": {"rows": 300, "bytes": 3 * size}}
    return replace(trial, manifest=trial.manifest.model_copy(update={"catalog": {"sizes": sizes}}))


def test_cells_whose_tiles_were_threads_and_processes_are_named(tmp_path: Path, analysed: ExperimentResult) -> None:
    """A file has one writer, and so threads, where other stores have processes: a difference that nobody asked for."""
    found = _analysed(tmp_path, processes={1: 2, 2: 2})
    said = "Tiles of visits were not the same in all cells (2 processes in 1, 2; threads in 3)"
    assert any(one.startswith(said) for one in found.cautions)
    assert not any("Tiles of visits" in one for one in analysed.cautions)


def test_cells_say_what_they_stored_and_what_it_takes_on_disk(analysed: ExperimentResult, page: str) -> None:
    """Rows of all visits, the time of their stores, bytes by table: medians over the trials of a cell."""
    result = analysed
    cell, visits = result.cells[1], result.visits[1]
    assert (cell.rows, cell.bytes, visits.rows) == (300 * 20, 4 * 3000, 400)
    assert cell.ingest_s == pytest.approx(300 * MADE.store_s, rel=0.01)
    assert cell.ingest_rows_per_s == pytest.approx(6000 / (300 * MADE.store_s), rel=0.01)
    assert [(one.name, one.rows, one.bytes) for one in visits.tables] == [
        ("DiaObject", 100, 3000), ("DiaSource", 300, 9000),
    ]  # fmt: skip
    assert cost_headers(result) == ["cell", "trials", "rows stored", "stores", "rows/s", "on disk"]
    assert cost_rows(result)[1] == [
        "2: two (cluster, 2 nodes)", "2", "6,000", seconds(cell.ingest_s), count(cell.ingest_rows_per_s), "11.7 KiB",
    ]  # fmt: skip
    found = held_table(result.visits)
    assert found is not None
    assert found[1][1] == ["2: two", "400", "2.93 KiB", "8.79 KiB", "11.7 KiB", "30 B"]
    assert "Tables of stores on disk" in page
    assert "| 2: two | 400 | 2.93 KiB | 8.79 KiB | 11.7 KiB | 30 B |" in markdown(result)


def test_a_phase_that_stores_nothing_costs_nothing(tmp_path: Path) -> None:
    """Visits that only read have no rows stored, and no time of stores: not 0 of either."""
    reads = made_visit_trial(MADE)
    phases = [
        one.model_copy(update={"series": [part for part in one.series if part.kind in ("visit", "select")]})
        for one in reads.summary.phases
    ]
    reads = replace(reads, summary=reads.summary.model_copy(update={"phases": phases}))
    (found,) = cell_visits(1, "one", 1, [reads])
    assert (found.stored_rows, found.stored_s, found.store_s) == (None, None, None)
    assert visit_rows([found])[0][4] == "–"


def test_rows_that_are_deleted_to_be_replaced_are_not_stored() -> None:
    """Each way to replace the newest version of an object has stored the same visits."""
    trial = made_visit_trial(MADE)
    (phase,) = trial.summary.phases
    deleted = phase.series[-1].model_copy(update={"table": "DiaObjectLast", "kind": "delete", "rows": 1500})
    more = trial.summary.model_copy(update={"phases": [phase.model_copy(update={"series": [*phase.series, deleted]})]})
    found = [cell_visits(1, "one", 1, [one])[0] for one in (trial, replace(trial, summary=more))]
    assert [one.stored_rows for one in found] == [6000, 6000]


def test_a_lost_visit_is_counted_once() -> None:
    """Not once for each kind of work that it was made of; so are wrong answers."""
    trial = made_visit_trial(replace(MADE, lost=((5, 0),), wrong=((7, 0), (8, 0))))
    numbers = visit_numbers(trial, 1, 1, 1.0)
    assert len(numbers.classes) > 3
    assert {one.class_name: (one.errors, one.wrong) for one in numbers.classes if one.errors or one.wrong} == {
        "visit": (1, 2)
    }


def test_cells_have_levels_slopes_and_courses(analysed: ExperimentResult) -> None:
    """What was put in comes back for each cell: time, growth, plateau, share of one node's."""
    result = analysed
    one, two, file = result.visits
    assert one.select_s is not None
    assert two.select_s == pytest.approx(0.5 * one.select_s, rel=0.05)
    assert one.before == pytest.approx(0.4, rel=0.1)
    assert one.plateau is not None
    assert abs(one.plateau.value) < 0.3
    assert (one.nodes, two.nodes, file.nodes) == (1, 2, 1)
    assert len(one.visits) == len(one.course_s) == 40
    assert (one.wrong, one.rows) == (0, 400)
    assert [row[0] for row in visit_rows(result.visits)] == ["1: one", "2: two", "3: file"]


def test_a_visit_takes_as_long_in_both_tables(tmp_path: Path) -> None:
    """Of two trials of which one took much longer, the table of visits said the middle, and that of cells the geometric
    mean, at which effects look."""
    result = _analysed(tmp_path, slower=4.0)
    for cell, visits in zip(result.cells, result.visits, strict=True):
        levels = {one.class_name: one.median_s for one in cell.classes}
        assert (visits.visit_s, visits.select_s) == (levels["visit"], levels["select"])


def test_rows_that_leave_servers_are_no_answers(tmp_path: Path) -> None:
    """Cells of the sky decide how many do; every answer is compared, and cut to its region before."""
    result = _analysed(tmp_path, other_rows=True)
    assert not [one for one in result.cautions if "numbers of rows" in one]
    assert not [one for one in result.held_sentences if one.startswith("the rows:")]


def test_reads_stand_against_the_number_of_nodes(analysed: ExperimentResult) -> None:
    """Cells of a cluster are points of one line; the file is none."""
    points = node_points(analysed)
    assert [(one.label, one.nodes) for one in points] == [("cluster", 1), ("cluster", 2)]


def test_page_and_markdown_have_the_visits(analysed: ExperimentResult, page: str) -> None:
    """The same page as of every experiment, with a section of its own."""
    result = analysed
    assert 'id="visits"' in page
    assert "courses-0" in page
    assert "visit-nodes" in page
    assert "## Visits" in markdown(result)
    assert "the state before each trial: a store that was just made, empty" in result.held_sentences
    assert not any("fraction" in one for one in result.held_sentences)
