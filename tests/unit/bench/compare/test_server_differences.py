"""Variables of servers that differ between trials, and between the nodes of one."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.bench_trials import made_manifest, made_workload

from skyshard.bench.compare.comparability import Weight, differences
from skyshard.bench.compare.server_differences import uneven_sentences
from skyshard.bench.record.server_variables import ChangedVariable, ServerVariables
from skyshard.bench.record.trial_manifest import TrialManifest

DEFAULTS = {"key_buffer_size": "134217728", "sort_buffer_size": "2097152"}


def server(version: str = "10.11.19", **values: str) -> ServerVariables:
    changed = {name: ChangedVariable(value=value, default=DEFAULTS[name]) for name, value in values.items()}
    return ServerVariables(version=version, variables=changed)


def manifest(servers: Mapping[str, ServerVariables]) -> TrialManifest:
    return made_manifest(made_workload()).model_copy(update={"servers": dict(servers)})


def old_manifest(**variables: str) -> TrialManifest:
    """As releases wrote it that kept the variables of the czar's server only."""
    facts = {"variables": {"version": "10.11.19", **variables}}
    return made_manifest(made_workload()).model_copy(update={"version": 1, "target_facts": facts})


def found(new: TrialManifest, old: TrialManifest) -> list[tuple[str, list[str], list[str]]]:
    return [(one.what, one.new, one.old) for one in differences([new], [old])]


def test_key_buffers_of_nodes_that_differ_are_said() -> None:
    """Although the czars' are equal; a value that is MariaDB's own is said to be the default."""
    czar = server(key_buffer_size="1")
    small = manifest(
        {"czar": czar, "node1": server(key_buffer_size="8388608"), "node2": server(key_buffer_size="8388608")}
    )
    large = manifest({"czar": czar, "node1": server(), "node2": server()})
    assert found(small, large) == [
        ("variables of servers", ["nodes: key_buffer_size 8388608"], ["nodes: key_buffer_size 134217728 (default)"])
    ]
    assert differences([small], [large])[0].weight is Weight.BREAKS
    assert found(small, small) == []


def test_one_node_that_differs_is_said_by_name() -> None:
    """In the difference, and as a caution although both sides have it."""
    even = manifest({"node1": server(sort_buffer_size="1"), "node2": server(sort_buffer_size="1")})
    uneven = manifest({"node1": server(sort_buffer_size="1"), "node2": server()})
    text = "sort_buffer_size 1 on node1, 2097152 (default) on node2"
    assert found(uneven, even) == [("variables of servers", [f"nodes: {text}"], ["nodes: sort_buffer_size 1"])]
    assert found(uneven, uneven) == []
    assert uneven_sentences([("a", uneven.servers), ("b", even.servers)]) == [
        f"a: its nodes differ from one another: {text}."
    ]


def test_trials_with_other_numbers_of_nodes_are_compared_by_role() -> None:
    """Two nodes and three that all have one value have the same variables."""
    two = manifest({f"node{number}": server(sort_buffer_size="1") for number in (1, 2)})
    three = manifest({f"node{number}": server(sort_buffer_size="1") for number in (1, 2, 3)})
    assert found(two, three) == []


def test_another_version_is_what_a_comparison_is_about() -> None:
    """Of any server."""
    assert found(manifest({"node1": server()}), manifest({"node1": server("11.4.2")})) == [
        ("server version", ["10.11.19"], ["11.4.2"])
    ]


def test_what_an_earlier_release_did_not_keep_is_said_to_be_unknown() -> None:
    """Between two of them, what they kept is compared, as ever."""
    new = manifest({"czar": server(), "node1": server()}).model_copy(
        update={"target_facts": {"variables": {"version": "10.11.19", "key_buffer_size": "1"}}}
    )
    assert found(new, old_manifest(key_buffer_size="1")) == [("variables of the nodes", ["known"], ["unknown"])]
    assert [one[0] for one in found(new, old_manifest(key_buffer_size="2"))] == [
        "variables of the nodes",
        "server variables",
    ]
    assert found(old_manifest(key_buffer_size="1"), old_manifest(key_buffer_size="1")) == []


def test_other_targets_have_other_servers() -> None:
    """That is said by the target."""
    mono = manifest({"mono": server(sort_buffer_size="1")})
    assert found(mono, manifest({"czar": server(), "node1": server()})) == []
