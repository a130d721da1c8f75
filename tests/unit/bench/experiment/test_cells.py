"""Cells: every combination, named ones, and those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.made_experiments import written

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.cells import Design, make_design, refuse_idle_settings
from skyshard.bench.experiment.experiment_file import read_experiment


def design(folder: Path, text: str) -> Design:
    read = read_experiment(written(folder, f"{text}trials: 3\n"))
    found = make_design(read)
    engines = {cell.number: str(cell.all.get("engine", "MyISAM")) for cell in found.cells}
    refuse_idle_settings(read, found.cells, engines)
    return found


def test_a_full_design_has_every_combination(tmp_path: Path) -> None:
    """The last factor changes fastest."""
    found = design(tmp_path, "factors: {engine: [MyISAM, Aria], set.key_buffer_size: [8M, 64M], nodes: [1, 2]}\n")
    assert len(found.cells) == 8
    assert found.cells[0].label == "MyISAM, key_buffer_size 8M, 1 node"
    assert found.cells[-1].label == "Aria, key_buffer_size 64M, 2 nodes"
    assert found.cells[0].settings == ("key_buffer_size=8M",)


def test_named_cells_are_a_single_factor(tmp_path: Path) -> None:
    """What a cell does not say is held or by default."""
    text = "cells:\n  small: {engine: MyISAM, nodes: 1}\n  large: {engine: Aria}\nhold: {fraction: 0.5}\n"
    found = design(tmp_path, text)
    assert found.factors == {"cell": ["small", "large"]}
    assert [cell.all["nodes"] for cell in found.cells] == [1, 2]
    assert {cell.all["fraction"] for cell in found.cells} == {0.5}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("factors:\n  nodes: [1, 2]\n  replicas: [1, 2]\n", 7, "2 replicas contradict 1 node"),
        ("factors:\n  nodes: [2, 1]\nhold: {replicas: 2}\n", 7, "2 replicas contradict 1 node"),
        ("factors:\n  set.node2:flush: [ON, OFF]\nhold: {nodes: 1}\n", 6, "there is no node2"),
        ("factors:\n  set.node2:flush: [ON, OFF]\n  nodes: [1, 2]\n", 6, "there is no node2"),
        ("factors:\n  set.key_buffer_size: [8M, 9M]\nhold: {engine: InnoDB}\n", 6, "is a setting of MyISAM"),
        ("factors:\n  set.innodb_io_capacity: [100, 200]\n", 6, "is a setting of InnoDB, and the cells'"),
        ("factors:\n  shrink: [coverage, thinning]\n", 6, "'shrink' changes nothing at fraction 1"),
        ("cells:\n  a: {shrink: coverage}\n  b: {shrink: thinning}\n", 6, "'shrink' changes nothing at fraction 1"),
        ("factors:\n  set.rocksdb_block_size: [8K, 4K]\n  engine: [MyISAM, Aria]\n", 6, "is a setting of MyRocks"),
        ("factors:\n  target: [czar, tap]\n  scan_threads: [1, 2]\n", 7, "'scan_threads' contradicts target tap"),
        ("cells:\n  a: {target: mysql, scenario: one_node_dies}\n  b: {nodes: 1}\n", 6, "contradicts target mysql"),
        ("cells:\n  a: {nodes: 1}\n  b: {nodes: 1, fraction: 1.0}\n", 7, "cells 'a' and 'b' are the same"),
        ("cells:\n  a: {nodes: 1}\n  b: {nodes: 1, replicas: 3}\n", 7, "3 replicas contradict 1 node"),
        ("factors:\n  nodes: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n  scan_threads: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
         "  engine: [MyISAM, Aria, InnoDB]\n  loader: [image, load-data]\n", 5, "486 cells are more than"),
        ("factors:\n" + "".join(f"  set.made_{n}: [1, 2]\n" for n in range(60)), 5, "so many cells are more than"),
        ("cells:\n" + "".join(f"  c{n}: {{nodes: {n}}}\n" for n in range(1, 258)), 5, "257 cells are more than"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Nothing is left out silently."""
    with pytest.raises(UserError) as caught:
        design(tmp_path, text)
    assert words in str(caught.value)
    assert f"line {line}," in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "factors: {engine: [MyISAM, Aria], set.key_buffer_size: [8M, 64M]}\n",
        "factors: {set.czar:innodb_buffer_pool_size: [64M, 1G]}\nhold: {engine: MyISAM}\n",
        "factors: {set.aria_pagecache_buffer_size: [64M, 1G]}\nhold: {engine: MyISAM}\n",
        "factors: {set.key_buffer_size: [8M, 64M]}\n",
        "factors: {set.rocksdb_block_cache_size: [8M, 64M], engine: [MyISAM, MyRocks]}\n",
    ],
)
def test_a_setting_may_be_tried_where_some_cell_or_the_czar_follows_it(tmp_path: Path, text: str) -> None:
    """Whether it does anything is for the experiment to show; Aria also holds temporary tables of all engines."""
    assert len(design(tmp_path, text).cells) >= 2
