"""What a release does not answer any more is named wherever releases are set side by side, and fails them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.bench_trials import made_trial, made_workload
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.compare.comparison import Comparison, compare_trials
from skyshard.bench.compare.sweep import Size, sweep_of
from skyshard.bench.compare.trend import trend_of
from skyshard.bench.pages.comparison_page import markdown, verdict, write_comparison
from skyshard.bench.pages.sweep_page import write_sweep
from skyshard.bench.pages.trend_page import write_trend
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.samples import with_durations
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.write_trial import write_trial
from skyshard.cli.app import app

pytestmark = pytest.mark.timeout(60)


def changed(trial: Trial, samples: pa.Table) -> Trial:
    """The trial with other samples, summed up anew."""
    measured = with_durations(samples.drop_columns(["latency_s", "service_s"]))
    return replace(trial, samples=measured, summary=summarise(trial.manifest.workload, measured))


def broken(trial: Trial, prefix: str, share: float = 1.0) -> Trial:
    """The trial with a share of the queries of a class, or of one template, failed."""
    table = trial.samples
    is_it = np.array([name.startswith(prefix) for name in table["template"].to_pylist()])
    chosen = np.flatnonzero(is_it)[: round(share * is_it.sum())]
    errors = np.array([None] * table.num_rows, dtype=object)
    errors[chosen] = "ClusterError"
    place = table.schema.get_field_index("error")
    return changed(trial, table.set_column(place, table.schema.field(place), pa.array(errors, pa.string())))


def without(trial: Trial, prefix: str) -> Trial:
    """The trial as if a class, or a template, had not been run."""
    keep = [not name.startswith(prefix) for name in trial.samples["template"].to_pylist()]
    return changed(trial, trial.samples.filter(pa.array(keep)))


def wrong(trial: Trial, prefix: str) -> Trial:
    """The trial with every answer of a class wrong."""
    table = trial.samples
    answers = pa.array([not name.startswith(prefix) for name in table["template"].to_pylist()])
    place = table.schema.get_field_index("answer_ok")
    return changed(trial, table.set_column(place, table.schema.field(place), answers))


def side(name: str, seed: int, count: int = 3) -> list[tuple[str, Trial]]:
    return [(f"{name}{i}", made_trial(seed + i)) for i in range(count)]


OLD = side("old", 50)


def reasons(new: list[tuple[str, Trial]], old: list[tuple[str, Trial]] = OLD) -> list[str]:
    return [f"{one.name}: {one.reason}" for one in compare_trials(new, old).regressions]


def test_a_class_that_fails_wholly_is_a_regression_in_every_form(tmp_path: Path) -> None:
    """Named in verdict, JSON, Markdown and page; what is left is compared as before."""
    found = compare_trials([(name, broken(trial, "FTSObj")) for name, trial in side("new", 1)], OLD)
    assert [one.class_name for one in found.classes] == ["LV"]
    assert "FTSObj (one): all 120 queries failed, 0 of 120 before" in verdict(found)
    page = write_comparison(found, tmp_path).read_text()
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_text()) == found
    for text in (page, markdown(found)):
        assert text.count("all 120 queries failed") == 2
    assert "| FTSObj | one | regression | 120 of 120 | 0 of 120 |" in markdown(found)


def test_a_release_that_answers_nothing_is_a_regression(tmp_path: Path) -> None:
    """Every class is named, and the page can still be made."""
    found = compare_trials([(name, broken(trial, "")) for name, trial in side("new", 1)], OLD)
    assert [one.name for one in found.regressions] == ["LV", "FTSObj"]
    assert found.headline is None
    assert "No class was answered on both sides" in write_comparison(found, tmp_path).read_text()
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_text()) == found


def test_trials_without_a_single_sample_are_a_regression() -> None:
    """As when the driver ended before it asked anything."""
    new = [(name, without(trial, "")) for name, trial in side("new", 1)]
    assert reasons(new) == [
        "LV: not run, 180 of 180 queries answered before", "FTSObj: not run, 120 of 120 queries answered before"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: without(one, "FTSObj"), "FTSObj: not run, 120 of 120 queries answered before"),
        (lambda one: broken(one, "LV/cone"), "LV/cone: all 90 queries failed, 0 of 90 before"),
        (lambda one: broken(one, "FTSObj", 0.5), "FTSObj: 60 failed queries, 0 before"),
        (lambda one: broken(one, "FTSObj", 0.05), "FTSObj: 6 failed queries, 0 before"),
        (lambda one: wrong(one, "FTSObj"), "FTSObj: 120 wrong answers, 0 before"),
    ],
)
def test_what_is_answered_less_or_less_rightly_is_a_regression(change: Callable[[Trial], Trial], reason: str) -> None:
    """A class that was not run, a query that always fails, a growing share of errors or wrong answers."""
    assert reason in reasons([(name, change(trial)) for name, trial in side("new", 1)])


def test_a_class_that_one_of_the_new_trials_lacks_is_a_regression() -> None:
    """Where all old ones had it."""
    new = side("new", 1)
    new[1] = (new[1][0], without(new[1][1], "LV"))
    assert reasons(new) == ["LV: not run in 1 of 3 trials"]


def test_shares_count_and_not_sums() -> None:
    """Five old trials have more wrong answers than three new ones that are as wrong; fewer trials are no gain."""
    old = [(name, wrong(trial, "FTSObj")) for name, trial in side("old", 50, 5)]
    assert reasons([(name, wrong(trial, "FTSObj")) for name, trial in side("new", 1, 3)], old) == []
    half = [(name, broken(trial, "FTSObj", 0.5)) for name, trial in side("old", 50, 5)]
    assert reasons([(name, broken(trial, "FTSObj", 0.8)) for name, trial in side("new", 1, 2)], half) == [
        "FTSObj: 64 failed queries, 100 before"
    ]


def test_what_failed_before_already_is_listed_and_no_regression() -> None:
    """As is what is answered now and was not before."""
    old = [(name, broken(trial, "FTSObj")) for name, trial in OLD]
    both = compare_trials([(name, broken(trial, "FTSObj")) for name, trial in side("new", 1)], old)
    assert [(one.name, one.reason) for one in both.losses] == [("FTSObj", "all 120 queries failed, 120 of 120 before")]
    better = compare_trials(side("new", 1), old)
    assert [(one.name, one.reason) for one in better.losses] == [
        ("FTSObj", "answered, where all 120 queries failed before")
    ]
    assert not both.regressions
    assert not better.regressions


def test_a_class_that_the_new_workload_does_not_have_is_listed_only() -> None:
    """With --anyway: it was left out, it did not fail."""
    new = [("new", made_trial(1, workload=made_workload(only=["LV"])))]
    found = compare_trials(new, [OLD[0]], anyway=True)
    assert found.regressions == []
    assert found.only_old == ["one FTSObj/density", "one FTSObj/extent"]


def written(trial: Trial, folder: Path) -> str:
    folder.mkdir()
    write_trial(folder, trial)
    return str(folder)


def test_the_commands_exit_with_1(tmp_path: Path) -> None:
    """compare and trend, with the class in their output; 0 for what is as it was."""
    old = [written(made_trial(50 + i, day=i), tmp_path / f"old{i}") for i in range(2)]
    new = [written(broken(made_trial(i, revision="b", day=9), "FTSObj"), tmp_path / f"new{i}") for i in range(2)]
    out = ["--out", str(tmp_path / "out")]
    for command in (["compare", *new, "--against", *old], ["trend", *old, *new]):
        found = CliRunner().invoke(app, ["bench", *command, *out])
        assert found.exit_code == 1, found.output
        assert "all 80 queries failed" in found.output
        assert CliRunner().invoke(app, ["bench", *command, *out, "--json"]).exit_code == 1
    assert CliRunner().invoke(app, ["bench", "trend", *old, *out]).exit_code == 0


def test_a_trend_names_what_the_newest_release_lost(tmp_path: Path) -> None:
    """On the page, in Markdown and JSON, also where no class is left to follow."""
    trials = [(f"t{i}", made_trial(i, revision="ab"[i > 1], day=i)) for i in range(4)]
    lost = [(name, broken(trial, "FTSObj") if i > 1 else trial) for i, (name, trial) in enumerate(trials)]
    found = trend_of(lost)
    assert [(one.name, one.reason) for one in found.regressions] == [
        ("FTSObj", "all 80 queries failed, 0 of 80 before")
    ]
    for file in (write_trend(found, tmp_path), tmp_path / "trend.md", tmp_path / "trend.json"):
        assert "all 80 queries failed" in file.read_text()
    nothing = trend_of([trials[0], ("t1", broken(trials[1][1], ""))])
    assert [one.name for one in nothing.regressions] == ["LV", "FTSObj"]
    assert "all 60 queries failed" in write_trend(nothing, tmp_path).read_text()


def test_a_sweep_names_what_a_size_did_not_answer(tmp_path: Path) -> None:
    """A class without a series says why it has none."""
    trials = [
        made_trial(1),
        made_trial(2, 2.0),
        broken(made_trial(3, 4.0), "FTSObj"),
        without(made_trial(4, 8.0), "LV"),
    ]
    sizes = [Size(f, 2, trial) for f, trial in zip((1e-6, 2e-6, 4e-6, 8e-6), trials, strict=True)]
    found = sweep_of(sizes, {}, recipe="tiny", profile="kpm", on_nodes=[25])
    assert found.faults == [
        "FTSObj, one, at 4e-06 of DR1 on 2 nodes: 40 of 40 queries failed, 0 wrong answers",
        "LV, one, at 8e-06 of DR1 on 2 nodes: not run",
    ]
    page = write_sweep(found, tmp_path).read_text()
    for text in (page, (tmp_path / "sweep.md").read_text(), (tmp_path / "sweep.json").read_text()):
        assert found.faults[0] in text


def test_trials_are_called_by_the_end_of_their_path(tmp_path: Path) -> None:
    """And what Markdown would read into a name is shown as it is."""
    names = ["_new_ *1* <b>|", "2"]
    folders = [tmp_path / "r" / release / "trial" for release in names]
    for i, folder in enumerate(folders):
        folder.parent.mkdir(parents=True)
        written(made_trial(i), folder)
    CliRunner().invoke(
        app, ["bench", "compare", str(folders[0]), "--against", str(folders[1]), "--out", str(tmp_path / "out")]
    )
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert text.startswith("# made: \\_new\\_ \\*1\\* \\<b\\>\\|/trial against 2/trial\n")
    assert str(tmp_path) not in text


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"{", b"[" * 100_000, b""])
def test_a_trial_whose_files_are_harmed_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    """The file is named."""
    folder = Path(written(made_trial(1), tmp_path / "trial"))
    (folder / "manifest.json").write_bytes(content)
    found = CliRunner().invoke(app, ["bench", "report", str(folder)])
    assert isinstance(found.exception, UserError)
    assert str(found.exception).startswith(f"'{folder / 'manifest.json'}' is not JSON: ")
    assert "\n" not in str(found.exception)
