"""The demo, end to end and small."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.own_workload import own_workload

from skyshard.basics.progress import Progress
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.runtime import RuntimeKind
from skyshard.scenarios.demo import run_demo

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("runtime", [pytest.param("inline", marks=pytest.mark.deep), "ray"])
def test_the_demo_runs_and_its_telemetry_holds_every_server(tmp_path: Path, runtime: RuntimeKind) -> None:
    """Nodes, the czar's server, the oracle and the driver; the cluster is stopped at the end."""
    workload = own_workload(tmp_path, "SELECT {{ Object.ra }} FROM {{ Object.table }} WHERE {{ Object.id }} = {{ id }}")
    seen: list[Progress] = []
    found = run_demo(
        tmp_path / "demo", recipe="mini", workload=str(workload), nodes=2, runtime=runtime, watcher=seen.append
    )
    assert found.is_good
    assert found.report.is_file()
    samples = pq.read_table(tmp_path / "demo" / "trial" / "telemetry.parquet")
    assert set(samples["node"].to_pylist()) == {"czar", "mono", "node1", "node2", "driver"}
    assert not PrivateCluster(found.cluster).is_running
    notes = [one.note for one in seen if one.note]
    assert [note[:1] for note in notes if not note.startswith(" ")] == list("123456")
    assert {"synth", "partition Object", "load mono", "sampling the data", "checking answers"} <= {
        one.stage for one in seen
    }
