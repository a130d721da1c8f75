"""``skyshard bench run`` with visits on a SQLite store: numbers, going on after kill -9, reading only, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from tests.support.small_visits import small_workload
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.record.visit_trial import read_visit_trial
from skyshard.bench.visits.visit_record import UNFINISHED
from skyshard.cli.app import app

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """Thirty visits of 2 x 2 tiles over seven months, three of which are read."""
    return written(tmp_path, 30)


def written(folder: Path, count: int) -> Path:
    path = folder / "small.yaml"
    content = small_workload({"count": count, "overlap": 2}).model_dump(by_alias=True, mode="json")
    path.write_text(yaml.safe_dump(content))
    return path


def words(workload: Path, folder: Path, *more: str) -> list[str]:
    target = f"sqlite:{folder / 'apdb.db'}"
    cluster = str(folder / "no-cluster")
    return [
        "bench",
        "run",
        str(workload),
        "--target",
        target,
        "--out",
        str(folder / "out"),
        "--cluster",
        cluster,
        *more,
    ]


def run(workload: Path, folder: Path, *more: str) -> dict[str, Any]:
    """The summary of a run that has to end well."""
    result = CliRunner().invoke(app, words(workload, folder, "--json", *more))
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_visits_killed_in_the_middle_go_on_and_lose_nothing(workload: Path, tmp_path: Path) -> None:
    """After kill -9 the same command with --resume ends whole: every answer right, every tile stored once.

    Its tiles are two processes before and after, those of the run that it is compared with are threads. What has no
    samples is named.
    """
    command = [str(Path(sys.executable).with_name("skyshard")), *words(workload, tmp_path, "--processes", "2")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    record = tmp_path / "out" / UNFINISHED
    while process.poll() is None and not (record.exists() and record.stat().st_size > 40_000):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert record.exists(), "it was killed too late"
    summary = run(workload, tmp_path, "--resume")
    (phase,) = summary["phases"]
    assert phase["wrong"] == 0
    assert phase["lost"] == 0
    assert phase["visits"] >= 25  # but for those under way, whose samples are gone
    gone = sum(one["count"] for one in summary["odd"] if "samples were lost" in one["what"])
    assert phase["compared"] + gone == 30 * 4
    assert read_visit_trial(tmp_path / "out").manifest.driver["processes"] == 2
    assert (tmp_path / "out" / "report.html").exists()
    run(workload, make(tmp_path / "whole"), "--no-page")
    assert not (tmp_path / "whole" / "out" / "report.html").exists()
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "whole" / "out")


def test_a_process_of_tiles_that_dies_ends_the_run_which_goes_on(tmp_path: Path) -> None:
    """The command says so; nothing that was stored is lost, and Ctrl-C comes to no process of tiles."""
    workload = written(tmp_path, 12)
    command = [str(Path(sys.executable).with_name("skyshard")), *words(workload, tmp_path, "--processes", "2")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    record = tmp_path / "out" / UNFINISHED
    while process.poll() is None and not (record.exists() and record.stat().st_size > 15_000):
        time.sleep(0.02)
    tiles = [one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    assert len(tiles) == 2
    tiles[0].send_signal(signal.SIGINT)
    tiles[1].kill()
    _, said = process.communicate()
    assert "a process of tiles died" in said
    assert process.returncode == 3
    psutil.wait_procs(tiles, 30)
    (phase,) = run(workload, tmp_path, "--resume", "--processes", "2")["phases"]
    assert (phase["wrong"], phase["lost"]) == (0, 0)
    driver = read_visit_trial(tmp_path / "out").manifest.driver
    assert (driver["runtime"], driver["processes"], driver["resumed"]) == ("processes", 2, 1)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def rows_of(folder: Path) -> dict[str, int]:
    """Rows of each table when a trial had ended."""
    sizes: Any = read_visit_trial(folder).manifest.catalog["sizes"]
    return {name: one["rows"] for name, one in sizes.items()}


def test_what_cannot_be_run_is_refused_in_one_line(workload: Path, tmp_path: Path) -> None:
    """No store, several, options of queries, of visits, another store's visits, a bad setting: an error of the user."""
    queries = ["bench", "run", "quick", "--visits", "3"]
    for given, message in (
        (words(workload, tmp_path)[:3], "sends its visits to one store; given: no target"),
        ([*words(workload, tmp_path), "--target", "sqlite:other.db"], "given: 2 targets"),
        ([*words(workload, tmp_path), "--duration", "3"], "does not take --duration"),
        ([*words(workload, tmp_path), "--scan", "rows"], "does not take --scan"),
        ([*words(workload, tmp_path), "--store", "upsert"], "not NAME=VALUE"),
        ([*words(workload, tmp_path), "--store", "size=3"], "no setting 'size' of a store"),
        ([*words(workload, tmp_path), "--resume"], "name the folder of a trial"),
        (queries, "a workload of queries does not take --visits"),
    ):
        result = CliRunner().invoke(app, given)
        assert isinstance(result.exception, UserError), result.output
        assert message in str(result.exception)
