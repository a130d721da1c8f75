"""Cluster folders: what is refused, and what a record says. No servers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster_folder import ClusterRecord, exclusive, socket_folder
from skyshard.cluster.private_cluster import PrivateCluster


def make_record(folder: Path, nodes: int = 2) -> ClusterRecord:
    folder.mkdir(parents=True, exist_ok=True)
    record = ClusterRecord(
        version=1, nodes=nodes, created="2026-01-01T00:00:00+00:00", sockets=socket_folder(folder, create=False)
    )
    record.write(folder)
    return record


@pytest.mark.parametrize("nodes", [0, -1, 1000])
def test_start_refuses_an_impossible_number_of_nodes(tmp_path: Path, nodes: int) -> None:
    """`--nodes 0` is wrong input and leaves nothing behind."""
    with pytest.raises(UserError, match="not possible"):
        PrivateCluster(tmp_path / "c").start(nodes)
    assert not (tmp_path / "c").exists()


def test_start_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    """A folder with files in it that is no cluster is left alone."""
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="no cluster"):
        PrivateCluster(tmp_path).start(1)
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_destroy_refuses_a_folder_that_is_no_cluster(tmp_path: Path) -> None:
    """destroy removes clusters, nothing else."""
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="there is no cluster"):
        PrivateCluster(tmp_path).destroy()
    assert (tmp_path / "letter.txt").exists()


@pytest.mark.parametrize(
    "command", [PrivateCluster.stop, PrivateCluster.destroy, PrivateCluster.status, PrivateCluster.require_running]
)
def test_commands_on_a_missing_cluster_name_the_remedy(tmp_path: Path, command: object) -> None:
    """Where there is no cluster, the error says how to start one."""
    with pytest.raises(UserError, match="skyshard cluster start"):
        command(PrivateCluster(tmp_path / "none"))  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["", "{", '{"nodes": 2}', '{"version": 1, "nodes": 0, "created": "", "sockets": "/x"}']
)
def test_a_broken_record_is_a_user_error(tmp_path: Path, text: str) -> None:
    """A cluster.json that is torn, foreign or without version is refused in one line."""
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(UserError, match="not readable as a cluster") as caught:
        PrivateCluster(tmp_path).status()
    assert "\n" not in str(caught.value)


def test_a_record_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    """Of a cluster that a later release made, the error says what to install, not to remove it."""
    (tmp_path / "cluster.json").write_text('{"version": 4, "hosts": []}')
    with pytest.raises(UserError, match="4 is of a later release, this one reads 1") as caught:
        PrivateCluster(tmp_path).destroy()
    assert "remove" not in str(caught.value)
    assert (tmp_path / "cluster.json").exists()


def test_nodes_are_numbered_from_one(tmp_path: Path) -> None:
    """Nodes are named node1, node2, ... in order."""
    make_record(tmp_path, nodes=3)
    assert PrivateCluster(tmp_path).node_names == ("node1", "node2", "node3")


def test_an_unknown_server_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """Asking for a server that the cluster has not lists those it has."""
    make_record(tmp_path)
    with pytest.raises(UserError, match="czar, mono, node1, node2"):
        PrivateCluster(tmp_path).data_dir("node3")


def test_endpoint_of_a_stopped_cluster_is_refused(tmp_path: Path) -> None:
    """A cluster that is not running says so before anybody connects."""
    make_record(tmp_path)
    with pytest.raises(UserError, match="is not running"):
        PrivateCluster(tmp_path).endpoint("node1")


def test_a_record_survives_writing_and_reading(tmp_path: Path) -> None:
    """What is written is what is read."""
    record = make_record(tmp_path)
    assert ClusterRecord.read(tmp_path) == record


def test_a_copied_cluster_does_not_use_the_sockets_of_the_original(tmp_path: Path) -> None:
    """The sockets belong to the folder, not to the record."""
    record = make_record(tmp_path / "original")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    assert ClusterRecord.read(tmp_path / "copy").sockets != record.sockets


def test_sockets_go_below_a_private_runtime_folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_RUNTIME_DIR is used when it is private and short."""
    runtime = short_folder / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    found = socket_folder(short_folder, create=True)
    assert found.is_relative_to(runtime)
    assert found.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["open", "l" * 90, "missing"])
def test_sockets_avoid_an_unfit_runtime_folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A runtime folder that others may enter, that is too deep, or that is not there is passed over."""
    runtime = short_folder / name
    if name != "missing":
        runtime.mkdir(exist_ok=True)
        runtime.chmod(0o755 if name == "open" else 0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert not socket_folder(short_folder, create=False).is_relative_to(runtime)


def test_the_lock_shuts_out_a_second_command(tmp_path: Path) -> None:
    """Of two commands on one cluster the second one waits, then gives up with a retryable error."""
    with (
        exclusive(tmp_path),
        pytest.raises(ClusterError, match="another command") as caught,
        exclusive(tmp_path, timeout_s=0.1),
    ):
        pass
    assert caught.value.retryable


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    """A command that fails does not keep the lock."""
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        raise ZeroDivisionError
    with exclusive(tmp_path, timeout_s=0.1):
        pass


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """Before anything is made in it."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin\xe9"))
    with pytest.raises(UserError, match="is not UTF-8; name another folder"):
        PrivateCluster(folder).start(1)
    assert not list(tmp_path.iterdir())
