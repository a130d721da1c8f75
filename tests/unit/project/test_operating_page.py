"""What the guide to a cluster on many machines shows: the cluster file, the units of systemd, the ports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.documented import ROOT

from skyshard.catalog.cluster_file import read_named_file
from skyshard.runtime.ray_settings import RayPorts

EXAMPLES = ROOT / "docs" / "examples" / "hosts"
PAGE = (ROOT / "docs" / "how-to" / "operating.md").read_text()


def test_the_cluster_file_is_one() -> None:
    """It has two nodes, and every secret that the script makes."""
    found = read_named_file(EXAMPLES / "cluster.yaml")
    assert found.node_names == ("db1", "db2")
    assert found.tls
    assert found.passwords
    assert found.ray


def test_the_ports_are_those_that_are_used() -> None:
    """In the table, and in the rules of the firewall."""
    listed = RayPorts().open_to_hosts.replace(",", ", ")
    assert f"3306, {listed} }}" in PAGE
    assert f"| {listed.replace('-', ' to ')} |" in PAGE


@pytest.mark.parametrize("unit", ["skyshard-head.service", "skyshard-node@.service"])
def test_units_are_taken_by_systemd(unit: str, tmp_path: Path) -> None:
    """As they are, but for the place of the program."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: install systemd")
    text = (EXAMPLES / unit).read_text().replace("/opt/skyshard/bin/skyshard", sys.executable)
    place = tmp_path / unit.replace("@", "@db1")
    place.write_text(text)
    found = subprocess.run(["systemd-analyze", "verify", place], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
