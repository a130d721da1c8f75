"""The process of a front door: where it is, and what else it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.scenarios.experiment.served_door import opened_doors

READY = """
import sys
from pathlib import Path
for said in ("http is ready at http://127.0.0.1:81/", "mysql is ready at mysql://127.0.0.1:33", "all doors are open"):
    print(said, file=sys.stderr, flush=True)
print("a query failed\\n" * 100_000, file=sys.stderr)
Path(sys.argv[1]).touch()
"""


def started(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)


def test_a_door_that_says_much_goes_on(tmp_path: Path) -> None:
    """Its pipe holds 64 KiB: what comes after the doors are open is read, too."""
    process = started(READY, str(tmp_path / "said"))
    assert opened_doors(process) == ("127.0.0.1:81", "127.0.0.1:33")
    assert process.wait(10) == 0
    assert (tmp_path / "said").exists()


def test_a_door_that_ends_says_why() -> None:
    """With its last words and exit code."""
    with pytest.raises(ClusterError) as caught:
        opened_doors(started("raise SystemExit('no such cluster')"))
    assert str(caught.value) == "`skyshard serve` ended with exit code 1: no such cluster"
