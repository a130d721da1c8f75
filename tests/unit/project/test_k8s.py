"""The Kubernetes manifests hang together, are pinned and locked down, and render to valid objects."""

import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard import __version__
from skyshard.cluster.accounts import ACCOUNT_STATEMENTS
from skyshard.cluster.server_options import Tuning, server_options
from skyshard.host.shipped_data import checkout, data_folder

K8S = data_folder("k8s")
KUSTOMIZATIONS = sorted(K8S.rglob("kustomization.yaml"))
BASE = K8S / "base"
WORKLOADS = {"StatefulSet", "Deployment", "Job", "RayCluster"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


OBJECTS = [document for path in sorted(BASE.glob("*.yaml")) if path.name != "kustomization.yaml"
           for document in documents(path)]  # fmt: skip
BY_KIND = {kind: [o for o in OBJECTS if o["kind"] == kind] for kind in {o["kind"] for o in OBJECTS}}


def template_of(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"]
    template: dict[str, Any] = (spec["headGroupSpec"] if workload["kind"] == "RayCluster" else spec)["template"]
    return template


PODS = [(f"{o['kind']}/{o['metadata']['name']}", o, template_of(o)) for o in OBJECTS if o["kind"] in WORKLOADS]
CONTAINERS = [(f"{name}/{c['name']}", c, t) for name, _, t in PODS for c in t["spec"]["containers"]]
each_pod = pytest.mark.parametrize(("workload", "template"), [(o, t) for _, o, t in PODS], ids=[n for n, _, _ in PODS])
each_container = pytest.mark.parametrize(
    ("container", "template"), [(c, t) for _, c, t in CONTAINERS], ids=[n for n, _, _ in CONTAINERS]
)


def values_of(node: object, key: str) -> Iterator[Any]:
    """Every value of a key, anywhere below."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(value, key)


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.yaml")), ids=lambda p: str(p.relative_to(K8S)))
def test_every_file_is_yaml_and_says_what_it_is(path: Path) -> None:
    """Each file parses; each object but a patch has kind and version."""
    for document in documents(path):
        assert isinstance(document, dict) or path.name == "small.yaml"
        if isinstance(document, dict):
            assert {"apiVersion", "kind"} <= set(document)


def test_no_code_stands_among_the_manifests() -> None:
    """Verbs live in src, nouns here."""
    assert not list(K8S.rglob("*.py"))


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda p: str(p.parent.relative_to(K8S)))
def test_a_kustomization_lists_what_is_there_and_nothing_is_left_out(path: Path) -> None:
    """Every listed file exists, and every file beside it is listed."""
    content = documents(path)[0]
    generated = [name for one in content.get("configMapGenerator", []) for name in one.get("files", [])]
    patches = [patch["path"] for patch in content.get("patches", [])]
    listed = {*content["resources"], *generated, *patches}
    for name in listed:
        assert (path.parent / name).exists()
    assert {p.name for p in path.parent.iterdir()} - {"kustomization.yaml"} <= listed


@each_pod
def test_selectors_agree_with_the_labels_of_their_pods(workload: dict[str, Any], template: dict[str, Any]) -> None:
    """What a workload selects is what its pods carry."""
    selector = workload["spec"].get("selector", {}).get("matchLabels", {})
    assert selector.items() <= template["metadata"]["labels"].items()
    assert selector or workload["kind"] in {"Job", "RayCluster"}


@pytest.mark.parametrize("service", BY_KIND["Service"], ids=lambda s: s["metadata"]["name"])
def test_a_service_finds_pods_and_their_ports(service: dict[str, Any]) -> None:
    """Exactly one workload answers to a service, and has the port by name."""
    selector = service["spec"]["selector"].items()
    found = [t for _, _, t in PODS if selector <= t["metadata"]["labels"].items()]
    assert len(found) == 1
    ports = {port["name"] for c in found[0]["spec"]["containers"] for port in c.get("ports", [])}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("workload", BY_KIND["StatefulSet"], ids=lambda w: w["metadata"]["name"])
def test_a_stateful_set_has_its_service(workload: dict[str, Any]) -> None:
    """The governing service exists."""
    assert workload["spec"]["serviceName"] in {service["metadata"]["name"] for service in BY_KIND["Service"]}


def matches(selector: dict[str, Any], labels: dict[str, Any]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(e["operator"] == "Exists" for e in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(e["key"] in labels for e in expressions)


@pytest.mark.parametrize("policy", BY_KIND["NetworkPolicy"], ids=lambda p: p["metadata"]["name"])
def test_a_network_policy_selects_pods_that_exist(policy: dict[str, Any]) -> None:
    """Neither side of a rule names labels that no pod of ours carries."""
    own = [policy["spec"]["podSelector"]]
    peers = [peer for key in ("from", "to") for rule in values_of(policy["spec"], key) for peer in rule]
    own += [peer["podSelector"] for peer in peers if "podSelector" in peer and "namespaceSelector" not in peer]
    for selector in own:
        assert any(matches(selector, t["metadata"]["labels"]) for _, _, t in PODS)


def test_every_pod_is_shut_off_by_default() -> None:
    """The policy that denies everything selects every pod, both ways."""
    deny = next(p for p in BY_KIND["NetworkPolicy"] if p["metadata"]["name"] == "skyshard-deny-all")
    assert all(matches(deny["spec"]["podSelector"], t["metadata"]["labels"]) for _, _, t in PODS)
    assert set(deny["spec"]) == {"podSelector", "policyTypes"}
    assert set(deny["spec"]["policyTypes"]) == {"Ingress", "Egress"}


@each_pod
def test_mounts_and_volumes_agree(workload: dict[str, Any], template: dict[str, Any]) -> None:
    """Every mount has a volume and every volume is mounted."""
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in template["spec"].get("volumes", [])} | claims
    mounts = {mount["name"] for c in template["spec"]["containers"] for mount in c["volumeMounts"]}
    assert mounts == volumes


@each_pod
def test_what_a_pod_refers_to_exists(workload: dict[str, Any], template: dict[str, Any]) -> None:
    """Config maps, claims, secrets and the service account are made by base or overlay, with the keys that are used."""
    base, laptop = documents(BASE / "kustomization.yaml")[0], documents(K8S / "overlays/laptop/kustomization.yaml")[0]
    config = {one["name"]: one["files"] for one in base["configMapGenerator"]}
    secrets = {one["name"]: {s.partition("=")[0] for s in one["literals"]} for one in laptop["secretGenerator"]}
    for volume in template["spec"].get("volumes", []):
        if "configMap" in volume:
            mounts = [
                m for c in template["spec"]["containers"] for m in c["volumeMounts"] if m["name"] == volume["name"]
            ]
            assert {mount["subPath"] for mount in mounts} <= set(config[volume["configMap"]["name"]])
        if "persistentVolumeClaim" in volume:
            names = {claim["metadata"]["name"] for claim in BY_KIND["PersistentVolumeClaim"]}
            assert volume["persistentVolumeClaim"]["claimName"] in names
    for reference in values_of(template, "secretKeyRef"):
        assert reference["key"] in secrets[reference["name"]]
    assert template["spec"]["serviceAccountName"] in {one["metadata"]["name"] for one in BY_KIND["ServiceAccount"]}


def test_the_worker_shares_the_data_of_its_server() -> None:
    """MariaDB and the Ray worker of a node mount one data volume at one place, as one user."""
    node = next(t for name, _, t in PODS if name == "StatefulSet/skyshard-node")["spec"]
    mounts = {c["name"]: {m["name"]: m["mountPath"] for m in c["volumeMounts"]} for c in node["containers"]}
    assert mounts["mariadb"]["data"] == mounts["ray-worker"]["data"] == "/var/lib/mysql"
    assert mounts["mariadb"]["run"] == mounts["ray-worker"]["run"]
    assert all("runAsUser" not in c["securityContext"] for c in node["containers"])


@each_container
def test_containers_are_locked_down(container: dict[str, Any], template: dict[str, Any]) -> None:
    """Not root, no new privileges, no capabilities, a read-only root, memory bounded, no token of the API."""
    own, pod = container["securityContext"], template["spec"]["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert template["spec"]["automountServiceAccountToken"] is False


@each_container
def test_lasting_containers_have_probes(container: dict[str, Any], template: dict[str, Any]) -> None:
    """Kubernetes can tell whether a server or worker is ready; KubeRay probes the head itself, a job has no need."""
    if template["metadata"]["labels"]["skyshard/component"] in {"node", "czar"}:
        assert "readinessProbe" in container


def test_images_are_pinned() -> None:
    """Every image gets an exact tag: MariaDB's patch release, and the version of this package."""
    pins = {one["name"]: one["newTag"] for one in documents(BASE / "kustomization.yaml")[0]["images"]}
    assert {c["image"] for _, c, _ in CONTAINERS} == set(pins)
    assert pins["skyshard"] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["mariadb"])
    froms = re.findall(r"^FROM (\S+)", (K8S / "image/Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in froms)


def test_ray_has_one_version() -> None:
    """The cluster's Ray is the one that is locked; a head and workers of different versions do not talk."""
    project = checkout()
    if project is None:
        pytest.skip("an installed package has no lock file")
    locked = re.findall(r"^ray==(\S+)$", (project / "requirements.lock").read_text(), re.MULTILINE)
    assert [BY_KIND["RayCluster"][0]["spec"]["rayVersion"]] == locked


def test_the_servers_are_tuned_as_private_ones() -> None:
    """Each option of mariadb.cnf that a private node has, has the same value, up to what a pod must decide itself."""
    lines = (BASE / "mariadb.cnf").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    here = {name.strip(): value.strip() for name, _, value in pairs}
    private = dict(option.partition("=")[::2] for option in server_options(Tuning(), open_files=100_000))
    differs = {"innodb-buffer-pool-size", "table-open-cache"}
    assert set(here) <= set(private)
    assert {name for name in here if here[name] != private[name]} <= differs


def test_accounts_have_the_grants_of_private_servers() -> None:
    """The script makes the same accounts with the same grants, reachable over the network and with passwords."""
    script = (BASE / "accounts.sh").read_text().replace("\\`", "`").replace("\\\\", "\\")
    for statement in ACCOUNT_STATEMENTS:
        expected = statement.replace("@localhost", "@'%'")
        assert expected in script
    users = re.findall(r"CREATE USER IF NOT EXISTS (\w+)@'%' IDENTIFIED BY '\$\{(\w+)\}'", script)
    assert len(users) == sum("CREATE USER" in statement for statement in ACCOUNT_STATEMENTS)


needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def render(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@needs_kubectl
@pytest.mark.timeout(30)
@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda p: str(p.parent.relative_to(K8S)))
def test_rendered_objects_are_valid_kubernetes(path: Path) -> None:
    """`kubectl kustomize` renders, all images carry a tag, and every object fits the schema of Kubernetes."""
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    objects = render(path.parent)
    assert {o["kind"] for o in objects} >= {"StatefulSet", "Service", "NetworkPolicy", "Job", "RayCluster", "ConfigMap"}
    assert all(re.search(r":[\w.-]+$", image) for o in objects for image in values_of(o, "image"))
    for rendered in objects:
        checked = rendered
        if rendered["kind"] == "RayCluster":  # its pods are Kubernetes' own; the rest is KubeRay's
            checked = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "head"}} | {
                "spec": template_of(rendered)["spec"]
            }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            schemas.validate(checked, "1.32", strict=True)


@needs_kubectl
@pytest.mark.timeout(30)
def test_the_laptop_overlay_is_small_and_stands_alone() -> None:
    """Two nodes, everything in one namespace, and the secret that the base expects."""
    objects = render(K8S / "overlays/laptop")
    node = next(o for o in objects if o["kind"] == "StatefulSet" and o["metadata"]["name"] == "skyshard-node")
    assert node["spec"]["replicas"] == 2
    assert all(o["metadata"].get("namespace") == "skyshard" for o in objects if o["kind"] != "Namespace")
    made = {o["metadata"]["name"] for o in objects if o["kind"] in {"Secret", "ConfigMap"}}
    assert {reference["name"] for o in objects for reference in values_of(o, "secretKeyRef")} <= made
    assert {volume["name"] for o in objects for volume in values_of(o, "configMap")} <= made
