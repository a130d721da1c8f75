"""Commands of the bench on folders of trials of visits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.visit_trials import MadeVisits, made_visit_trial
from typer.testing import CliRunner, Result

from skyshard.basics.errors import UserError
from skyshard.bench.record.visit_csv import COLUMNS
from skyshard.bench.record.visit_trial import write_visit_trial
from skyshard.cli.app import app

MADE = MadeVisits(visits=60, window=30, tiles=2, noise=0.02)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("trials")
    found = []
    for number, made in enumerate((MADE, replace(MADE, seed=2), replace(MADE, seed=3, wrong=((4, 0),)))):
        folder = out / f"t{number}"
        folder.mkdir()
        write_visit_trial(made_visit_trial(made, day=number), folder)
        found.append(folder)
    return found


def _bench(*words: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


def test_export_writes_a_line_a_visit(folders: list[Path], tmp_path: Path) -> None:
    """To standard output, or to a file that is named afterwards."""
    shown = _bench("export", folders[0])
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert len(lines) == 61
    file = tmp_path / "visits.csv"
    assert "60 visits" in _bench("export", folders[0], "--csv", file).stdout
    assert file.read_text() == shown.stdout


@pytest.mark.parametrize("words", [["--phase", "other"], []])
def test_export_refuses_what_is_not_there(folders: list[Path], tmp_path: Path, words: list[str]) -> None:
    """A phase that is none, and a folder without visits: exit code 2."""
    folder = folders[0] if words else tmp_path
    found = _bench("export", folder, *words)
    assert found.exit_code != 0
    assert "other" in str(found.exception) if words else "no trial of visits" in str(found.exception)


def test_report_is_rendered_again(folders: list[Path]) -> None:
    """`bench report` knows a folder of visits."""
    assert _bench("report", folders[0]).exit_code == 0
    assert "Skyshard visits report" in (folders[0] / "report.html").read_text()


def test_compare_says_no_verdict_of_two_trials_and_a_regression_of_wrong_answers(
    folders: list[Path], tmp_path: Path
) -> None:
    """One trial a side is no verdict; wrong answers are one, with exit code 1."""
    plain = _bench("compare", folders[1], "--against", folders[0], "--out", tmp_path / "a")
    assert plain.exit_code == 0
    assert "No verdict" in plain.stdout
    wrong = _bench("compare", folders[2], "--against", folders[0], "--out", tmp_path / "b", "--json")
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout)["losses"][0]["what"] == "tiles answered wrongly"
    assert "Levels and slopes" in (tmp_path / "b" / "comparison.html").read_text()


def test_trend_follows_levels(folders: list[Path], tmp_path: Path) -> None:
    """A series for each kind of work; a newest trial that answers wrongly ends with 1."""
    found = _bench("trend", *folders[:2], "--out", tmp_path / "trend")
    assert found.exit_code == 0
    assert "DiaSource select" in found.stdout
    assert _bench("trend", *folders, "--out", tmp_path / "trend").exit_code == 1


def test_trials_of_queries_and_of_visits_do_not_go_together(folders: list[Path], tmp_path: Path) -> None:
    """One line that names the folder which is none."""
    found = _bench("compare", folders[0], "--against", tmp_path)
    assert found.exit_code != 0
    assert "is no trial of visits" in str(found.exception)


def test_options_of_comparisons_hold_for_visits_too_or_are_refused(folders: list[Path], tmp_path: Path) -> None:
    """Labels and margin stand in the result; a statistic, which levels have none of, is no silent wish."""
    out = tmp_path / "compared"
    _bench("compare", folders[0], "--against", folders[1], "--out", out, "--label", "next", "--margin", "1.2")
    found = json.loads((out / "comparison.json").read_text())
    assert (found["new_label"], found["old_label"]) == ("next", "")
    assert found["margin"] == pytest.approx(0.2)
    result = _bench("trend", *folders, "--statistic", "p95", "--out", tmp_path / "trend")
    assert isinstance(result.exception, UserError)
    assert "leave it out" in str(result.exception)
