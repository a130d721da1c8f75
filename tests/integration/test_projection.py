"""A small calibration on real servers, warm and cold, and a projection from it; caches that are emptied are empty."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.workload.workload import find_workload
from skyshard.cli.app import app
from skyshard.cli.terminal.json_outputs import validate_output
from skyshard.cluster.cold import Way, make_cold
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

DATABASE = "cold_sky"
ASKED = {"LV": 4, "FTSObj": 11, "FTSSrc": 2}


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """Three classes of the calibration, each asked a few times."""
    content = yaml.safe_load(find_workload("calibration").read_text())
    phases = [phase for phase in content["phases"] if phase["classes"][0]["class"] in ASKED]
    for phase in phases:
        load = phase["classes"][0]
        load.update(warm_up=0, count=ASKED[load["class"]])
    (tmp_path / "workloads").mkdir()
    (tmp_path / "sql").symlink_to(data_folder("queries", "sql"))
    file = tmp_path / "workloads" / "few.yaml"
    file.write_text(yaml.safe_dump(content | {"name": "few", "phases": phases}))
    return file


def test_a_calibration_leads_to_a_projection(short_folder: Path, workload: Path) -> None:
    """Three skies, warm and cold: trials that say which they are, and a page; asked again, nothing is made anew."""
    out = short_folder / "cal"
    words = [
        "bench", "calibrate", "--out", str(out), "--workload", str(workload), "--recipe", "mini", "--thin", "0.2,0.5",
        "--cover", "0.4", "--nodes", "1", "--rounds", "1", "--json",
    ]  # fmt: skip
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    found = validate_output("bench calibrate", made.stdout)
    assert [Path(one).name for one in found.trials] == [
        f"{heat}-1-{sky}" for heat in ("warm", "cold") for sky in ("t0.2", "c0.4", "t0.5")
    ]
    trial = read_trial(out / "cold-1-t0.5")
    assert trial.manifest.target_facts["cache"] == "cold"
    assert trial.summary.n == 4 + 11 + 4
    assert not (out / "cluster").exists()
    assert CliRunner().invoke(app, words).stdout == made.stdout

    page = short_folder / "projection"
    projected = CliRunner().invoke(
        app, ["bench", "project", str(out), "--nodes", "40", "--time", "processor", "--out", str(page), "--json"]
    )
    assert projected.exit_code == 0, projected.output
    content = json.loads(projected.stdout)
    assert [one["class_name"] for one in content["classes"]] == list(ASKED)
    assert content["measured_cold"] == 3
    assert (page / "projection.html").exists()


@pytest.mark.parametrize("way", ["flush", "restart"])
def test_caches_that_are_emptied_are_empty(private_cluster: PrivateCluster, tmp_path: Path, way: Way) -> None:
    """Nodes have no table of the database open, and answer as before."""
    write_catalog(read_recipe("mini"), tmp_path / "sky", fraction=0.1)
    count = "SELECT COUNT(*) AS n FROM Object WHERE ra > -1"
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(tmp_path / "sky", database=DATABASE)
        before = testbed.query(count, database=DATABASE).table.to_pylist()
    assert make_cold(private_cluster, way=way, database=DATABASE) == _files(private_cluster)
    for node in private_cluster.node_names:
        with connect(private_cluster.endpoint(node), Account.ADMIN) as connection:
            assert connection.rows(f"SHOW OPEN TABLES FROM {DATABASE}") == []
    with Testbed(private_cluster.folder) as testbed:
        assert testbed.query(count, database=DATABASE).table.to_pylist() == before


def _files(cluster: PrivateCluster) -> int:
    """Files of the database on the nodes, with those of the engine that keeps all its tables in one folder."""
    folders = [cluster.data_dir(node) / part for node in cluster.node_names for part in (DATABASE, "#rocksdb")]
    return sum(path.is_file() for folder in folders if folder.is_dir() for path in folder.rglob("*"))
