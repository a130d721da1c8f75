"""The environment of a trial: code, packages, hardware, kernel. Contains no name of a host or a user."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from skyshard.basics.release import VERSION
from skyshard.host.shipped_data import checkout

PACKAGES = ("numpy", "pyarrow", "pymysql", "ray", "sqlalchemy", "sqlglot")


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


def capture_environment() -> Environment:
    """The environment of this process, now."""
    return Environment(
        skyshard=VERSION,
        revision=_revision(),
        python=platform.python_version(),
        packages={name: version for name in PACKAGES if (version := _version(name))},
        cpu_model=_cpu_model(),
        cores=len(psutil.Process().cpu_affinity() or []) or (psutil.cpu_count() or 1),
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
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


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
