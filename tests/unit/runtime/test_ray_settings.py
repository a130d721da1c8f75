"""The settings that every process of Ray is given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from skyshard.runtime.ray_settings import ACROSS_HOSTS, LOOPBACK_ONLY, PATIENT, QUIET, TOKEN_MODE, TOKEN_PATH


@pytest.fixture(scope="module")
def program() -> bytes:
    """What Ray reads its settings with: a library, and Python."""
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    files = sorted(
        file for place in ("_private", "_common") for file in Path(spec.origin).parent.glob(f"{place}/**/*.py")
    )
    return b"".join(file.read_bytes() for file in (Path(spec.origin).with_name("_raylet.so"), *files))


@pytest.mark.parametrize("name", [*ACROSS_HOSTS, *LOOPBACK_ONLY, *PATIENT, *QUIET, TOKEN_MODE, TOKEN_PATH])
def test_ray_has_every_setting_that_it_is_given(name: str, program: bytes) -> None:
    """A release of Ray that has none of that name would pass over it without a word."""
    assert name.encode() in program
