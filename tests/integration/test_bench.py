"""A workload on a real cluster: answers equal the oracle's, and a difference between the two is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.full_manifest import full_manifest, leaves
from tests.support.kpm_sky import rename_to_kpm
from typer.testing import CliRunner, Result

from skyshard.basics.errors import UserError
from skyshard.bench.record.class_work import class_work, whole_phases
from skyshard.bench.record.server_work import Attribution
from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.bench.workload.query_template import Header, parse_header
from skyshard.bench.workload.workload import read_workload
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

DATABASE = "bench_sky"
KPM_DATABASE = "bench_kpm"
WORKLOAD = f"""
version: 1
name: small
description: One of each.
database: {DATABASE}
seed: 3
phases:
  - name: mixed
    classes:
      - class: LV
        templates: [object_by_id, small_area, object_source_small_area, light_curve, cone]
        arrivals: {{loop: open, rate_per_s: 20, clients: 4}}
        warm_up: 2
        count: 15
        target_s: 60
      - {{class: FTSObj, templates: [extent, density, flux_window_z, small_sigma_u], count: 4}}
      - {{class: FTSSrc, templates: [count_flux], count: 1}}
      - {{class: joinObjSrc, templates: [flux_window], count: 1}}
      - {{class: nearN, templates: [count_pairs], count: 1}}
"""


MAY_BE_EMPTY = {
    "lsdb/cross_match", "LV/object_source_small_area", "LV/small_area", "night/cone", "night/cone_sources",
    "night/object_sources", "mobu/cone_object", "mobu/cone_source", "mobu/polygon_object", "mobu/polygon_source",
    "mobu/near_neighbor", "alerts/cone_of_night", "alerts/new_objects", "alerts/brightened",
}  # fmt: skip
"""Templates of small areas and single nights, in a thin sky; each has rows in a test of its own workload."""


@pytest.fixture(scope="module")
def cluster(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> PrivateCluster:
    """The cluster with a thin sky of a few thousand objects, and its oracle; both go with the cluster."""
    sky = tmp_path_factory.mktemp("bench") / "sky"
    write_catalog(read_recipe("tiny"), sky, fraction=0.05)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(sky, database=DATABASE)
        testbed.load_mono(DATABASE)
    return private_cluster


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """The workload beside the shipped templates."""
    (tmp_path / "queries" / "workloads").mkdir(parents=True)
    (tmp_path / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    path = tmp_path / "queries" / "workloads" / "small.yaml"
    path.write_text(WORKLOAD)
    return path


def run(cluster: PrivateCluster, workload: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["bench", "run", str(workload), "--out", str(out), "--cluster", str(cluster.folder), *more]
    )


def test_a_workload_passes_and_leaves_a_trial(cluster: PrivateCluster, workload: Path, tmp_path: Path) -> None:
    """Every query is answered, every answer is compared and right, and the folder holds the catalog's facts."""
    result = run(cluster, workload, tmp_path / "trial", "--label", "as it was")
    assert result.exit_code == 0, result.output
    assert "every answer equal to mono's" in result.output
    samples = pq.read_table(tmp_path / "trial" / "samples.parquet")
    assert samples.num_rows == 24
    assert samples["error"].null_count == 24
    assert samples.filter(~samples["is_warm_up"].to_numpy())["answer_ok"].to_pylist() == [True] * 22
    manifest = json.loads((tmp_path / "trial" / "manifest.json").read_text())
    assert manifest["catalog"]["rows"]["Object"] > 1000
    assert manifest["target_facts"]
    assert manifest["label"] == "as it was"
    assert {one["when"] for one in manifest["machine"]} >= {"before", "after"}
    assert manifest["known_answers"] == 22
    assert (tmp_path / "trial" / "report.html").stat().st_size > 100_000
    sky = pq.read_table(tmp_path / "trial" / "skymap.parquet")
    assert sky.num_rows > 10
    times = sky["scan_s"].to_numpy()[sky["rows"].to_numpy() > 0]
    assert np.isfinite(times).all()  # every chunk with rows has the time that a scan needed for it
    assert (times > 0).all()


