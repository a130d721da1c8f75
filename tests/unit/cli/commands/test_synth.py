"""``skyshard synth``: words in, words out."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.commands.synth import synth

app = typer.Typer()
app.command()(synth)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_holds_plan_and_facts(tmp_path: Path) -> None:
    """--json prints one object: plan, rows made, and the share of a profile."""
    words = ("mini", "--out", str(tmp_path / "o"), "--chunks", "7140", "--profile", "kpm", "--json")
    facts = json.loads(run(*words))
    assert facts["plan"]["chunks"] == [7140]
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert facts["made"]["rows"] == manifest["truth"]["rows"]
    share = facts["profile"]["tables"]["Object"]
    assert share["share_made"] == pytest.approx(facts["made"]["rows"]["Object"] / 18_889_844_400)


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    """--dry-run prints rows, bytes and chunks, and leaves the disk alone."""
    text = run("mini", "--out", str(tmp_path / "o"), "--fraction", "0.5", "--dry-run")
    assert "of 12 chunks" in text
    assert "MB" in text
    assert not (tmp_path / "o").exists()


def test_text_ends_with_the_manifest(tmp_path: Path) -> None:
    """The last line says where the manifest is; nothing but the summary goes to standard output."""
    text = run("mini", "--out", str(tmp_path / "o"), "--chunks", "7140,7308", "--workers", "1")
    assert text.splitlines()[-1].endswith("o/manifest.json")
    assert "coverage" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mini", "--chunks", "a,b"), "is not a list of numbers"),
        (("mini", "--profile", "lsst"), "no profile 'lsst'"),
        (("nothing",), "no recipe 'nothing'"),
        (("mini", "--fraction", "2"), "fraction 2 is not"),
    ],
)
def test_wrong_words_are_refused(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """One line, and nothing is written."""
    with pytest.raises(UserError, match=message):
        run(*words, "--out", str(tmp_path / "o"))
    assert not (tmp_path / "o").exists()
