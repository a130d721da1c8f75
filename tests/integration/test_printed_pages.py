"""Pages of trials and experiments, printed by a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.browser import chromium, open_browser

from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.pages.experiment_page import write_experiment

pytestmark = [pytest.mark.integration, pytest.mark.skipif(chromium() is None, reason="no Chromium is installed")]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "pool" / "experiment.json"


def test_tables_that_are_folded_on_the_screen_are_printed(tmp_path: Path) -> None:
    """Paper cannot be clicked: what a heading folds away stands below it."""

    page = write_experiment(ExperimentResult.model_validate_json(EXAMPLE.read_bytes()), tmp_path)
    is_seen = "document.querySelector('details:not([open]) table').checkVisibility({contentVisibilityAuto: true})"
    with open_browser() as browser:
        browser.open(page.as_uri())
        assert browser.evaluate(is_seen) is False
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.evaluate(is_seen) is True
