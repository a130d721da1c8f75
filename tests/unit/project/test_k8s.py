"""The Kubernetes manifests hang together, are pinned and locked down."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.manifests import (
    BASE,
    CONTAINERS,
    K8S,
    KUSTOMIZATIONS,
    OBJECTS,
    PODS,
    SECRETS,
    Object,
    PodTemplate,
    documents,
    of_kind,
    values_of,
)

from skyshard import __version__
from skyshard.host.shipped_data import data_file

each_pod = pytest.mark.parametrize("pod", PODS, ids=[pod.name for pod in PODS])
each_container = pytest.mark.parametrize(
    ("container", "pod"), [(c, pod) for _, c, pod in CONTAINERS], ids=[name for name, _, _ in CONTAINERS]
)


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.yaml")), ids=lambda p: str(p.relative_to(K8S)))
def test_every_file_is_yaml_and_says_what_it_is(path: Path) -> None:
    """Each file parses; each object has kind and version, but for lists of changes and cluster files."""
    for document in documents(path):
        is_object = isinstance(document, dict) and path.name != "cluster.yaml"
        assert not is_object or {"apiVersion", "kind"} <= set(document)
        assert isinstance(document, dict) or {one["op"] for one in document} <= {"add", "replace"}


def test_no_code_stands_among_the_manifests() -> None:
    """Verbs live in src, nouns here; what makes secrets needs nothing of the package."""
    assert not list(K8S.rglob("*.py"))
    assert [path.name for path in K8S.rglob("*.sh")] == ["secrets.sh"]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda p: str(p.parent.relative_to(K8S)))
def test_a_kustomization_lists_what_is_there_and_nothing_is_left_out(path: Path) -> None:
    """Every listed file exists, and every file beside it is listed."""
    content = documents(path)[0]
    made = content.get("configMapGenerator", [])
    generated = [name for one in made for name in (*one.get("files", []), *one.get("envs", []))]
    listed = {*content["resources"], *generated, *(patch["path"] for patch in content.get("patches", []))}
    for name in listed:
        assert (path.parent / name).exists()
    assert {p.name for p in path.parent.iterdir()} - {"kustomization.yaml"} <= listed


@each_pod
def test_selectors_agree_with_the_labels_of_their_pods(pod: PodTemplate) -> None:
    """What a workload selects is what its pods carry."""
    selector = pod.workload["spec"].get("selector", {}).get("matchLabels", {})
    assert selector.items() <= pod.labels.items()
    assert selector or pod.workload["kind"] in {"Job", "RayCluster"}


@pytest.mark.parametrize("service", of_kind("Service"), ids=lambda s: s["metadata"]["name"])
def test_a_service_names_pods_before_they_are_ready_and_finds_their_ports(service: Object) -> None:
    """Who answers to a service has its port by name, and a name while it is not ready."""
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    found = [pod for pod in PODS if service["spec"]["selector"].items() <= pod.labels.items()]
    assert found
    for pod in found:
        ports = {port["name"] for c in pod.containers for port in c.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("workload", of_kind("StatefulSet"), ids=lambda w: w["metadata"]["name"])
def test_a_stateful_set_has_its_service(workload: Object) -> None:
    """The governing service exists."""
    assert workload["spec"]["serviceName"] in {service["metadata"]["name"] for service in of_kind("Service")}


def test_one_node_at_a_time_may_be_moved() -> None:
    """The budget selects the nodes, and lets one that does not run be moved at any time."""
    (budget,) = of_kind("PodDisruptionBudget")
    nodes = [pod.name for pod in PODS if matches(budget["spec"]["selector"], pod.labels)]
    assert nodes == ["StatefulSet/skyshard-node"]
    assert (budget["spec"]["maxUnavailable"], budget["spec"]["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def matches(selector: Object, labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(e["operator"] == "Exists" for e in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(e["key"] in labels for e in expressions)


@pytest.mark.parametrize("policy", of_kind("NetworkPolicy"), ids=lambda p: p["metadata"]["name"])
def test_a_network_policy_selects_pods_that_exist(policy: Object) -> None:
    """Neither side of a rule names labels that no pod of ours carries, and no rule is open to all ports."""
    peers = [peer for key in ("from", "to") for rule in values_of(policy["spec"], key) for peer in rule]
    own = [peer["podSelector"] for peer in peers if "podSelector" in peer]
    for selector in [policy["spec"]["podSelector"], *own]:
        assert any(matches(selector, pod.labels) for pod in PODS)
    for rule in (*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])):
        assert rule["ports"]
        assert rule.get("from") or rule.get("to")


def test_every_pod_is_shut_off_by_default() -> None:
    """The policy that denies everything selects every pod, both ways."""
    deny = next(p for p in of_kind("NetworkPolicy") if p["metadata"]["name"] == "skyshard-deny-all")
    assert all(matches(deny["spec"]["podSelector"], pod.labels) for pod in PODS)
    assert set(deny["spec"]) == {"podSelector", "policyTypes"}
    assert set(deny["spec"]["policyTypes"]) == {"Ingress", "Egress"}


@each_pod
def test_mounts_and_volumes_agree(pod: PodTemplate) -> None:
    """Every mount has a volume, every volume is mounted, and what is configuration or secret cannot be written."""
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])} | pod.claims
    mounts = [mount for container in pod.containers for mount in container["volumeMounts"]]
    assert {mount["name"] for mount in mounts} == set(volumes)
    for mount in mounts:
        is_given = {"secret", "configMap"} & set(volumes[mount["name"]])
        assert mount.get("readOnly", False) is bool(is_given)
    assert all(claim["spec"]["accessModes"] == ["ReadWriteOnce"] for claim in pod.claims.values())


@each_pod
def test_what_a_pod_refers_to_exists(pod: PodTemplate) -> None:
    """Config maps, claims, secrets and the service account are made by the base, by ``secrets.sh``, or by the czar."""
    made = {one["name"] for one in documents(BASE / "kustomization.yaml")[0]["configMapGenerator"]}
    (czar,) = [one for one in PODS if one.name == "StatefulSet/skyshard-czar"]
    claims = {f"{name}-skyshard-czar-0" for name in czar.claims}
    assert claims == {claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim")}
    for volume in pod.spec.get("volumes", []):
        if "configMap" in volume:
            assert volume["configMap"]["name"] in made
        if "secret" in volume:
            assert volume["secret"]["secretName"] in SECRETS
            assert volume["secret"]["defaultMode"] == 0o400
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in claims
    for source in values_of(pod.template, "configMapRef"):
        assert source["name"] in made
    assert not list(values_of(pod.template, "secretKeyRef"))
    assert pod.spec["serviceAccountName"] in {one["metadata"]["name"] for one in of_kind("ServiceAccount")}


def _mounts(pod: PodTemplate) -> dict[str, str]:
    """Where a pod has its volumes; each at one place, in all containers that have it."""
    places = {(mount["name"], mount["mountPath"]) for c in pod.containers for mount in c["volumeMounts"]}
    assert len(dict(places)) == len(places)
    return dict(places)


def test_a_volume_is_at_one_place_in_all_pods() -> None:
    """Paths of the cluster file and of the cluster's record mean the same in every pod."""
    places = {(name, path) for pod in PODS for name, path in _mounts(pod).items() if name != "staging"}
    assert len(dict(places)) == len(places)


