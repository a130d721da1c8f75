"""What is written down of a fault: while its benchmark runs it is no one else's, afterwards it is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster_folder import ClusterRecord
from skyshard.cluster.left_faults import (
    FOLDER,
    DamagedFile,
    bring_back,
    digest_of,
    forget,
    has_faults,
    keep,
    left_faults,
    new_fault,
    run_command,
    take_back,
    take_back_left,
    thaw_left,
)
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.processes import began, host_id


def ended_owner() -> str:
    """The name of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = f"{host_id()} {process.pid} {began(process.pid)}"
        process.communicate(b"\n")
    return name


def test_a_fault_is_left_when_its_process_is_gone(tmp_path: Path) -> None:
    """Not before; forgotten it leaves nothing."""
    cluster = PrivateCluster(tmp_path)
    mine = new_fault("s", 1, "stop", "node2")
    others = mine.model_copy(update={"owner": ended_owner()})
    keep(cluster, mine)
    assert left_faults(cluster.folder) == []
    keep(cluster, others)
    assert left_faults(cluster.folder) == [others]
    assert others.sentence == "node2 is frozen (scenario s, event 1)"
    for one in (mine, others):
        forget(cluster, one)
    assert not has_faults(cluster.folder)
    assert list(tmp_path.iterdir()) == []


def test_a_command_knows_its_node_and_its_undo_is_run(tmp_path: Path) -> None:
    """What it is about is in the environment; the record goes when it has been taken back."""
    cluster = PrivateCluster(tmp_path)
    undo = f'echo "undone on $SKYSHARD_NODE at $SKYSHARD_HOST" >> {tmp_path}/said'
    fault = new_fault("s", 1, "cable_out", "node2", undo, "db2")
    keep(cluster, fault)
    run_command(
        f'echo "$SKYSHARD_NODE $SKYSHARD_RATE_MB_S" > {tmp_path}/said', cluster, fault, {"SKYSHARD_RATE_MB_S": "5"}
    )
    take_back(cluster, fault)
    assert (tmp_path / "said").read_text().splitlines() == ["node2 5", "undone on node2 at db2"]
    assert not has_faults(tmp_path)


def test_a_fault_that_cannot_be_undone_stays_written_down(tmp_path: Path) -> None:
    """With the last words of the command."""
    cluster = PrivateCluster(tmp_path)
    fault = new_fault("s", 1, "cable_out", "node2", "echo no route >&2; exit 4")
    keep(cluster, fault)
    with pytest.raises(ClusterError, match="ended with exit code 4: no route"):
        take_back(cluster, fault)
    assert has_faults(tmp_path)
    forget(cluster, fault)


@pytest.mark.parametrize("do", ["kill", "stop", "clock", "corrupt"])
def test_a_fault_of_a_node_that_was_removed_since_is_forgotten(tmp_path: Path, do: str) -> None:
    """The cluster starts all the same: nothing is done to the node."""
    ClusterRecord(version=1, nodes=3, created="2026", sockets=tmp_path / "sockets").without("node2").write(tmp_path)
    cluster = PrivateCluster(tmp_path)
    keep(cluster, new_fault("s", 1, do, "node2").model_copy(update={"owner": ended_owner()}))
    said: list[str] = []
    thaw_left(cluster)
    take_back_left(cluster, said.append)
    assert len(said) == 1
    assert not has_faults(tmp_path)


@pytest.mark.parametrize("damaged", [b"", b"torn"])
def test_a_file_comes_back_only_of_a_table_that_is_there(tmp_path: Path, damaged: bytes) -> None:
    """One that was moved, merged or dropped since leaves nothing, nor fails where its database is gone."""
    copied, data = tmp_path / "copied", tmp_path / "database" / "Object_100.MYD"
    copied.write_bytes(b"rows")
    data.parent.mkdir()
    if damaged:
        data.write_bytes(damaged)
    file = DamagedFile(path=str(data), copied_to=copied.name, damaged=digest_of(data))
    data.unlink(missing_ok=True)
    bring_back(file, copied)
    assert list(data.parent.iterdir()) == []
    data.parent.rmdir()
    bring_back(file, copied)
    data.parent.mkdir()
    data.with_suffix(".frm").touch()
    if damaged:
        data.write_bytes(damaged)
    bring_back(file, copied)
    assert data.read_bytes() == b"rows"


def test_a_command_of_many_lines_is_named_in_one(tmp_path: Path) -> None:
    """And not in full."""
    line = "\n".join(["# why", *["true"] * 50, "exit 3"])
    with pytest.raises(ClusterError) as caught:
        run_command(line, PrivateCluster(tmp_path), new_fault("s", 1, "full_disk", "node2"))
    assert caught.value.what.startswith("`# why true true")
    assert caught.value.what.endswith("…` ended with exit code 3: it said nothing")
    assert "\n" not in caught.value.what


def test_a_torn_record_is_named(tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1-1.json").write_text("{")
    with pytest.raises(UserError, match=r"1-1.json is not readable as a fault"):
        left_faults(tmp_path)
