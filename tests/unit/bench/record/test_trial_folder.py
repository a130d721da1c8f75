"""The other files of a trial folder: histograms, telemetry, plans, versions; and thresholds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.bench_trials import made_trial
from tests.support.frozen import FROZEN, RELEASES

from skyshard.basics.errors import UserError
from skyshard.bench.compare.comparison import compare_trials
from skyshard.bench.compare.trend import trend_of
from skyshard.bench.pages.report import write_pages
from skyshard.bench.record.histograms import HISTOGRAMS
from skyshard.bench.record.samples import SAMPLE_SCHEMA, VERSION_KEY
from skyshard.bench.record.trial_folder import read_trial, read_trials, validate_trial
from skyshard.bench.record.write_trial import write_trial

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole trial, which is drawn once."""
    out, trial = tmp_path_factory.mktemp("made"), made_trial(1)
    write_trial(out, trial)
    write_pages(trial, out)
    return out


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the whole trial, to be harmed."""
    return Path(shutil.copytree(made, tmp_path / "trial"))


def shorten(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 5), path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / HISTOGRAMS).write_text("Tag=x,0,0,0,nonsense\n"), "histograms.hlog"),
        (
            lambda f: pq.write_table(pq.read_table(f / "samples.parquet").slice(0, 5), f / "samples.parquet"),
            "5 samples",
        ),
        (lambda f: pq.write_table(pa.table({"a": [1]}), f / "samples.parquet"), "column 'phase'"),
        (lambda f: pq.write_table(pa.table({"t_s": [1]}), f / "telemetry.parquet"), "telemetry.parquet"),
        (lambda f: (f / "plans.json").write_text("{}"), "plans.json"),
        (lambda f: (f / "summary.json").unlink(), "summary.json': No such file or directory; name a trial folder"),
        (
            lambda f: (f / "samples.parquet").unlink(),
            "samples.parquet': No such file or directory; run the trial again",
        ),
        (lambda f: (f / HISTOGRAMS).unlink(), "histograms.hlog': No such file or directory; run the trial again"),
        (lambda f: (f / "manifest.json").write_text('{"version": 3,'), "manifest.json' is not JSON: EOF"),
        (lambda f: (f / "manifest.json").write_text(""), "manifest.json' is not JSON: EOF"),
        (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json', key 'top level'"),
        (
            lambda f: pq.write_table(pq.read_table(f / "statements.parquet").slice(0, 0), f / "statements.parquet"),
            "statements.parquet': 0 statements, a sample is of number",
        ),
    ],
)
def test_a_harmed_folder_is_refused_in_one_line(folder: Path, damage: Callable[[Path], object], words: str) -> None:
    """File and column or key are named."""
    damage(folder)
    with pytest.raises(UserError) as caught:
        validate_trial(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_samples_of_another_version_are_refused(folder: Path) -> None:
    """A later release's samples are not misread."""
    table = pq.read_table(folder / "samples.parquet")
    pq.write_table(table.replace_schema_metadata({b"skyshard.samples.version": b"99"}), folder / "samples.parquet")
    with pytest.raises(UserError, match="version 99"):
        read_trial(folder)


def test_an_unknown_key_in_a_manifest_is_named(folder: Path, tmp_path: Path) -> None:
    """The manifest is a strict model."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((tmp_path / "manifest.json").read_text()) | {"speed": 1}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="key 'speed'"):
        read_trial(tmp_path)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A trial with samples of version 1, without driver processes, and statements without places."""
    folder = tmp_path / "first"
    shutil.copytree(FROZEN / "0.1.0" / "trial", folder)
    samples = pq.read_table(folder / "samples.parquet").drop_columns(["process"])
    pq.write_table(samples.replace_schema_metadata({VERSION_KEY: b"1"}), folder / "samples.parquet")
    statements = pq.read_table(folder / "statements.parquet").select(["sql"])
    pq.write_table(statements, folder / "statements.parquet")
    return folder


@pytest.mark.parametrize("release", RELEASES)
def test_a_trial_of_a_release_is_whole(release: str) -> None:
    """Every file, histograms too."""
    trial = validate_trial(FROZEN / release / "trial")
    assert trial.samples.num_rows == trial.summary.n + trial.summary.warm_ups > 0


def test_samples_of_version_1_are_read_as_todays(first: Path) -> None:
    """One driver process, number 0; no places."""
    trial = validate_trial(first)
    assert trial.samples.select(SAMPLE_SCHEMA.names).schema.remove_metadata() == SAMPLE_SCHEMA.remove_metadata()
    assert set(trial.samples["process"].to_pylist()) == {0}
    assert trial.places is not None
    assert trial.places["ra"].null_count == trial.places.num_rows == len(trial.statements)


def test_trials_of_all_versions_are_compared_and_joined_to_a_trend(first: Path) -> None:
    """The oldest against the newest; one point for each in the trend."""
    newer = [FROZEN / release / name for release in RELEASES for name in ("trial", "trial2")]
    new, old = read_trials(newer, [first])
    assert {one.class_name for one in compare_trials(new, old, threshold=10_000).classes} == {"LV", "FTSObj", "FTSFSrc"}
    (joined,) = read_trials([first, *newer])
    assert {len(one.points) for one in trend_of(joined, "p50").series} == {1 + len(newer)}
