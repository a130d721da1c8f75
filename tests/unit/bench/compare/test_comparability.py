"""What differs between trials, by weight."""

from __future__ import annotations

from tests.support.bench_trials import made_manifest, made_workload

from skyshard.bench.compare.comparability import Weight, differences
from skyshard.bench.record.environment import NodeMachine

BASE = made_manifest(made_workload())


def test_equal_trials_differ_in_nothing() -> None:
    """Times of start and end are no difference."""
    later = made_manifest(made_workload(), day=7)
    assert differences([BASE, later], [BASE]) == []


def test_other_data_break_a_comparison_and_another_revision_is_what_it_is_about() -> None:
    """Breaking differences come first; each side shows its distinct values."""
    other = made_manifest(made_workload(), data_digest="d2", revision="bbb")
    found = differences([other, other], [BASE])
    assert [(one.what, one.weight) for one in found] == [("data digest", Weight.BREAKS), ("revision", Weight.CHANGED)]
    assert (found[0].new, found[0].old) == (["d2"], ["d1"])


def test_a_side_that_is_not_one_thing_is_a_difference_too() -> None:
    """Trials of one side that differ among each other are listed."""
    other = made_manifest(made_workload(), revision="bbb")
    assert [one.new for one in differences([BASE, other], [BASE])] == [["aaa", "bbb"]]


def test_of_mappings_only_the_keys_that_differ_are_shown() -> None:
    """Server variables are many; what is absent on one side says so."""
    one = BASE.model_copy(update={"target_facts": {"variables": {"sql_mode": "", "key_buffer_size": "1"}}})
    two = BASE.model_copy(update={"target_facts": {"variables": {"sql_mode": "", "tmp_table_size": "2"}}})
    found = differences([one], [two])
    assert [(part.what, part.new, part.old) for part in found] == [
        ("server variables", ["key_buffer_size 1, tmp_table_size absent"], ["key_buffer_size absent, tmp_table_size 2"])
    ]


def test_other_machines_of_nodes_break_a_comparison() -> None:
    """Whether a trial has machines of its own for nodes counts, too."""
    here = BASE
    machine = NodeMachine(
        skyshard="0", python="3", ray="2", cpu_model="EPYC", cores=4, memory_bytes=1 << 34, kernel="Linux"
    )
    nodes = here.environment.model_copy(update={"nodes": {"node1": machine}})
    found = {one.what: one for one in differences([here.model_copy(update={"environment": nodes})], [here])}
    assert (found["machines of nodes"].weight, found["software of nodes"].weight) == (Weight.BREAKS, Weight.CHANGED)
    assert found["machines of nodes"].new == ["node1 EPYC, 4 cores, 16 GiB"]
