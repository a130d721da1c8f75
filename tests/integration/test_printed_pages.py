"""Pages of trials and experiments, printed by a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.browser import chromium, open_browser
from tests.support.visit_trials import MadeVisits, made_visit_trial

from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.pages.experiment_page import write_experiment
from skyshard.bench.pages.report import render_report
from skyshard.bench.pages.visit_page import write_visit_report
from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.record.visit_trial import write_visit_trial

pytestmark = [pytest.mark.integration, pytest.mark.skipif(chromium() is None, reason="no Chromium is installed")]
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PAPER = 718
"""Width of a sheet of A4 between its margins, in pixels of a page."""


def test_tables_that_are_folded_on_the_screen_are_printed(tmp_path: Path) -> None:
    """Paper cannot be clicked: what a heading folds away stands below it."""
    page = write_experiment(
        ExperimentResult.model_validate_json((EXAMPLES / "pool" / "experiment.json").read_bytes()), tmp_path
    )
    is_seen = "document.querySelector('details:not([open]) table').checkVisibility({contentVisibilityAuto: true})"
    with open_browser() as browser:
        browser.open(page.as_uri())
        assert browser.evaluate(is_seen) is False
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.wait_for(is_seen)  # laid out anew for paper, at its next frame


def test_tables_of_a_trial_fit_paper(tmp_path: Path) -> None:
    """None is cut at the right margin, nor makes the browser print the page smaller."""
    page = tmp_path / "report.html"
    page.write_text(render_report(read_trial(EXAMPLES / "kpm-50")), encoding="utf-8")
    widths = "[...document.querySelectorAll('table')].map(one => one.getBoundingClientRect().right)"
    with open_browser() as browser:
        browser.look(PAPER, 900)
        browser.open(page.as_uri())
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.wait_for(f"Math.max(...{widths}) <= {PAPER + 1}")


def test_tables_of_visits_fit_paper(tmp_path: Path) -> None:
    """Backends side by side, medians of many classes, published runs: the widest tables that there are."""
    example = (EXAMPLES / "apdb-backends" / "experiment.json").read_bytes()
    pages = [write_experiment(ExperimentResult.model_validate_json(example), tmp_path)]
    folder = tmp_path / "trial"
    folder.mkdir()
    write_visit_trial(made_visit_trial(MadeVisits(visits=320, tiles=2)), folder)
    pages.append(write_visit_report(folder))
    widths = "[...document.querySelectorAll('table')].map(one => one.getBoundingClientRect().right)"
    with open_browser() as browser:
        browser.look(PAPER, 900)
        for page, tables in zip(pages, (5, 8), strict=True):
            browser.open(page.as_uri())
            browser.call("Emulation.setEmulatedMedia", media="print")
            browser.wait_for(f"{widths}.length >= {tables}")
            browser.wait_for(f"Math.max(...{widths}) <= {PAPER + 1}")
            browser.call("Emulation.setEmulatedMedia", media="")
