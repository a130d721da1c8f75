"""``skyshard bench report``, ``compare`` and ``trend`` read trial folders alone."""

from __future__ import annotations

from pathlib import Path

from tests.support.bench_trials import made_trial
from typer.testing import CliRunner

from skyshard.bench.record.write_trial import write_trial
from skyshard.cli.app import app


def test_bench_report_renders_a_folder(tmp_path: Path) -> None:
    """The command prints the path of the page, and makes it from the folder alone."""
    write_trial(tmp_path, made_trial(1))
    result = CliRunner().invoke(app, ["bench", "report", str(tmp_path)])
    assert result.exit_code == 0
    assert result.output.strip().endswith("report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


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
