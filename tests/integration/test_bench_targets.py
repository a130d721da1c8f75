"""One workload against several engines over the same rows: answers are compared."""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.target import NullTarget
from skyshard.bench.targets.duckdb_target import DuckDBTarget
from skyshard.bench.targets.url_target import UrlTarget
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.shipped_data import data_folder
from skyshard.scenarios.open_target import open_target
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

DATABASE = "bench_targets"
WORKLOAD = f"""
version: 1
name: several
description: Every class, once or twice.
database: {DATABASE}
seed: 3
phases:
  - name: one
    classes:
      - {{class: LV, templates: [object_by_id, small_area, object_source_small_area, light_curve, cone], count: 10}}
      - {{class: FTSObj, templates: [extent, density, flux_window_z, redder, extent_window_z], count: 5}}
      - {{class: FTSSrc, templates: [count_flux], count: 1}}
      - {{class: joinObjFSrc, templates: [flux_window], count: 1}}
      - {{class: nearN, templates: [count_pairs], count: 6}}
thresholds:
  - {{class: LV, statistic: errors, at_most: 0}}
"""


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("targets") / "sky"
    write_catalog(read_recipe("tiny"), folder, fraction=0.05)
    return folder


def test_czar_and_duckdb_give_equal_answers(private_cluster: PrivateCluster, sky: Path, tmp_path: Path) -> None:
    """The same statements, two trial folders; DuckDB's answers, over the Parquet files, equal the czar's."""
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(sky, database=DATABASE)
    file = tmp_path / "queries" / "workloads" / "several.yaml"
    file.parent.mkdir(parents=True)
    (tmp_path / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    file.write_text(WORKLOAD)
    arguments = ["run", str(file), "--out", str(tmp_path / "out"), "--cluster", str(private_cluster.folder)]
    result = CliRunner().invoke(app, ["bench", *arguments, "--target", "czar", "--target", f"duckdb:{sky}"])
    assert result.exit_code == 0, result.output
    trials = [tmp_path / "out" / name for name in ("czar", "duckdb")]
    asked = [sorted(pq.read_table(one / "statements.parquet")["sql"].to_pylist()) for one in trials]
    assert asked[0] == asked[1]
    second = json.loads((trials[1] / "manifest.json").read_text())
    assert (second["target"], second["oracle"]) == ("duckdb", "czar")
    summary = json.loads((trials[1] / "summary.json").read_text())
    assert summary["wrong_answers"] == []
    assert sum(one["unchecked"] for one in summary["classes"]) == 0
    first = json.loads((trials[0] / "manifest.json").read_text())
    assert first["catalog"]["made"]["recipe"] == "tiny"
    servers = set(pq.read_table(trials[0] / "telemetry.parquet")["node"].to_pylist())
    assert {"node1", "node2", "czar", "driver"} <= servers
    assert "plans" in json.loads((trials[0] / "plans.json").read_text())


def test_a_target_in_other_processes_opens_its_own(private_cluster: PrivateCluster) -> None:
    """What goes to a driver process opens the czar there; here, in this process, the same way."""
    target = partial(open_target, "czar", private_cluster.folder)()
    try:
        assert target.run("SHOW DATABASES", "").rows >= 0
        facts = target.describe()
        assert facts["scan"] == "auto"
        assert isinstance(facts["scan_threads"], dict)
        assert list(facts["scan_threads"]) == list(private_cluster.node_names)
    finally:
        target.close()


def test_any_sqlalchemy_url_is_a_target(tmp_path: Path) -> None:
    """Rows, repeated names, NULL and errors of a database behind a URL; its failure is a cluster's."""
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        connection.execute("INSERT INTO t VALUES (1, 'x:y'), (NULL, 'z')")
    connection.close()
    target = UrlTarget(f"sqlite:///{tmp_path / 'x.db'}")
    answer = target.run("SELECT a, b, a FROM t WHERE b <> ':no' ORDER BY b", "")
    assert answer.table.to_pydict() == {"c0": [1, None], "c1": ["x:y", "z"], "c2": [1, None]}
    assert answer.first_row_s is not None
    assert target.describe()["engine"] == "sqlite"
    with pytest.raises(ClusterError, match="no such table"):
        target.run("SELECT 1 FROM none", "")
    target.close()


@pytest.mark.parametrize("spec", ["oracle", "duckdb:", "nosuch://host/db"])
def test_an_unknown_target_is_refused(spec: str, tmp_path: Path) -> None:
    """One line that says what can be named."""
    with pytest.raises(UserError):
        open_target(spec, tmp_path)


def test_a_folder_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    """DuckDB is opened over a synthetic catalog only."""
    with pytest.raises(UserError, match=r"manifest\.json"):
        DuckDBTarget(tmp_path)
    assert NullTarget().name == "null"
