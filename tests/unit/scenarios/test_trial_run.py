"""Trials of one workload against several targets."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.own_workload import own_workload

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.target import NullTarget, Target, TargetAnswer
from skyshard.bench.trial import run_trial
from skyshard.bench.workload.workload import read_workload
from skyshard.scenarios import trial_run
from skyshard.scenarios.open_target import AskedOf
from skyshard.scenarios.trial_run import TrialRun


class Engine(NullTarget):
    """Gives two objects where it is sampled, and one number for everything else."""

    def __init__(self, name: str, number: int = 1) -> None:
        super().__init__()
        self.name, self.number = name, number
        self.asked: list[str] = []
        self.is_closed = False

    def run(self, sql: str, database: str) -> TargetAnswer:
        if "%" in sql:
            columns = sql.partition("FROM")[0].count(",") + 1
            return TargetAnswer.of(pa.table({f"c{place}": [1, 2] for place in range(columns)}))
        if not sql.startswith("SELECT COUNT(*) AS n"):
            self.asked.append(sql)
        return TargetAnswer.of(pa.table({"n": [self.number]}))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    """Targets that are opened by these names; reports are not drawn."""
    found = {"a:1": Engine("a"), "b:1": Engine("b"), "b:2": Engine("b", 2)}

    def opened(spec: str, cluster: Path, watcher: Watcher, asked: AskedOf) -> Target:
        return found[spec]

    def write_pages(trial: Trial, folder: Path) -> Path:
        (folder / "report.html").touch()
        return folder / "report.html"

    monkeypatch.setattr(trial_run, "open_target", opened)
    monkeypatch.setattr(run_trial, "write_pages", write_pages)
    return found


def asked_of(out: Path, *targets: str) -> TrialRun:
    file = own_workload(out.parent / "own", "SELECT {{ Object.ra }} FROM {{ Object.table }} WHERE x = {{ id }}")
    return TrialRun(file, read_workload(file), out, "d", targets, out / "no-cluster")


def test_all_targets_are_asked_the_same_and_compared_with_the_first(tmp_path: Path, engines: dict[str, Engine]) -> None:
    """One folder a target, one summary a target; the third answers otherwise and does not pass."""
    found = asked_of(tmp_path / "out", *engines).run(unwatched)
    assert [str(one.folder.relative_to(tmp_path)) for one in found.values()] == ["out/a", "out/b", "out/b-2"]
    assert set(engines["a:1"].asked) == set(engines["b:1"].asked) == set(engines["b:2"].asked)
    oracles = [json.loads((one.folder / "manifest.json").read_text())["oracle"] for one in found.values()]
    assert oracles == ["", "a", "a"]
    wrong = [sum(one.wrong for one in result.summary.classes) for result in found.values()]
    assert wrong[:2] == [0, 0]
    assert wrong[2] == found["b:2"].summary.n
    assert all(one.page.exists() for one in found.values())
    assert all(engine.is_closed for engine in engines.values())


def test_a_single_target_without_an_oracle_has_to_say_so(tmp_path: Path, engines: dict[str, Engine]) -> None:
    """A workload that checks answers is refused before anything is asked; with --no-check it runs."""
    with pytest.raises(UserError, match="name a second --target, or give --no-check"):
        asked_of(tmp_path / "out", "a:1").run(unwatched)
    assert engines["a:1"].asked == []
    assert engines["a:1"].is_closed
    assert not (tmp_path / "out").exists()


def test_targets_after_one_that_was_stopped_are_not_asked(tmp_path: Path, engines: dict[str, Engine]) -> None:
    """Ctrl-C ends the whole run; the trial that it came in is kept as partial."""

    def stop(progress: object) -> None:
        if getattr(progress, "stage", "") == "checking answers":
            raise KeyboardInterrupt

    found = asked_of(tmp_path / "out", *engines).run(stop)
    assert {spec: one.summary.is_partial for spec, one in found.items()} == {"a:1": False, "b:1": True}
    assert engines["b:2"].asked == []
