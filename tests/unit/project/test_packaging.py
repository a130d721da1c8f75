"""pyproject.toml and requirements.lock agree, and neither names a machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


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
