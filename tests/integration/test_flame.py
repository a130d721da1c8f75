"""A flame graph of a scan, or the reason why this host gives none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.mag_catalog import make_catalog
from typer.testing import CliRunner

from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.perf import why_not
from skyshard.scenarios import flame
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
SQL = f"SELECT COUNT(*) FROM Object WHERE {' + '.join(f'SIN(mag + {number})' for number in range(40))} < 99"


def test_a_scan_has_a_flame_graph_or_one_line_why_not(
    private_cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where perf is allowed the server's row reader is seen; elsewhere the command ends as without the option."""
    monkeypatch.setattr(flame, "FLAME_S", 1.0)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(make_catalog(tmp_path / "mags"), database="flame")
        pids = [one.pid for one in testbed.cluster.status() if one.name in testbed.nodes and one.pid is not None]
    words = ["explain", "--analyze", SQL, "--database", "flame", "--cluster", str(private_cluster.folder)]
    found = CliRunner().invoke(app, [*words, "--flame", str(tmp_path / "scan.txt")])
    assert found.exit_code == 0, found.output
    (line,) = [one for one in found.stderr.splitlines() if "flame graph" in one]
    if fault := why_not(pids):
        assert line == f"no flame graph: {fault}"
        assert not (tmp_path / "scan.txt").exists()
        return
    assert line.startswith("flame graph of ")
    stacks = (tmp_path / "scan.txt").read_text()
    assert "sub_select" in stacks or "[mariadbd]" in stacks


def test_a_flame_graph_needs_a_folder_and_a_statement_that_is_answered(
    private_cluster: PrivateCluster, tmp_path: Path
) -> None:
    """Both are said before the servers are looked at."""
    where = ["--database", "flame", "--cluster", str(private_cluster.folder)]
    alone = CliRunner().invoke(app, ["explain", SQL, *where, "--flame", str(tmp_path / "a.svg")])
    assert "give --analyze, too" in str(alone.exception)
    nowhere = CliRunner().invoke(
        app, ["explain", "--analyze", "SELECT 1", *where, "--flame", str(tmp_path / "no" / "a")]
    )
    assert "no folder" in str(nowhere.exception)