@each_container
def test_containers_are_locked_down(container: Object, pod: PodTemplate) -> None:
    """Not root, no new privileges, no capabilities, a read-only root, memory bounded, no token of the API."""
    assert pod.spec["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 999, "runAsGroup": 999, "fsGroup": 999,
        "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False


PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@each_container
def test_probes_ask_whether_a_port_of_the_container_listens(container: Object, pod: PodTemplate) -> None:
    """No probe starts a program or needs HTTP; what lasts has one."""
    ports = {port["name"] for port in container.get("ports", [])}
    for probe in filter(None, map(container.get, PROBES)):
        assert set(probe) & {"tcpSocket", "exec", "httpGet", "grpc"} == {"tcpSocket"}
        assert probe["tcpSocket"]["port"] in ports
    lasts = container.get("restartPolicy") == "Always" or pod.workload["kind"] != "Job"
    assert bool(set(PROBES) & set(container)) is lasts


def test_no_server_is_killed_while_it_recovers() -> None:
    """A supervisor mends what it can; Kubernetes waits for minutes before it ends all of a pod."""
    servers = [c for _, c, pod in CONTAINERS if pod.workload["kind"] == "StatefulSet"]
    assert servers
    for container in servers:
        alive, begins = container["livenessProbe"], container["startupProbe"]
        assert alive["periodSeconds"] * alive["failureThreshold"] >= 600
        assert begins["periodSeconds"] * begins["failureThreshold"] >= 1800


def test_images_are_pinned() -> None:
    """Every image gets an exact tag, that of this package; the image itself begins with one."""
    pins = [pin for path in KUSTOMIZATIONS for pin in documents(path)[0].get("images", [])]
    assert pins
    assert all(pin == {"name": "skyshard", "newTag": __version__} for pin in pins)
    assert {c["image"] for _, c, _ in CONTAINERS} == {"skyshard"}
    froms = re.findall(r"^FROM (\S+)", (K8S / "image/Dockerfile").read_text(), re.MULTILINE)
    assert len(set(froms)) == 1
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in froms)


def test_the_image_has_the_user_and_the_paths_of_the_manifests() -> None:
    """The user of the pods, and the recipes that jobs name."""
    dockerfile = (K8S / "image/Dockerfile").read_text()
    assert re.search(r"^USER 999:999$", dockerfile, re.MULTILINE)
    (target,) = re.findall(r"^COPY synth/recipes (\S+)$", dockerfile, re.MULTILINE)
    named = [word for one in OBJECTS for words in values_of(one, "command") for word in words if "/recipes/" in word]
    assert named
    for word in named:
        assert Path(word).parent == Path(target)
        assert data_file("synth", "recipes", Path(word).name)


def test_nodes_keep_data_and_staging_on_one_volume() -> None:
    """Hard links lead from one to the other; a test of rendered objects compares the rest with the cluster file."""
    content: Any = documents(BASE / "cluster.yaml")[0]
    (node,) = [pod for pod in PODS if pod.name == "StatefulSet/skyshard-node"]
    volume = Path(_mounts(node)["data"])
    assert Path(content["defaults"]["data"]).parent == Path(content["defaults"]["staging"]).parent == volume
