"""Experiments of visits on real stores: a file, and the nodes of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.scenarios.experiment.run_experiment import run_experiment
from skyshard.scenarios.experiment.visit_experiment import check_visits, is_of_visits

WORKLOAD = """
version: 1
name: few
description: A few visits.
database: apdb
seed: 5
phases:
  - name: visits
    visits:
      count: 16
      fields: 2
      fov_deg: 0.4
      tiles: 1
      per_visit: {variable: 5, noise: 2}
      history: {months: 1, visits_per_month: 8}
"""
HEAD = "version: 1\nname: backends\nworkload: few.yaml\ntrials: 1\n"


def _file(folder: Path, text: str) -> Path:
    (folder / "few.yaml").write_text(WORKLOAD)
    path = folder / "backends.yaml"
    path.write_text(HEAD + text)
    return path


def test_backends_stand_on_one_page_and_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    """A file and a cluster store the same visits and read the same rows; nothing is left but the trials."""
    file = _file(tmp_path, "cells:\n  file: {target: sqlite, columns: needed}\n  node: {target: cluster, nodes: 1}\n")
    out = tmp_path / "out"
    found = run_experiment(file, out)
    assert found.is_good, found.result.failures
    first, second = found.result.visits
    assert (first.wrong, second.wrong) == (0, 0)
    assert first.rows == second.rows > 0
    assert not list((out / "stores").iterdir())
    page = found.page.read_text()
    assert "courses-0" in page
    before = (out / "trials" / "b01-c01" / "numbers.json").stat().st_mtime_ns
    assert run_experiment(file, out).is_good
    assert (out / "trials" / "b01-c01" / "numbers.json").stat().st_mtime_ns == before


def test_a_backend_that_fails_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    """A store that is not there fails the trials of its cell by name; the other cell has its numbers."""
    file = _file(tmp_path, "cells:\n  file: {target: sqlite}\n  odd: {target: mariadb, engine: MyISAM}\n")
    found = run_experiment(file, tmp_path / "out")
    assert not found.is_good
    assert [one.label for one in found.result.visits] == ["file"]
    assert found.result.failures[0].startswith("odd: block 1: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recipe: mini\nfactors: {columns: [all, needed]}\n", "'recipe' is no factor of visits"),
        ("factors: {workload: [few.yaml, quick]}\n", "'workload' is a factor, and held"),
        ("cells:\n  a: {target: sqlite}\n  b: {target: sqlite, nodes: 3}\n", "'nodes' contradicts target sqlite"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """Before anything is made: file, line, remedy."""
    read = read_experiment(_file(tmp_path, text))
    assert is_of_visits(read)
    with pytest.raises(UserError, match=words):
        check_visits(read)


def test_cold_trials_of_visits_are_refused(tmp_path: Path) -> None:
    """A store is empty when its trial begins."""
    file = _file(tmp_path, "factors: {columns: [all, needed]}\n")
    with pytest.raises(UserError, match="drop --cold"):
        run_experiment(file, tmp_path / "out", is_cold=True)
