"""The cluster file of the pods is one that the program reads, and ports, names and settings elsewhere are its."""

import re
from pathlib import Path

import pytest
from tests.support.documented import ROOT
from tests.support.manifests import BASE, CONTAINERS, OVERLAYS, PODS, Object, PodTemplate, cluster_file, of_kind

from skyshard.basics.errors import UserError
from skyshard.catalog.cluster_file import read_named_file
from skyshard.runtime.ray_settings import ACROSS_HOSTS, QUIET, RayPorts, token_environment


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda p: p.name)
def test_a_cluster_file_is_one_of_many_machines(overlay: Path) -> None:
    """The model reads it; names and hosts of its nodes are those of pods, secrets lie where pods mount them."""
    file = read_named_file(cluster_file(overlay))
    assert [node.name for node in file.nodes] == [f"skyshard-node-{number}" for number in range(len(file.nodes))]
    assert {node.host for node in file.nodes} == {f"{node.name}.skyshard-node.skyshard.svc" for node in file.nodes}
    assert file.ray is not None
    assert file.ray.host == "skyshard-czar.skyshard.svc"
    assert file.tls is not None
    assert file.passwords is not None
    (node,) = [pod for pod in PODS if pod.name == "StatefulSet/skyshard-node"]
    (container,) = node.containers
    places = {Path(mount["mountPath"]) for mount in container["volumeMounts"]}
    assert {file.passwords, file.tls.ca.parent, file.tls.key.parent, file.ray.token.parent} <= places
    assert {file.nodes[0].data.parent, file.nodes[0].staging.parent, file.nodes[0].socket.parent} <= places
    assert {file.czar.data.parent, file.czar.socket.parent.parent} <= places


def test_a_name_of_a_node_that_is_wrong_is_refused() -> None:
    """The check of the file is seen to fail."""
    file = read_named_file(cluster_file(OVERLAYS[0]))
    with pytest.raises(UserError, match="no node 'skyshard-node-99'"):
        file.node("skyshard-node-99")


def test_raylets_have_the_settings_of_the_supervised_ones() -> None:
    """The config map of those that Skyshard's supervisors do not start has each of the program's, and no other."""
    lines = (BASE / "ray.env").read_text(encoding="utf-8").splitlines()
    written = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    file = read_named_file(BASE / "cluster.yaml")
    assert file.ray is not None
    assert written == {**QUIET, **ACROSS_HOSTS, **token_environment(file.ray.token)}


def test_raylets_have_the_ports_of_the_supervised_ones() -> None:
    """As options of a job's raylet, and as parameters of KubeRay's workers; both take part in no node."""
    (raylet,) = [container for name, container, _ in CONTAINERS if name.endswith("/raylet")]
    assert [word for word in raylet["command"] if "-port=" in word] == RayPorts().options
    (ray,) = of_kind("RayCluster")
    (workers,) = ray["spec"]["workerGroupSpecs"]
    given = {f"--{name}={value}" for name, value in workers["rayStartParams"].items() if name.endswith("-port")}
    assert given == set(RayPorts().options)
    assert not {"--resources", "resources"} & {*raylet["command"], *workers["rayStartParams"]}


def test_ray_has_one_version() -> None:
    """The RayCluster's is the one that is locked; a head and workers of different versions do not talk."""
    locked = re.findall(r"^ray==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert [one["spec"]["rayVersion"] for one in of_kind("RayCluster")] == locked


def _open_ports(policy: Object, way: str) -> set[str]:
    """Ports that a policy opens, as a firewall lists them."""
    ports = [port for rule in policy["spec"].get(way, []) for port in rule["ports"] if port["protocol"] == "TCP"]
    return {f"{port['port']}-{port['endPort']}" if "endPort" in port else str(port["port"]) for port in ports}


def test_network_policies_open_the_ports_that_are_used_and_no_other() -> None:
    """SQL and the head's port from the cluster file, Ray's from the program, and names."""
    file = read_named_file(BASE / "cluster.yaml")
    assert file.ray is not None
    sql, head, members = str(file.nodes[0].port), str(file.ray.port), set(RayPorts().open_to_hosts.split(","))
    ways = {"ingress": {sql, head, *members}, "egress": {sql, head, *members, "53"}}
    for way, expected in ways.items():
        assert set().union(*(_open_ports(policy, way) for policy in of_kind("NetworkPolicy"))) == expected


def _peers(policy: Object, way: str, port: str) -> list[dict[str, str]]:
    """Labels of those whom a policy lets through at a port."""
    side = "from" if way == "ingress" else "to"
    rules = [rule for rule in policy["spec"].get(way, []) if port in {str(one["port"]) for one in rule["ports"]}]
    return [peer["podSelector"]["matchLabels"] for rule in rules for peer in rule[side]]


def _lets(pod: PodTemplate, other: PodTemplate, way: str, port: str) -> bool:
    policies = [p for p in of_kind("NetworkPolicy") if "matchLabels" in p["spec"]["podSelector"]]
    own = [p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= pod.labels.items()]
    return any(labels.items() <= other.labels.items() for p in own for labels in _peers(p, way, port))


REACH = {
    "3306": {"StatefulSet/skyshard-czar", "RayCluster/skyshard/head", "Job/skyshard-ingest", "Job/skyshard-bench"},
    "6379": {"StatefulSet/skyshard-czar", "RayCluster/skyshard/head", "Job/skyshard-ingest",
             "StatefulSet/skyshard-node", "RayCluster/skyshard/anywhere"},
}  # fmt: skip
"""Who may reach a node's server, and the head of Ray."""


@pytest.mark.parametrize(
    ("port", "server"), [("3306", "StatefulSet/skyshard-node"), ("6379", "StatefulSet/skyshard-czar")]
)
def test_a_port_is_reached_by_those_who_use_it(port: str, server: str) -> None:
    """Out of the one and into the other: both sides of the policies let it through, for these pods and no others."""
    (target,) = [pod for pod in PODS if pod.name == server]
    found = {p.name for p in PODS if _lets(p, target, "egress", port) and _lets(target, p, "ingress", port)}
    assert found == REACH[port]
