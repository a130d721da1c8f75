"""Sweeps look at their inputs before they start anything."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.bench_trials import made_trial, made_workload

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress, unwatched
from skyshard.bench.record.write_trial import write_trial
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.scenarios.sweep_run import SweepRun


@pytest.mark.parametrize(("fraction", "words"), [(1.5, "not in"), (0.5, "take fractions up to")])
def test_a_fraction_that_cannot_be_is_refused(tmp_path: Path, fraction: float, words: str) -> None:
    """The message says which fractions can."""
    run = SweepRun(tmp_path, made_workload(), tmp_path / "out", "tiny", (fraction,), (1,), (25,))
    with pytest.raises(UserError, match=words):
        run.run(unwatched)
    assert not (tmp_path / "out").exists()


pytestmark = pytest.mark.timeout(60)  # a Felis schema takes seconds to read

QUICK = find_workload("quick")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "nope"}, "no recipe 'nope'"),
        ({"recipe": "hsc"}, "makes no "),
        ({"fractions": (2.0,)}, "not in (0, 1]"),
        ({"fractions": (0.9,)}, "take fractions up to"),
        ({"fractions": ()}, "nothing to sweep"),
        ({"nodes": ()}, "nothing to sweep"),
        ({"nodes": (0,)}, "0 nodes are not possible"),
        ({"on_nodes": (-3,)}, "-3 nodes are not possible"),
        ({"out": "file"}, "cannot write"),
    ],
)
def test_a_sweep_starts_nothing_with_a_wrong_input(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """One line, and no folder."""
    (tmp_path / "file").touch()
    options = {"recipe": "tiny", "fractions": (1e-7,), "nodes": (1,), "on_nodes": (25,), "out": "out"} | change
    options["out"] = tmp_path / options["out"]
    seen: list[Progress] = []
    with pytest.raises(UserError) as caught:
        SweepRun(QUICK, read_workload(QUICK), **options).run(seen.append)
    assert words in str(caught.value)
    assert seen == []
    assert not (tmp_path / "out").exists()


def test_a_trial_that_scanned_otherwise_is_not_of_the_sweep(tmp_path: Path) -> None:
    """Times of rows are not those of columns: a folder with the others is refused."""
    (trial := tmp_path / "trial-1-1e-07").mkdir()
    write_trial(trial, made_trial(1))
    options: dict[str, Any] = {"recipe": "tiny", "fractions": (1e-7,), "nodes": (1,), "on_nodes": (25,)}
    run = SweepRun(QUICK, read_workload(QUICK), out=tmp_path, scan="columns", **options)
    with pytest.raises(UserError, match="is a trial of 'czar', not of 'czar-columns'"):
        run.run(unwatched)
