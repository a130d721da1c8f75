"""``skyshard bench run`` says what is wrong with its options before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
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


def test_bench_run_names_the_shipped_workloads_when_it_knows_no_such_one() -> None:
    """An unknown workload is a user's error with the choices."""
    result = CliRunner().invoke(app, ["bench", "run", "no-such"])
    assert isinstance(result.exception, UserError)
    assert "quick" in str(result.exception)
