"""Experiment files: one strict model, YAML or JSON, and faults with file, line and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.made_experiments import HEAD, written

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.host.shipped_data import data_folder
from skyshard.scenarios.experiment.visit_experiment import is_of_visits

GOOD = "factors: {engine: [MyISAM, Aria], set.key_buffer_size: [8M, 64M], nodes: [1, 2]}\ntrials: 3\n"


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    """The digest is of what the file says."""
    content = {
        "trials": 3, "version": 1, "name": "made", "workload": "quick", "recipe": "mini",
        "factors": {"engine": ["MyISAM", "Aria"], "set.key_buffer_size": ["8M", "64M"], "nodes": [1, 2]},
    }  # fmt: skip
    path = tmp_path / "made.json"
    path.write_text(json.dumps(content, indent="\t"))
    assert read_experiment(path).digest == read_experiment(written(tmp_path, f"# a remark\n{GOOD}")).digest


@pytest.mark.parametrize(
    "file", sorted(data_folder("queries", "experiments").glob("*.yaml")), ids=lambda file: file.stem
)
def test_shipped_experiments_have_cells(file: Path) -> None:
    """Each file that ships is read, is called as it is named, and its factors do not contradict one another."""
    read = read_experiment(file)
    assert read.file.name.replace("-", "_") == file.stem.replace("-", "_")
    assert len(make_design(read, is_of_visits=is_of_visits(read)).cells) > 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "trails: 3\n", 7, "key 'trails': there is no such key; did you mean 'trials'?"),
        (GOOD + "cells: {a: {nodes: 1}, b: {nodes: 2}}\n", 7, "both 'factors' and 'cells'"),
        ("trials: 3\n", 1, "neither 'factors' nor 'cells'"),
        (GOOD.replace("trials: 3", "trials: three"), 6, "key 'trials'"),
        (GOOD.replace("trials: 3", "trials: 0"), 6, "greater than or equal to 1"),
        (GOOD.replace("trials: 3", "trials: true"), 6, "key 'trials'"),
        (GOOD + "trials: 4\n", 7, "key 'trials': it is given twice"),
        (GOOD + "resolution: 4\n", 7, "only a fractional design has one"),
        ("cells: {a: {nodes: 1}}\ntrials: 3\n", 5, "a single cell is no experiment"),
        (GOOD.replace("trials: 3", "trials: '3'"), 6, "key 'trials': a whole number is needed"),
        ("factors:\n  nodes: [1, null]\ntrials: 3\n", 6, "key 'factors.nodes.1': it is nothing, a level is one word"),
        ("factors:\n  nodes: [1, [2]]\ntrials: 3\n", 6, "key 'factors.nodes.1': it is a list, a level is one word"),
        ("factors:\n  engine: [Aria, 2026-01-01]\ntrials: 3\n", 6, "key 'factors.engine.1': it is a date"),
        ("cells:\n  a: {nodes: {x: 1}}\n  b: {nodes: 2}\ntrials: 3\n", 6, "key 'cells.a.nodes': it is keys and values"),
        ("cells:\n  1: {nodes: 1}\n  2: {nodes: 2}\ntrials: 3\n", 6, "key 'cells.1': a text is needed"),
        (
            "cells:\n  a: {nodes: 1}\n  b: {nodes: 2}\ndesign: fractional\ntrials: 3\n",
            8,
            "cells that are named have no",
        ),
        ("factors: [nodes]\ntrials: 3\n", 5, "key 'factors': keys and values are needed"),
        ("factors: {nodes: 2}\ntrials: 3\n", 5, "key 'factors.nodes': a list is needed"),
        (GOOD + "duration_s: true\n", 7, "key 'duration_s': a number is needed"),
        (GOOD + "duration_s: .inf\n", 7, "key 'duration_s'"),
        ("factors: {engine: [MyISAM\n", 6, "it is not YAML"),
    ],
)
def test_a_fault_is_one_line_with_its_place(tmp_path: Path, text: str, line: int, words: str) -> None:
    """File, line, key, remedy."""
    with pytest.raises(UserError) as caught:
        read_experiment(written(tmp_path, text))
    assert f"made.yaml', line {line}" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_json_is_refused_with_its_line(tmp_path: Path) -> None:
    """JSON's own rules hold for files that are called so."""
    path = tmp_path / "made.json"
    path.write_text('{"version": 1,\n "name": }')
    with pytest.raises(UserError, match="line 2: it is not JSON"):
        read_experiment(path)


@pytest.mark.parametrize("name", ["made.json", "made.yaml"])
def test_a_key_that_json_gives_twice_is_refused(tmp_path: Path, name: str) -> None:
    """With its line, although JSON's own reader takes the last one."""
    path = tmp_path / name
    path.write_text('{"version": 1,\n "trials": 3,\n "trials": 4}')
    with pytest.raises(UserError, match="line 3, key 'trials': it is given twice"):
        read_experiment(path)


@pytest.mark.parametrize("content", [b"a: &x [*x]\n", b"\xff\xfe", b"- 1\n", b"", b"1"])
def test_what_is_no_experiment_is_refused(tmp_path: Path, content: bytes) -> None:
    """Not text, a list, nothing, a number."""
    path = tmp_path / "made.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"made\.yaml"):
        read_experiment(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One line."""
    with pytest.raises(UserError, match="cannot read"):
        read_experiment(tmp_path / "none.yaml")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """With the advice to install a newer release."""
    path = tmp_path / "made.yaml"
    path.write_text(HEAD.replace("version: 1", "version: 2") + GOOD)
    with pytest.raises(UserError, match="newer release"):
        read_experiment(path)
