"""The page of a trial of visits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.visit_trials import FACTS, MadeVisits, made_visit_trial

from skyshard.bench.pages.visit_figures import NodePoint, nodes_figure
from skyshard.bench.pages.visit_page import (
    markdown_visits,
    render_visits,
    verdict_of_visits,
    write_visit_report,
)
from skyshard.bench.record.beside_actions import BesideAction
from skyshard.bench.record.visit_samples import VISIT_SAMPLES
from skyshard.bench.record.visit_summary import summarise_visits
from skyshard.bench.record.visit_trial import VisitTrial, write_visit_trial

MADE = MadeVisits(visits=320, noise=0.02, after=0.0)


@pytest.fixture(scope="module")
def trial() -> VisitTrial:
    made = made_visit_trial(MADE)
    return replace(made, beside=[BesideAction(name="scan of 14 days", begun_s=10.0, ended_s=12.0, rows=5)])


@pytest.fixture(scope="module")
def folder(trial: VisitTrial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial's folder with its report."""
    out = tmp_path_factory.mktemp("trial")
    write_visit_trial(trial, out)
    assert write_visit_report(out) == out / "report.html"
    return out


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_page_has_every_section(page: str) -> None:
    """Boxes, tables, all visits, shares, rows, answers, what ran beside, forecast, published runs."""
    for said in (
        "boxes-visits", "reads-visits", "writes-visits", "scatter-visits", "above-visits", "rows-visits", "Answers",
        "Beside the visits", "Forecast", "Published runs", "Cassandra", "Where the time goes",
    ):  # fmt: skip
        assert said in page, said


def test_page_needs_no_network(page: str) -> None:
    """One file: no address is loaded."""
    assert "src=" not in page.replace("data-src", "")
    assert 'href="http' not in page


def test_folder_gets_its_page(trial: VisitTrial, folder: Path) -> None:
    """From the folder alone come report.html and report.md, the same as before it was written."""
    assert (folder / "report.md").read_text() == markdown_visits(trial)


def test_markdown_says_growth_and_plateau(trial: VisitTrial) -> None:
    """What grows while the history fills is said, and that it is level afterwards."""
    text = markdown_visits(trial)
    assert "Reads: grows while the history fills; afterwards no change is shown" in text
    assert "Store: is not shown to grow while the history fills" in text
    assert "scan of 14 days" in text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (MADE, "Passed: 320 visits, answers of 1,280 tiles equal to the truth."),
        (replace(MADE, failed=((3, 1),)), "1 try failed and was repeated."),
        (replace(MADE, wrong=((9, 0),)), "Failed: phase visits: 1 of 1,280 tiles were answered wrongly."),
    ],
)
def test_verdict(made: MadeVisits, said: str) -> None:
    """Whether all answers were right is the first sentence."""
    assert said in verdict_of_visits(made_visit_trial(made))


def test_stopped_run_says_how_to_go_on(trial: VisitTrial) -> None:
    """A run that Ctrl-C ended is no result."""
    partial = replace(trial, summary=trial.summary.model_copy(update={"is_partial": True}))
    assert verdict_of_visits(partial).startswith("Stopped early: 320 visits")


def test_page_of_few_visits_and_of_none() -> None:
    """Ten visits have no lines and no forecast; none have no figures; both have a page."""
    assert "Forecast" not in render_visits(made_visit_trial(MadeVisits(visits=10)))
    made = made_visit_trial(MadeVisits(visits=3))
    empty = VISIT_SAMPLES.empty_table()
    nothing = replace(made, samples=empty, summary=summarise_visits(empty, {"visits": FACTS}))
    assert "Failed: no tile was sent." in render_visits(nothing)


def test_slow_driver_is_said() -> None:
    """More than a tenth of the tiles' time without an operation is a caution, on the page and in the Markdown."""
    slow, said = made_visit_trial(replace(MADE, visits=40, driver_s=0.2)), "own work was more than 10"
    assert said in render_visits(slow)
    assert said in markdown_visits(slow)
    assert said not in markdown_visits(made_visit_trial(replace(MADE, visits=40)))


def test_nodes_are_drawn_with_one_over_n() -> None:
    """A point for each number of nodes, and a broken line in inverse proportion."""
    found = nodes_figure([NodePoint("InnoDB", 1, 0.2), NodePoint("InnoDB", 2, 0.12), NodePoint("Aria", 1, 0.3)])
    assert "InnoDB" in found.wide
    assert "nodes" in found.narrow
