"""What differs between trials, by weight."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.bench_trials import made_manifest, made_workload
from tests.support.full_manifest import changed_at, full_manifest, leaves, scenario

from skyshard.bench.compare.comparability import NOT_COMPARED, Weight, differences
from skyshard.bench.record.environment import NodeMachine
from skyshard.bench.record.trial_manifest import TrialManifest

ROOT = Path(__file__).parents[4]
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


def with_facts(**facts: object) -> TrialManifest:
    return BASE.model_copy(update={"target_facts": facts})


def test_other_ways_of_answering_break_a_comparison() -> None:
    """Cold against warm caches, columns against rows, other threads of scans, other ways of storage."""
    packed = BASE.model_copy(update={"catalog": {**BASE.catalog, "storage": {"page_compressed": 6}}})
    plain = BASE.model_copy(update={"catalog": {**BASE.catalog, "storage": {}}})
    for new, old, what in [
        (with_facts(cache="cold"), BASE, "caches before queries"),
        (with_facts(scan="columns"), with_facts(scan="rows"), "way of scanning"),
        (with_facts(scan_threads={"node1": 1}), with_facts(scan_threads={"node1": 2}), "scan threads"),
        (packed, plain, "storage"),
    ]:
        assert [(one.what, one.weight) for one in differences([new], [old])] == [(what, Weight.BREAKS)]


def test_what_a_trial_does_not_know_is_no_difference() -> None:
    """A sky that was removed says nothing of its making, an earlier release nothing of scans; the rest is compared."""
    made = {"profile": "kpm", "fraction": 1.0, "shrink": "coverage"}
    known, removed, smaller = (
        BASE.model_copy(update={"catalog": {**BASE.catalog, "made": one}})
        for one in (made, {}, {**made, "fraction": 0.5})
    )
    assert differences([known, removed], [removed, known]) == []
    assert differences([with_facts(scan="rows")], [BASE]) == []
    assert [one.what for one in differences([removed, smaller], [removed, known])] == ["fraction"]


def test_the_trials_of_a_side_may_have_several_seeds_if_both_sides_have_them() -> None:
    """Blocks of an experiment ask other statements each, all cells of a block the same."""
    one, two = (BASE.model_copy(update={"seed": seed}) for seed in (1, 2))
    assert differences([one, two], [two, one]) == []
    assert [(part.what, part.new, part.old) for part in differences([one, two], [one])] == [("seed", ["1", "2"], ["1"])]


FULL = full_manifest()


@pytest.mark.parametrize("path", leaves(FULL))
def test_every_fact_is_compared_or_named_as_one_that_is_not(path: str) -> None:
    """A field that is added to the manifest needs a place among one or the other."""
    assert differences([FULL], [FULL]) == []
    found = [one.what for one in differences([changed_at(FULL, path)], [FULL])]
    assert bool(found) == (path not in NOT_COMPARED), found


def test_what_is_not_compared_is_in_a_manifest() -> None:
    """No reason is kept for a field that is gone."""
    assert set(NOT_COMPARED) <= set(leaves(FULL))


@pytest.mark.parametrize("folder", ["docs/examples/kpm-50", "tests/frozen/0.1.0/trial", "tests/frozen/0.1.0/trial2"])
def test_real_manifests_have_no_fact_that_is_not_looked_at(folder: str) -> None:
    """What is open in the model, as a catalog's facts are, holds the keys of the manifest above, and no others."""
    found = TrialManifest.model_validate_json((ROOT / folder / "manifest.json").read_bytes())
    assert set(leaves(found)) <= set(leaves(FULL))


def test_the_loader_is_listed_where_it_differs() -> None:
    """Tables that LOAD DATA has filled may be larger; a trial of an earlier release does not know its loader."""
    other = FULL.model_copy(update={"catalog": {**FULL.catalog, "loader": {"Object": "load-data"}}})
    (found,) = differences([other], [FULL])
    assert (found.what, found.weight) == ("loader", Weight.BREAKS)
    assert (found.new, found.old) == (["Object load-data"], ["Object image"])
    before = FULL.model_copy(update={"catalog": {k: v for k, v in FULL.catalog.items() if k != "loader"}})
    assert differences([before], [FULL]) == []


def test_a_scenario_that_was_changed_under_its_name_is_another_one() -> None:
    """Its content counts."""
    found = differences([FULL.model_copy(update={"scenario": scenario("two")})], [FULL])
    assert [one.what for one in found] == ["scenario"]
