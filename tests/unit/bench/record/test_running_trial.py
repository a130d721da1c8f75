"""A trial is told while it runs, and not when it has ended, whatever ended it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from skyshard.basics.progress import Progress, Stage, unwatched
from skyshard.bench.record.running_trial import FOLDER, LATEST, RunningTrial, noticed, running_trials
from skyshard.bench.record.samples import Sample
from skyshard.host.processes import host_id, own_name


def sample(number: int, took_s: float, error: str | None = None) -> Sample:
    return Sample("one", "LV", "LV/a", "SELECT 1", 0, False, number, number, None, number + took_s, 0.0, error=error)


def left(folder: Path, process: str, said_s: float = 0.0) -> Path:
    """The file of a process."""
    (folder / FOLDER).mkdir(exist_ok=True)
    path = folder / FOLDER / f"{process.replace(' ', '-')}.json"
    told = RunningTrial(
        process=process, workload="w", target="czar", database="sky", stage="phase one", done=1, total=2,
        is_counted=True, begun_s=1.0, stage_begun_s=1.0, said_s=said_s,
    )  # fmt: skip
    path.write_text(told.model_dump_json())
    return path


def test_a_trial_is_told_with_its_phase_and_latest_latencies_until_it_ends(tmp_path: Path) -> None:
    """Errors are counted; a watcher is told what it would be told without."""
    seen: list[Progress] = []
    with noticed(tmp_path, "small", "sky", is_counted=True) as notice:
        notice.begin("czar")
        samples = [sample(n, 9.0) for n in range(5)] + [sample(n, 1.0) for n in range(LATEST - 1)]
        notice.take([*samples, sample(99, 3.0, "Timeout")], 100)
        Stage(notice.watching(seen.append), "phase one", 100).report(25)
        [told] = running_trials(tmp_path)
    assert (told.process, told.workload, told.target, told.stage) == (own_name(), "small", "czar", "phase one")
    assert (told.done, told.total, told.is_counted) == (25, 100, True)
    [one] = told.classes
    assert (one.name, one.queries, one.errors, one.last_s, one.median_s) == ("LV", LATEST + 5, 1, 3.0, 1.0)
    assert [progress.done for progress in seen] == [25]
    assert list((tmp_path / FOLDER).iterdir()) == []


@pytest.mark.parametrize(("is_counted", "planned"), [(True, 0), (False, 50)])
def test_what_is_not_known_of_a_phase_is_not_told(tmp_path: Path, is_counted: bool, planned: int) -> None:
    """The end of one that ends by the clock; what driver processes have done before its end."""
    with noticed(tmp_path, "small", "sky", is_counted=is_counted) as notice:
        notice.take([], planned)
        notice.watching(unwatched)(Progress("phase one", 3, 4))
        [told] = running_trials(tmp_path)
        assert (told.total, told.is_counted) == (planned, is_counted)
        notice.watching(unwatched)(Progress("checking answers", 3, 4))
        [told] = running_trials(tmp_path)
        assert (told.total, told.is_counted) == (4, True)


def test_what_killed_trials_left_is_passed_over_and_removed_by_the_next(tmp_path: Path) -> None:
    """Also where the number of its process is another's by now; those of other hosts count while they say something."""
    gone = left(tmp_path, f"{host_id()} 1 1")
    silent = left(tmp_path, "elsewhere 1 1")
    alive = left(tmp_path, "elsewhere 2 1", said_s=time.time())
    (tmp_path / FOLDER / "odd.json").write_text("{")
    assert [one.process for one in running_trials(tmp_path)] == ["elsewhere 2 1"]
    with noticed(tmp_path, "small", "sky", is_counted=True):
        assert [path.exists() for path in (gone, silent, alive)] == [False, False, True]


def test_a_trial_without_a_cluster_tells_nobody(tmp_path: Path) -> None:
    """No folder is made, and nothing fails."""
    with noticed(tmp_path / "nowhere", "small", "sky", is_counted=True) as notice:
        notice.watching(unwatched)(Progress("phase one", 0, 4))
    assert not (tmp_path / "nowhere").exists()
    assert running_trials(tmp_path / "nowhere") == []
