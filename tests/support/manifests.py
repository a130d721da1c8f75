"""The manifests of ``k8s/`` as objects, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skyshard.host.shipped_data import data_folder

K8S = data_folder("k8s")
BASE = K8S / "base"
OVERLAYS = sorted(path.parent for path in (K8S / "overlays").glob("*/kustomization.yaml"))
KUSTOMIZATIONS = sorted(K8S.rglob("kustomization.yaml"))
Object = dict[str, Any]
SECRETS = {
    "skyshard-passwords": {"admin", "loader", "carrier", "reader", "writer"},
    "skyshard-ray": {"auth_token"},
    "skyshard-tls": {"ca.crt", "tls.crt", "tls.key"},
}
"""The secrets that pods mount, with their keys; ``k8s/secrets.sh`` makes them."""


def documents(path: Path) -> list[Any]:
    """What a file of YAML holds."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


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


@dataclass(frozen=True)
class PodTemplate:
    """One pod template of a workload."""

    name: str
    workload: Object
    template: Object

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.template["metadata"]["labels"]
        return found

    @property
    def spec(self) -> Object:
        found: Object = self.template["spec"]
        return found

    @property
    def containers(self) -> list[Object]:
        """Those that come first, and those that stay."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def claims(self) -> dict[str, Object]:
        """Claims that the workload makes for each pod, by the name of their volume."""
        made = self.workload["spec"].get("volumeClaimTemplates", [])
        return {claim["metadata"]["name"]: claim for claim in made}


def pod_templates(workload: Object) -> list[PodTemplate]:
    """The pod templates of an object; none of most kinds."""
    name, spec = f"{workload['kind']}/{workload['metadata']['name']}", workload.get("spec", {})
    if workload["kind"] == "RayCluster":
        groups = [("head", spec["headGroupSpec"]), *((one["groupName"], one) for one in spec["workerGroupSpecs"])]
        return [PodTemplate(f"{name}/{group}", workload, one["template"]) for group, one in groups]
    return [PodTemplate(name, workload, spec["template"])] if "template" in spec else []


FILES = [
    *(path for path in sorted(BASE.glob("*.yaml")) if path.name not in {"kustomization.yaml", "cluster.yaml"}),
    *sorted(K8S.glob("jobs/*/job.yaml")),
    K8S / "overlays" / "raycluster" / "ray.yaml",
]
OBJECTS: list[Object] = [document for path in FILES for document in documents(path)]
PODS = [template for one in OBJECTS for template in pod_templates(one)]
CONTAINERS = [(f"{pod.name}/{container['name']}", container, pod) for pod in PODS for container in pod.containers]


def of_kind(kind: str) -> list[Object]:
    return [one for one in OBJECTS if one["kind"] == kind]


def cluster_file(overlay: Path) -> Path:
    """The cluster file that an overlay's pods read: its own, or that of the overlay that it builds on."""
    if (overlay / "cluster.yaml").exists():
        return overlay / "cluster.yaml"
    (below,) = [name for name in documents(overlay / "kustomization.yaml")[0]["resources"] if name.startswith("../")]
    return cluster_file((overlay / below).resolve())
