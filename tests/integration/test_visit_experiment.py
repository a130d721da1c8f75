"""Experiments of visits on real stores: a file, and the nodes of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.visit_trials import FACTS as MADE_FACTS
from tests.support.visit_trials import MadeVisits, made_samples

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.bench.record.visit_summary import summarise_visits
from skyshard.bench.record.visit_trial import read_visit_trial
from skyshard.host.shipped_data import data_file
from skyshard.scenarios.experiment.run_experiment import run_experiment
from skyshard.scenarios.experiment.visit_experiment import _require_visits, check_visits, is_of_visits

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
FACTS = {"visits": MADE_FACTS}
HEAD = "version: 1\nname: backends\nworkload: few.yaml\ntrials: 1\n"


def _file(folder: Path, text: str) -> Path:
    (folder / "few.yaml").write_text(WORKLOAD)
    mini = data_file("synth", "recipes", "mini.yaml").read_text()
    far = mini.replace("name: mini", "name: far").replace(
        "[357.5, 2.5], dec_deg: [-2.7, 3.0]", "[10, 10.9], dec_deg: [0, 0.9]"
    )
    (folder / "far.yaml").write_text(far)
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


def test_a_recipe_gives_the_variable_objects_of_a_cell(tmp_path: Path) -> None:
    """Fields lie in its footprint, every answer is right, and the trial says how many objects each field has of it."""
    file = _file(tmp_path, "factors: {recipe: [mini, tiny]}\n")
    out = tmp_path / "out"
    found = run_experiment(file, out)
    assert found.is_good, found.result.failures
    assert [one.wrong for one in found.result.visits] == [0, 0]
    for cell, name in ((1, "mini"), (2, "tiny")):
        trial = read_visit_trial(out / "trials" / f"b01-c0{cell}")
        assert trial.manifest.catalog["recipe"] == name
        counts = trial.manifest.catalog["variable_objects"]
        assert isinstance(counts, list)
        assert 0 < sum(counts) <= 2 * 5
    again = json.loads((out / "plan.json").read_text())["inputs"]
    assert {"recipe mini few.yaml", "recipe tiny few.yaml"} <= set(again)


def test_an_experiment_is_the_same_from_whichever_folder_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recipes beside it, or beside its workload, are known by their names there: a run goes on from anywhere."""
    file = _file(tmp_path, "factors: {recipe: [mini, sky.yaml]}\n")
    (tmp_path / "sky.yaml").write_text(data_file("synth", "recipes", "mini.yaml").read_text())
    (tmp_path / "own.yaml").write_text(WORKLOAD.replace("count: 16", "recipe: sky.yaml\n      count: 16"))
    own = tmp_path / "of_workload.yaml"
    own.write_text(HEAD.replace("few.yaml", "own.yaml") + "factors: {columns: [all, needed]}\n")
    there = [check_visits(read_experiment(one)).inputs for one in (file, own)]
    monkeypatch.chdir(tmp_path)
    assert [check_visits(read_experiment(Path(one.name))).inputs for one in (file, own)] == there
    assert {name for one in there for name in one if name.startswith("recipe")} == {
        "recipe mini few.yaml", "recipe sky.yaml few.yaml", "recipe of workload own.yaml",
    }  # fmt: skip


def test_workloads_of_one_name_are_each_checked(tmp_path: Path) -> None:
    """The second one's fields have no object of the recipe: refused before anything is made."""
    file = _file(tmp_path, "")
    (tmp_path / "other.yaml").write_text(WORKLOAD.replace("fields: 2", "fields: [[180.0, -60.0]]"))
    file.write_text(
        HEAD.replace("workload: few.yaml\n", "") + "recipe: mini\nfactors: {workload: [few.yaml, other.yaml]}\n"
    )
    with pytest.raises(UserError, match="has no variable object in any of the 1 fields"):
        check_visits(read_experiment(file))


def test_a_backend_that_fails_is_said_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is not there fails the trials of its cell by name; the other cell has its numbers."""
    monkeypatch.setenv("SKYSHARD_POSTGRESQL", str(tmp_path))
    file = _file(tmp_path, "cells:\n  file: {target: sqlite}\n  odd: {target: postgresql}\n")
    found = run_experiment(file, tmp_path / "out")
    assert not found.is_good
    assert [one.label for one in found.result.visits] == ["file"]
    assert found.result.failures[0].startswith(f"odd: block 1: no PostgreSQL in '{tmp_path}'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recipe: nope\nfactors: {columns: [all, needed]}\n", "no recipe 'nope'"),
        ("factors: {recipe: [mini, far.yaml]}\n", "recipe 'far' has no variable object in any of the 2 fields"),
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


@pytest.mark.parametrize(
    ("option", "given"),
    [("--cold", {"is_cold": True}), ("--keep", {"keeps_clusters": True}), ("--disk-budget", {"disk_budget_bytes": 1})],
)
def test_options_that_visits_have_no_use_for_are_refused(tmp_path: Path, option: str, given: dict[str, Any]) -> None:
    """A store is empty when its trial begins, and gone when it has ended: an option that does nothing is no answer."""
    file = _file(tmp_path, "factors: {columns: [all, needed]}\n")
    with pytest.raises(UserError, match=f"drop {option}"):
        run_experiment(file, tmp_path / "out", **given)


def test_a_trial_without_a_whole_visit_failed(tmp_path: Path) -> None:
    """Its cell has no numbers; it would be the fastest, with a visit of 0 s."""
    with pytest.raises(RuntimeError, match=r"no visit ended whole \(phase visits\)"):
        _require_visits(summarise_visits(made_samples(MadeVisits(visits=2, tiles=1, lost=((0, 0), (1, 0)))), FACTS))