def test_key_buffers_of_the_nodes_stand_in_the_manifest_and_in_the_comparison(
    cluster: PrivateCluster, workload: Path, tmp_path: Path
) -> None:
    """Node by node against MariaDB's defaults; where a server is and what it is called is no difference."""
    workload.write_text(WORKLOAD.partition("      - {{class: FTSObj")[0].replace("count: 15", "count: 3"))
    workload.write_text(workload.read_text().replace("{{", "{").replace("}}", "}").replace("{DATABASE}", DATABASE))
    try:
        for name, settings in (("small", ["key_buffer_size=8M"]), ("large", ["node1:key_buffer_size=256M"])):
            cluster.change_settings(settings)
            assert run(cluster, workload, tmp_path / name, "--no-page").exit_code in (0, 1)
    finally:
        cluster.change_settings(["key_buffer_size=default", "node1:key_buffer_size=default"])
    manifest = json.loads((tmp_path / "small" / "manifest.json").read_text())
    assert manifest["version"] == 3
    assert set(manifest["catalog"]["loader"].values()) == {"image"}
    assert set(leaves(TrialManifest.model_validate(manifest))) <= set(leaves(full_manifest()))  # all facts have a place
    assert manifest["servers"].keys() == {"czar", *cluster.node_names}
    found = manifest["servers"]["node1"]["variables"]
    assert found["key_buffer_size"] == {"value": str(8 << 20), "default": str(128 << 20)}
    assert not {"pid_file", "socket", "datadir", "hostname", "version"} & found.keys()
    sides = [str(tmp_path / "small"), "--against", str(tmp_path / "large"), "--out", str(tmp_path / "compared")]
    CliRunner().invoke(app, ["bench", "compare", *sides])
    compared = json.loads((tmp_path / "compared" / "comparison.json").read_text())
    differences = {one["what"]: one for one in compared["differences"]}
    assert differences["variables of servers"]["new"] == ["nodes: key_buffer_size 8388608"]
    assert differences["variables of servers"]["old"] == ["nodes: key_buffer_size 268435456 on node1, 8388608 on node2"]
    assert "large: its nodes differ from one another: key_buffer_size 268435456 on node1" in str(compared["cautions"])


def test_server_statistics_say_what_each_class_read(cluster: PrivateCluster, workload: Path, tmp_path: Path) -> None:
    """A scan of Source reads each of its rows once a query; phases have windows, and no server is left counting."""
    out = tmp_path / "trial"
    result = run(cluster, workload, out, "--server-statistics", "--no-check")
    assert result.exit_code == 0, result.output
    trial = read_trial(out)
    counted = [one for one in class_work(trial.work) if one.class_name == "FTSSrc"]
    assert {one.attribution for one in counted} == {Attribution.AGAIN}
    rows = json.loads((out / "manifest.json").read_text())["catalog"]["rows"]["Source"]
    assert trial.table_rows is not None
    of_class = trial.table_rows.filter(pc.field("class") == "FTSSrc").to_pylist()
    read = sum(row["rows_read"] for row in of_class if row["table"] == f"{DATABASE}.Source" and row["index"] is None)
    assert read == rows * counted[0].queries
    scanned = sum(one.rows_by_scan or 0.0 for one in counted if one.node != "czar")
    chunks = pq.read_table(out / "skymap.parquet").num_rows
    assert rows <= scanned <= rows + chunks  # one call more for each chunk finds its end
    assert sum(one.cpu_s or 0.0 for one in whole_phases(trial.work)) > 0
    assert "Rows read by table and index" in (out / "report.html").read_text()
    for name in cluster.node_names:
        with connect(cluster.endpoint(name), Account.READER) as connection:
            assert connection.value("SELECT @@GLOBAL.userstat") == 0


