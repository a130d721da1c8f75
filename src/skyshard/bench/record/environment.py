"""The environment of a trial: code, packages, hardware, kernel. Contains no name of a host or a user."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from skyshard.basics.readable import binary_bytes
from skyshard.basics.release import VERSION
from skyshard.host.processor import cores_here, cpu_model
from skyshard.host.shipped_data import checkout

PACKAGES = ("numpy", "pyarrow", "pymysql", "ray", "sqlalchemy", "sqlglot")


class NodeMachine(BaseModel):
    """The machine of a node on another host, as the worker beside it says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skyshard: str
    python: str
    ray: str
    cpu_model: str
    cores: int
    """Logical cores that the worker may use."""
    memory_bytes: int
    kernel: str

    @property
    def hardware(self) -> str:
        """Processor, cores and memory in a few words."""
        return f"{self.cpu_model}, {self.cores} cores, {binary_bytes(self.memory_bytes)}"

    @property
    def software(self) -> str:
        return f"Skyshard {self.skyshard} on Python {self.python}, Ray {self.ray}, {self.kernel}"


class Environment(BaseModel):
    """What a trial ran on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skyshard: str
    """Version of the package."""
    revision: str
    """Revision of the checkout, with ``+`` when files differ from it; empty for an installed package."""
    python: str
    packages: dict[str, str]
    cpu_model: str
    cores: int
    """Logical cores that this process may use."""
    memory_bytes: int
    kernel: str
    nodes: dict[str, NodeMachine] = {}
    """The machines of nodes on other hosts; empty where all nodes are on this one, or their workers were not asked."""


def capture_environment(nodes: Mapping[str, NodeMachine] | None = None) -> Environment:
    """The environment of this process, now, and the machines of nodes on other hosts."""
    return Environment(
        skyshard=VERSION,
        revision=_revision(),
        python=platform.python_version(),
        packages={name: version for name in PACKAGES if (version := _version(name))},
        cpu_model=cpu_model(),
        cores=cores_here(),
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
        nodes=dict(nodes or {}),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _revision() -> str:
    folder = checkout()
    if folder is None or not (head := _git(folder, "rev-parse", "--short=12", "HEAD")):
        return ""
    return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
