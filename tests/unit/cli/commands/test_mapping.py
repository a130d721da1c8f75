"""``skyshard mapping``: the file ingests as it is, JSON is as described, and nothing is written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.butler_trees import CHAIN, objects, put_tract

from skyshard.basics.errors import UserError
from skyshard.cli.commands.mapping import mapping
from skyshard.cli.terminal.json_outputs import validate_output
from skyshard.ingest import make_plan, open_source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    put_tract(tmp_path / "tree", f"{CHAIN}/20260613T101500Z", 9813, objects(1, 3))
    return tmp_path / "tree"


@pytest.mark.timeout(20)
def test_written_mapping_makes_a_plan(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From folder to plan without a key edited; the second time the file is there, and stays."""
    out = tmp_path / "m.yaml"
    mapping(tree, out, "w24", json=True)
    printed = capsys.readouterr().out
    validate_output("mapping", printed)
    assert json.loads(printed)["written"] == str(out)
    plan = make_plan(open_source(out))
    assert (plan.database, plan.summary()["tables"][0]["rows"]) == ("w24", 3)
    with pytest.raises(UserError, match="is there already"):
        mapping(tree, out)


@pytest.mark.parametrize("name", ["bad name", "skyshard_x", "mysql", "a__b", "x" * 57])
def test_a_name_that_ingest_refuses_is_refused(tree: Path, tmp_path: Path, name: str) -> None:
    """Nothing is written; the remedy is an option that this command has."""
    with pytest.raises(UserError, match=f"'{name}' is") as caught:
        mapping(tree, tmp_path / "m.yaml", name)
    assert "--database" in caught.value.remedy
    assert not (tmp_path / "m.yaml").exists()


@pytest.mark.timeout(20)
def test_printed_mapping_is_a_file(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is the mapping alone; what is said about it goes to standard error."""
    mapping(tree)
    printed = capsys.readouterr()
    (tmp_path / "m.yaml").write_text(printed.out)
    assert list(open_source(tmp_path / "m.yaml").tables) == ["Object"]
    assert "Object: director by its columns" in printed.err