@pytest.fixture(scope="module")
def kpm_cluster(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> PrivateCluster:
    """The cluster with a thin sky under the names of the KPM tests, and its oracle."""
    sky = tmp_path_factory.mktemp("kpm") / "sky"
    write_catalog(read_recipe("tiny"), sky, fraction=0.02)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(rename_to_kpm(sky), database=KPM_DATABASE)
        testbed.load_mono(KPM_DATABASE)
    return private_cluster


@pytest.mark.timeout(900)  # some fifty statements, on three engines
@pytest.mark.parametrize(("schema", "database"), [("synth", DATABASE), ("kpm", KPM_DATABASE)])
def test_every_shipped_template_is_answered_as_by_the_oracle(
    cluster: PrivateCluster, kpm_cluster: PrivateCluster, workload: Path, tmp_path: Path, schema: str, database: str
) -> None:
    """Each template that can be asked of a catalog with these names, by czar and mono: equal answers, not all empty."""
    folder = data_folder("queries", "sql")
    keys = sorted(f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.sql"))
    claimed = [key for key in keys if schema in (read_header(folder, key).schemas or [schema])]
    by_class: dict[str, list[str]] = {}
    for key in claimed:
        by_class.setdefault(key.partition("/")[0], []).append(key.partition("/")[2])
    loads = [{"class": name, "templates": found, "count": len(found)} for name, found in by_class.items()]
    content = yaml.safe_load(WORKLOAD) | {"phases": [{"name": "each", "classes": loads}]}
    workload.write_text(yaml.safe_dump(content))
    result = run(cluster, workload, tmp_path / "trial", "--schema", schema, "--database", database, "--no-page")
    assert result.exit_code == 0, result.output
    samples = pq.read_table(tmp_path / "trial" / "samples.parquet")
    assert sorted(samples["template"].to_pylist()) == claimed
    assert samples["answer_ok"].to_pylist() == [True] * len(claimed)
    empty = samples.filter(pc.equal(samples["rows"], 0))["template"].to_pylist()
    assert set(empty) <= MAY_BE_EMPTY
    shipped = [read_workload(file) for file in data_folder("queries", "workloads").glob("*.yaml")]
    assert {key for one in shipped for key in one.template_keys if one.schema_name == schema} <= set(claimed)


def read_header(folder: Path, key: str) -> Header:
    path = folder / f"{key}.sql"
    return parse_header(path.read_text(), path)


def test_equal_seeds_ask_equal_statements(cluster: PrivateCluster, workload: Path, tmp_path: Path) -> None:
    """Two runs on the same data ask the same statements, so that they can be compared; also where none has a page."""
    asked = []
    for name in ("a", "b"):
        result = run(cluster, workload, tmp_path / name, "--no-page")
        assert (result.exit_code, (tmp_path / name / "report.html").exists()) == (0, False)
        assert f"`skyshard bench report {tmp_path / name}` draws the report" in result.output
        asked.append(sorted(pq.read_table(tmp_path / name / "statements.parquet")["sql"].to_pylist()))
    assert asked[0] == asked[1]


def test_one_changed_row_fails_the_trial(cluster: PrivateCluster, workload: Path, tmp_path: Path) -> None:
    """One position moved in the oracle alone makes an aggregate differ: exit 1, and the summary names the template."""
    move = "UPDATE Object SET ra = ra {sign} 1e-4 ORDER BY objectId LIMIT 1"
    try:
        with connect(cluster.endpoint("mono"), Account.ADMIN, DATABASE) as connection:
            connection.execute(move.format(sign="+"))
        result = run(cluster, workload, tmp_path / "trial", "--no-page")
    finally:
        with connect(cluster.endpoint("mono"), Account.ADMIN, DATABASE) as connection:
            connection.execute(move.format(sign="-"))
    assert result.exit_code == 1
    summary = json.loads((tmp_path / "trial" / "summary.json").read_text())
    assert "FTSObj/density" in {one["template"] for one in summary["wrong_answers"]}


def test_a_database_without_oracle_is_refused_before_anything_runs(
    cluster: PrivateCluster, workload: Path, tmp_path: Path
) -> None:
    """The message says how to fill the oracle, and no folder is made."""
    result = run(cluster, workload, tmp_path / "trial", "--database", "nowhere")
    assert isinstance(result.exception, UserError)
    assert not (tmp_path / "trial").exists()
    assert read_workload(workload).name == "small"
