"""Projections look at their inputs first; catalogs of profiles have the sizes that were measured."""

import json
import shutil
from pathlib import Path

import pytest
from tests.support.planted_costs import planted_trials

from skyshard.basics.errors import UserError
from skyshard.bench.record.trial_folder import MANIFEST
from skyshard.bench.record.visit_trial import VISITS
from skyshard.bench.record.write_trial import write_trial
from skyshard.scenarios.projection_run import ProjectionRun, size_of, trial_folders
from skyshard.synth.recipe.release_profile import read_profile


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of planted trials, as a calibration leaves it."""
    folder = tmp_path_factory.mktemp("trials")
    for name, trial in planted_trials():
        (folder / name).mkdir()
        write_trial(folder / name, trial)
    return folder


def test_a_projection_is_written_with_its_page(trials: Path, tmp_path: Path) -> None:
    """From the folder of all trials: JSON, Markdown and HTML, the distance in words."""
    found, page = ProjectionRun(tuple(trial_folders([trials]))).run(tmp_path / "out")
    assert [one.class_name for one in found.classes] == ["LV", "FTSObj", "FTSSrc", "FTSFSrc", "joinObjSrc", "nearN"]
    assert page is not None
    text = page.read_text()
    assert "times as many" in text
    assert "https:" not in text
    assert "FTSFSrc" in (tmp_path / "out" / "projection.md").read_text()
    assert (tmp_path / "out" / "projection.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fraction": 0.0}, "not in"),
        ({"nodes": 5000}, "5000 nodes"),
        ({"hardware": "nope"}, "no hardware 'nope'"),
        ({"hardware": "nvme-2026"}, "0 nodes"),
        ({"profile": "nope"}, "no profile 'nope'"),
        ({"load": "nope"}, "no workload 'nope'"),
    ],
)
def test_wrong_inputs_are_refused(trials: Path, change: dict[str, object], words: str) -> None:
    """In one line each."""
    with pytest.raises(UserError, match=words):
        ProjectionRun(tuple(trial_folders([trials])), **change).run()  # type: ignore[arg-type]


def test_trials_of_visits_and_of_empty_catalogs_are_refused(trials: Path, tmp_path: Path) -> None:
    """By name: the first was said to lack a key, the second was a size like others."""
    of_visits, empty = tmp_path / "visits", tmp_path / "empty"
    for folder in (of_visits, empty):
        shutil.copytree(trials / "warm0", folder)
    (of_visits / VISITS).touch()
    manifest = json.loads((empty / MANIFEST).read_text())
    manifest["catalog"]["rows"] = dict.fromkeys(manifest["catalog"]["rows"], 0)
    (empty / MANIFEST).write_text(json.dumps(manifest))
    for folder, words in ((of_visits, "visits' is a trial of visits"), (empty, "of a catalog without rows")):
        with pytest.raises(UserError, match=words):
            ProjectionRun((*trial_folders([trials]), folder)).run()


def test_sizes_of_published_tests_are_those_that_were_measured() -> None:
    """Twenty per cent as counted, fifty per cent in proportion."""
    profile = read_profile("kpm")
    assert size_of(profile, 0.2).rows["Object"] == 3_777_968_880
    assert size_of(profile, 0.5).rows["Object"] == pytest.approx(9.44e9, rel=0.001)


def test_a_folder_without_trials_stays_as_it_is(tmp_path: Path) -> None:
    """Reading it says what is wrong with it."""
    assert trial_folders([tmp_path]) == [tmp_path]
