"""What `kubectl kustomize` renders of `k8s/` fits the schemas of Kubernetes, and a RayCluster KubeRay's."""

import json
import re
import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.manifests import K8S, KUSTOMIZATIONS, OVERLAYS, Object, cluster_file, pod_templates, values_of

VERSION = "1.32"
"""The oldest Kubernetes whose schemas are locked here; sidecars are what needs 1.29."""
KUBERAY_SCHEMA = Path(__file__).parents[2] / "kuberay" / "raycluster-v1.schema.json"

pytestmark = [
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
    pytest.mark.timeout(30),
]
each_kustomization = pytest.mark.parametrize(
    "folder", [path.parent for path in KUSTOMIZATIONS], ids=lambda p: str(p.relative_to(K8S))
)
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda p: p.name)


@cache
def render(folder: Path) -> list[Object]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    if "labels" in done.stderr:
        pytest.skip("this kubectl is too old for `labels` of a kustomization")
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@cache
def fault_of(written: str) -> str:
    """What the schema of Kubernetes finds in an object, given as JSON; overlays share most of theirs."""
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            schemas.validate(json.loads(written), VERSION, strict=True)
        except schemas.ValidationError as error:
            return str(error.message)
    return ""


def test_the_schema_finds_a_wrong_key() -> None:
    """The check of the objects is seen to fail."""
    assert "nope" in fault_of(
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [], "nope": 1}}'
    )


@each_kustomization
def test_rendered_objects_are_valid_kubernetes(folder: Path) -> None:
    """All images carry a tag, and every object, and every pod of a RayCluster, fits the schema of Kubernetes."""
    objects = render(folder)
    assert all(re.search(r":[\w.-]+$", image) for one in objects for image in values_of(one, "image"))
    for rendered in objects:
        checked = [rendered]
        if rendered["kind"] == "RayCluster":
            pods = [one.template | {"metadata": one.template["metadata"] | {"name": "pod"}} for one in
                    pod_templates(rendered)]  # fmt: skip
            checked = [{"apiVersion": "v1", "kind": "Pod"} | pod for pod in pods]
        for one in checked:
            assert fault_of(json.dumps(one, sort_keys=True)) == ""


def closed(schema: Any) -> Any:
    """A schema that knows no other keys than those that it names, and an int-or-string as such."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def ray_faults(ray: Object) -> list[str]:
    """What KubeRay's schema finds in a RayCluster."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = closed(json.loads(KUBERAY_SCHEMA.read_text(encoding="utf-8")))
    schema["properties"]["metadata"] = {"type": "object"}
    return [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(ray)]


def test_the_ray_cluster_is_valid_for_kuberay() -> None:
    """Strictly: a wrong key and a wrong mode are found."""
    (ray,) = [one for one in render(K8S / "overlays/raycluster") if one["kind"] == "RayCluster"]
    assert ray_faults(ray) == []
    wrong = ray | {"spec": ray["spec"] | {"authOptions": {"mode": "tokens", "secretname": "x"}}}
    assert len(ray_faults(wrong)) == 2


@each_overlay
def test_an_overlay_stands_alone(overlay: Path) -> None:
    """All in one namespace; the config map holds the cluster file of the overlay; the czar is there once."""
    objects = render(overlay)
    assert {o["metadata"].get("namespace") for o in objects if o["kind"] != "Namespace"} == {"skyshard"}
    maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    assert maps["skyshard-cluster"] == {"cluster.yaml": cluster_file(overlay).read_text(encoding="utf-8")}
    czars = [pod for o in objects for pod in pod_templates(o) if pod.labels["skyshard/component"] == "czar"]
    assert len(czars) == 1


@each_overlay
def test_an_overlay_has_the_nodes_of_its_cluster_file(overlay: Path) -> None:
    """As many replicas as names, and a pod asks for the cores that its node is said to have."""
    (nodes,) = [o for o in render(overlay) if o["kind"] == "StatefulSet" and o["metadata"]["name"] == "skyshard-node"]
    file = yaml.safe_load(cluster_file(overlay).read_text(encoding="utf-8"))
    ((last,),) = [re.findall(r"^skyshard-node-\{0\.\.(\d+)\}$", one["names"]) for one in file["nodes"]]
    assert nodes["spec"]["replicas"] == int(last) + 1
    (container,) = nodes["spec"]["template"]["spec"]["containers"]
    asked = container["resources"]["requests"]["cpu"]
    assert file["defaults"]["cores"] == (1 if asked.endswith("m") else int(asked))
