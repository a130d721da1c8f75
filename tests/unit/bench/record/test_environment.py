"""The environment of a trial."""

from __future__ import annotations

import getpass
import platform

from skyshard.bench.record.environment import capture_environment


def test_the_environment_tells_code_packages_and_hardware() -> None:
    """What a comparison needs to know is there."""
    found = capture_environment()
    assert found.python == platform.python_version()
    assert "pyarrow" in found.packages
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 20
    assert found.cpu_model


def test_the_environment_names_neither_host_nor_user() -> None:
    """A trial folder may be published."""
    text = capture_environment().model_dump_json()
    assert f'"{platform.node()}"' not in text
    assert f'"{getpass.getuser()}"' not in text
