"""The commands of the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.bench_trials import made_trial
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.record.write_trial import write_trial
from skyshard.cli.app import app

pytestmark = pytest.mark.timeout(60)  # a Felis schema takes seconds to read


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qick"], "there is no workload"),
        (["quick", "--schema", "hsc"], "give --leave-out FTSFSrc,joinObjFSrc,joinObjSrc"),
        (["quick", "--schema", "nope"], "there is no schema 'nope'"),
        (["quick", "--leave-out", "nope"], "no class 'nope'"),
        (["quick", "--leave-out", "LV/nope"], "no template 'LV/nope'"),
        (["quick", "--out", "{file}"], "not an empty folder"),
        (["quick", "--out", "{file}/x"], "cannot write"),
    ],
)
def test_bench_run_looks_at_its_inputs_before_it_asks_for_a_cluster(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    """There is none here, and that is not what it says."""
    (tmp_path / "file").touch()
    arguments = [one.format(file=tmp_path / "file") for one in arguments]
    found = CliRunner().invoke(app, ["bench", "run", *arguments, "--cluster", str(tmp_path / "none")])
    assert words in str(found.exception)
    assert isinstance(found.exception, UserError)


def test_bench_report_renders_a_folder(tmp_path: Path) -> None:
    """The command prints the path of the page, and makes it from the folder alone."""
    write_trial(tmp_path, made_trial(1))
    result = CliRunner().invoke(app, ["bench", "report", str(tmp_path)])
    assert result.exit_code == 0
    assert result.output.strip().endswith("report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_bench_run_names_the_shipped_workloads_when_it_knows_no_such_one() -> None:
    """An unknown workload is a user's error with the choices."""
    result = CliRunner().invoke(app, ["bench", "run", "no-such"])
    assert isinstance(result.exception, UserError)
    assert "quick" in str(result.exception)


def test_bench_compare_and_trend_print_their_verdicts(tmp_path: Path) -> None:
    """Both read trial folders alone, and name the page that they wrote."""
    folders = [str(tmp_path / name) for name in ("a", "b", "c", "d")]
    for number, folder in enumerate(folders):
        Path(folder).mkdir()
        write_trial(Path(folder), made_trial(number + 1))
    out = ["--out", str(tmp_path / "out")]
    compared = CliRunner().invoke(app, ["bench", "compare", *folders[:2], "--against", *folders[2:], *out])
    assert "ratio of medians" in compared.output, compared.exception
    assert f"report: {tmp_path}/out/comparison.html" in compared.output
    followed = CliRunner().invoke(app, ["bench", "trend", *folders, *out])
    assert "last p50" in followed.output, followed.exception
    assert f"report: {tmp_path}/out/trend.html" in followed.output
