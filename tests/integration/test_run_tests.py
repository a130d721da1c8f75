"""How `make test` tells a test that is unsteady from one that fails, with a pytest of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "run_tests.sh"
FAILS_ONCE = (
    "def test_once(): import pathlib; seen = pathlib.Path('seen'); was = seen.exists(); seen.touch(); assert was"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose tests are few: the script, and an environment to run it with."""
    (tmp_path / "tools").mkdir()
    shutil.copy(SCRIPT, tmp_path / "tools")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def run_tests(checkout: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    (checkout / "test_these.py").write_text("\n".join(lines))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    clean |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist"}
    return subprocess.run(
        ["tools/run_tests.sh", "-q"], cwd=checkout, env=clean, capture_output=True, text=True, check=False
    )


def test_one_that_passes_alone_is_named_as_unsteady(checkout: Path) -> None:
    done = run_tests(checkout, FAILS_ONCE, "def test_good(): pass")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "unsteady, mend it: test_these.py::test_once"


def test_one_that_fails_alone_too_is_a_failure(checkout: Path) -> None:
    done = run_tests(checkout, FAILS_ONCE, "def test_bad(): assert False")
    assert done.returncode == 1
    assert "unsteady" not in done.stdout


def test_many_failures_are_not_asked_again(checkout: Path) -> None:
    done = run_tests(checkout, *(f"def test_{number}(): assert False" for number in range(6)))
    assert done.returncode == 1
    assert "asking once more" not in done.stdout


def test_all_good_or_none_there_ends_as_pytest_does(checkout: Path) -> None:
    assert run_tests(checkout, "def test_good(): pass").returncode == 0
    assert run_tests(checkout, "def nothing(): pass").returncode == 5
    assert run_tests(checkout, "import nowhere").returncode == 2
