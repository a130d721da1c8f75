"""Factors and levels: what there is, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.made_experiments import written

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.bench.experiment.factors import read_levels


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("factors:\n  engin: [MyISAM, Aria]\n", 6, "there is no factor 'engin'; did you mean 'engine'"),
        ("factors:\n  weather: [1, 2]\n", 6, "factors are engine, layout"),
        ("factors:\n  set.: [1, 2]\n", 6, "write set.NAME"),
        ("factors:\n  set.mono:flush: [1, 2]\n", 6, "which checks answers: no query is timed there"),
        ("factors:\n  engine:\n  - MyISAM\n  - myisam\n", 8, "'myisam' is not one of MyISAM"),
        ("factors:\n  nodes: [1, '2']\n", 6, "'2' is not a whole number"),
        ("factors:\n  nodes: [1, 0]\n", 6, "'0' is not a whole number from 1"),
        ("factors:\n  nodes: [1, true]\n", 6, "is not a whole number"),
        ("factors:\n  fraction: [1, 1.5]\n", 6, "'1.5' is not a share"),
        ("factors:\n  fraction: [1, .nan]\n", 6, "is not a share"),
        ("factors:\n  layout: [kpm-85-12, 7]\n", 6, "'7' is not a name or a file"),
        ('factors:\n  layout: [kpm-85-12, "a\\nb"]\n', 6, r"'a\nb' is not a name or a file"),
        (f"factors:\n  layout: [kpm-85-12, {'a' * 5000}]\n", 6, "aaa...' is not a name or a file"),
        (
            "factors:\n  scenario: [no, one_node_dies]\n",
            6,
            "'False' is a truth value, as YAML reads yes, no, on and off",
        ),
        ("factors:\n  set.key_buffer_size: [1E, 1152921504606846976]\n", 6, "given twice"),
        ("factors:\n  nodes: [1, 2, 1]\n", 6, "level '1' of 'nodes' is given twice"),
        ("factors:\n  set.key_buffer_size: [8M, 8388608]\n", 6, "given twice"),
        ("factors:\n  nodes: [2]\n", 6, "factor 'nodes' has one level"),
        ("factors:\n  nodes: []\n", 6, "factor 'nodes' has no levels"),
        ("factors:\n  nodes: [1, 2]\nhold: {nodes: 1}\n", 6, "'nodes' is a factor, and held at '1'"),
        ("factors:\n  recipe: [mini, tiny]\n", 6, "'recipe' is a factor, and held at 'mini'"),
        ("factors:\n  nodes: [1, 2]\nhold: {recipe: tiny}\n", 7, "'recipe' stands at the top, too"),
        ("factors:\n  set.flush: [ON, OFF]\n  set.node1:flush: [ON, OFF]\n", 7, "both decide the setting"),
        ("cells:\n  a: {nodes: 1}\n  b: {node: 2}\n", 7, "there is no factor 'node'; did you mean 'nodes'"),
    ],
)
def test_a_wrong_factor_or_level_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Near matches are named; nothing is guessed."""
    with pytest.raises(UserError) as caught:
        read_levels(read_experiment(written(tmp_path, f"{text}trials: 3\n")))
    assert words in str(caught.value)
    assert f"line {line}," in str(caught.value)


def test_a_share_may_be_written_as_a_power_of_ten(tmp_path: Path) -> None:
    """To YAML 1e-3 is a text; the share is the one that 0.001 is."""
    factors, _, _ = read_levels(read_experiment(written(tmp_path, "factors:\n  fraction: [1e-3, 2E-2]\ntrials: 3\n")))
    assert factors["fraction"] == [0.001, 0.02]
    with pytest.raises(UserError, match=r"level '0\.001' of 'fraction' is given twice"):
        read_levels(read_experiment(written(tmp_path, "factors:\n  fraction: [0.001, 1e-3]\ntrials: 3\n")))


def test_an_experiment_needs_a_workload_and_a_recipe(tmp_path: Path) -> None:
    """At the top, or as factors."""
    path = tmp_path / "made.yaml"
    path.write_text("version: 1\nname: made\nrecipe: mini\nfactors: {nodes: [1, 2]}\ntrials: 3\n")
    with pytest.raises(UserError, match="there is no workload"):
        read_levels(read_experiment(path))


def test_settings_are_read_as_the_server_takes_them(tmp_path: Path) -> None:
    """YAML reads ON and OFF as truth values, and sizes without a unit as numbers."""
    text = "factors:\n  set.flush: [ON, OFF]\n  set.czar:sort_buffer_size: [1048576, 4M]\ntrials: 3\n"
    factors, _, _ = read_levels(read_experiment(written(tmp_path, text)))
    assert factors == {"set.flush": ["ON", "OFF"], "set.czar:sort_buffer_size": ["1048576", "4M"]}
