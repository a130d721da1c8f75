"""pyproject.toml and requirements.lock agree, and neither names a machine."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).resolve().parents[3]
COMES_WITH = {"pydantic-core": "pydantic"}
"""Packages that another one brings along in the one version that fits it."""
STUBS = {"_typeshed"}
"""What only type checkers know."""


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s;\[<>=!~]", name, maxsplit=1)[0]).lower()


@pytest.fixture(scope="module")
def locked() -> list[str]:
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_dependency_is_locked(locked: list[str]) -> None:
    """`make lock` was run after the last change of the dependencies."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {plain(name) for name in [*project["dependencies"], *extras["dev"], *extras["docs"]]}
    assert wanted <= {plain(line) for line in locked}


def test_every_locked_package_has_one_exact_version(locked: list[str]) -> None:
    """Two machines install the same versions, from whatever index they use."""
    for line in locked:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.+]+( ; .+)?", line), line


def test_every_package_that_the_code_imports_is_declared() -> None:
    """As a dependency, or as one of an extra where a target needs it: an installation misses none."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = [*extras["duckdb"], *extras["lsdb"], *extras["postgresql"]]
    declared = {plain(name) for name in [*project["dependencies"], *optional]}
    graph = grimp.build_graph("skyshard", include_external_packages=True, cache_dir=None)
    imported = {name.split(".")[0] for name in graph.modules if not name.startswith("skyshard")}
    owners = packages_distributions()
    for name in sorted(imported - STUBS - set(sys.stdlib_module_names)):
        known = {COMES_WITH.get(plain(owner), plain(owner)) for owner in owners.get(name, [name])}
        assert known & declared, f"{name} of {known}"
