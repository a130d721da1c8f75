"""Comparisons as a page, as Markdown and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.bench_trials import made_trial
from tests.support.svg_texts import unreadable

from skyshard.bench.compare.class_change import Interval
from skyshard.bench.compare.comparison import Comparison, compare_trials
from skyshard.bench.pages.comparison_page import (
    html,
    interval,
    markdown,
    ratios_figure,
    report_links,
    status,
    verdict,
    write_comparison,
)
from skyshard.bench.record.trial_folder import Trial

pytestmark = pytest.mark.timeout(30)


def side(name: str, count: int, seed: int, factor: float = 1.0) -> list[tuple[str, Trial]]:
    return [(f"{name}{i}", made_trial(seed + i, factor)) for i in range(count)]


def test_the_three_forms_agree(tmp_path: Path) -> None:
    """JSON reads back; HTML asks nothing of the network; Markdown has a row for each class."""
    found = compare_trials(side("new", 2, 1), side("old", 2, 50))
    page = write_comparison(found, tmp_path).read_text()
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_text()) == found
    assert "http:" not in page
    assert "https:" not in page
    assert "<script" not in page
    assert verdict(found) in markdown(found)
    assert markdown(found).count("\n| ") >= len(found.classes) + 1
    assert html(found) == page


def test_a_regression_is_in_the_verdict_with_its_reason() -> None:
    """The line at the end of the command names class, phase and reason; without one it counts the classes."""
    found = compare_trials(side("new", 4, 1, 3.0), side("old", 4, 50))
    assert verdict(found).startswith("Regression beyond 1.1 ×: ")
    for name in ("LV (one)", "FTSObj (one)"):
        assert name in verdict(found)
    assert verdict(compare_trials(side("new", 4, 1), side("old", 4, 1))).startswith("No regression beyond 1.1 ×: 2 ")


def test_few_trials_are_said_to_be_inconclusive_and_get_no_green_tick() -> None:
    """Two a side cannot tell: the verdict says so with the remedy, the page is not marked as passed."""
    found = compare_trials(side("new", 2, 1, 3.0), side("old", 2, 50))
    assert verdict(found).startswith("Inconclusive, no regression shown beyond 1.1 ×: 2 inconclusive.")
    assert "Run at least 4 a side" in verdict(found)
    assert status(found) == "partial"
    assert status(compare_trials(side("new", 4, 1), side("old", 4, 1))) == "passed"


def test_no_p_is_shown_as_zero() -> None:
    """Eight trials of four times as long: p stands as below a thousandth, in all forms."""
    found = compare_trials(side("new", 8, 1, 4.0), side("old", 8, 50))
    assert min(one.p_median for one in found.classes) > 0
    assert "&lt; 0.001" in html(found)
    assert "< 0.001" in markdown(found)


def test_intervals_are_written_with_three_digits() -> None:
    """The ratio, and both ends of its interval."""
    assert interval(Interval(value=1.2096, low=1.15, high=1.28)) == "1.21 (1.15 to 1.28)"


@pytest.mark.parametrize("factor", [1.0, 3.0, 40.0])
def test_the_figure_of_ratios_can_be_read(factor: float) -> None:
    """However far the ratios reach, no tick is printed over another and no label is cut, wide and narrow."""
    found = compare_trials(side("new", 2, 1, factor), side("old", 2, 50))
    drawn = ratios_figure(found.classes, found.margin)
    assert unreadable(drawn.wide) == []
    assert unreadable(drawn.narrow) == []


def test_labels_and_settings_of_both_sides_are_on_the_page() -> None:
    """The sides are called by their labels; revision, date and machine of both are said, and each template's ratio."""
    found = compare_trials(side("new", 4, 1), side("old", 4, 50), labels=("with index", ""))
    for text in (html(found), markdown(found)):
        assert "with index against old0" in text or "with index against 4 trials" in text
        for said in ("2026-07-01", "x, 2 cores", "aaa", "FTSObj/extent"):
            assert said in text.replace("<wbr>", "")
    assert [one.template for one in found.templates][:2] == ["LV/cone", "LV/object_by_id"]
    assert "SELECT" in html(found)


def test_links_to_reports_are_relative(tmp_path: Path) -> None:
    """From the comparison's folder to the trial's; a trial without a report has none."""
    for name in ("a b", "none"):
        (tmp_path / "trials" / name).mkdir(parents=True)
    (tmp_path / "trials" / "a b" / "report.html").touch()
    folders = {name: tmp_path / "trials" / name for name in ("a b", "none")}
    assert report_links(folders, tmp_path / "out") == {"a b": "../trials/a%20b/report.html"}
