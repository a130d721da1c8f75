"""A scenario beside a workload: nodes drawn by seed, events that cannot come, and what is said before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard.basics.errors import UserError
from skyshard.bench.workload.fault_scenario import ReadScenario, read_scenario
from skyshard.bench.workload.planned_faults import PlannedScenario, plan_faults
from skyshard.bench.workload.workload import Workload

NODES = {"node1": 10, "node2": 30, "node3": 20}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def scenario(folder: Path, *events: Mapping[str, Any], seed: int = 1) -> ReadScenario:
    content = {"version": 1, "name": "s", "description": "", "seed": seed, "events": list(events)}
    (folder / "s.yaml").write_text(yaml.safe_dump(content))
    return read_scenario(str(folder / "s.yaml"))


def workload(**load: object) -> Workload:
    one = {"class": "LV", "templates": ["a"], **(load or {"duration_s": 10})}
    phases = [{"name": "one", "classes": [one]}, {"name": "two", "classes": [one]}]
    return Workload.model_validate(
        {"version": 1, "name": "w", "description": "", "database": "d", "seed": 1, "phases": phases}
    )


def planned(folder: Path, *events: Mapping[str, Any], seed: int = 1, replicas: int = 2, **more: Any) -> PlannedScenario:
    return plan_faults(scenario(folder, *events, seed=seed), more.pop("of", workload()), NODES, replicas, **more)


def test_random_nodes_are_drawn_by_the_seed_and_differ_while_there_are_others(folder: Path) -> None:
    """Three of three nodes are all of them; the same seed draws the same, some other seed another."""
    kill = {"do": "kill", "node": "random"}
    found = [[one.node for one in planned(folder, kill, kill, kill, seed=seed).faults] for seed in range(8)]
    assert all(sorted(nodes) == sorted(NODES) for nodes in found)
    assert found[3] == [one.node for one in planned(folder, kill, kill, kill, seed=3).faults]
    assert len({tuple(nodes) for nodes in found}) > 1


def test_the_largest_node_is_the_one_with_the_most_bytes(folder: Path) -> None:
    """Of the database."""
    assert planned(folder, {"do": "kill", "node": "largest"}).faults[0].node == "node2"


REFUSED: dict[str, tuple[dict[str, Any], Workload, str]] = {
    "unknown node": ({"do": "kill", "node": "node9"}, workload(), "the cluster has no node 'node9'; name one of node1"),
    "unknown phase": (
        {"do": "kill", "node": "node1", "phase": "three"},
        workload(),
        "workload 'w' has no phase 'three'; name one of one, two",
    ),
    "after the end": (
        {"do": "kill", "node": "node1", "at_s": 10},
        workload(),
        "phase 'one' ends after 10 s, before 10 s",
    ),
    "after the last query": (
        {"do": "kill", "node": "node1", "at_query": 25},
        workload(count=20, warm_up=5),
        "phase 'one' has 25 queries: it ends with or before number 25",
    ),
    "damaged czar": ({"do": "corrupt", "node": "czar"}, workload(), "the czar's server holds no replicas"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_event_that_cannot_come_is_refused_in_one_line(what: str, folder: Path) -> None:
    """Before anything begins, with the file's line."""
    event, of, words = REFUSED[what]
    with pytest.raises(UserError) as caught:
        planned(folder, event, of=of)
    assert words in str(caught.value)
    assert f"'{folder / 's.yaml'}', line " in str(caught.value)


def test_an_event_that_counts_queries_needs_a_driver_that_does(folder: Path) -> None:
    """Driver processes do not; shares of a time they can follow."""
    by_share = {"do": "kill", "node": "node1", "at_share": 0.5}
    assert planned(folder, by_share, counts_queries=False).faults
    for event, of in ((by_share, workload(count=20)), ({"do": "kill", "node": "node1", "at_query": 3}, workload())):
        with pytest.raises(UserError, match="driver processes tell only at the end of a phase"):
            planned(folder, event, of=of, counts_queries=False)


KILL1: dict[str, Any] = {"do": "kill", "node": "node1", "at_s": 1}
LEVELS: dict[str, tuple[list[dict[str, Any]], int, str]] = {
    "one of two": ([KILL1], 2, ""),
    "one of one": ([KILL1], 1, "1 node may be down at once, and there is 1 replica of each chunk"),
    "both": ([KILL1, {"do": "stop", "node": "node2", "at_s": 2}], 2, "2 nodes may be down at once, and there are 2"),
    "in turn": ([KILL1 | {"for_s": 1}, {"do": "kill", "node": "node2", "at_s": 2}], 2, ""),
    "overlapping": ([KILL1 | {"for_s": 2}, {"do": "kill", "node": "node2", "at_s": 2}], 2, "2 nodes may be down"),
    "other times": ([KILL1 | {"for_s": 1}, {"do": "kill", "node": "node2", "at_share": 0.9}], 2, "2 nodes may be down"),
    "the czar": ([{"do": "restart", "node": "czar"}], 2, "no query is answered"),
    "damaged at level 1": ([{"do": "corrupt", "node": "node1"}], 1, "what is damaged cannot be read elsewhere"),
    "damaged at level 2": ([{"do": "corrupt", "node": "node1"}], 2, ""),
}


@pytest.mark.parametrize("what", LEVELS)
def test_what_will_be_refused_for_sure_is_said_before(what: str, folder: Path) -> None:
    """Where more nodes may be down than there are copies to spare, and only there."""
    events, replicas, words = LEVELS[what]
    said = planned(folder, *events, replicas=replicas).warnings
    assert words in said[0] if words else not said
