"""What a worker says of its host and its server, and what it says where they do not share a folder."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.hello.folder_proof import prove_folder
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.messages import Hello, HelloOrder
from skyshard.node.server.server_files import ServerFiles


def hello(cluster: PrivateCluster, tmp_path: Path, *, data: Path | None = None, staging: Path | None = None) -> Hello:
    """What the worker of node1 says, which is told of this data folder."""
    node = cluster.node("node1")
    loader = MariaDBLoader("node1", node.beside, str(data or node.data))
    return loader.hello(HelloOrder(uuid.uuid4().hex, str(staging or tmp_path / "staging")))


def tables_left(cluster: PrivateCluster) -> list[str]:
    with connect(cluster.endpoint("node1"), Account.ADMIN) as connection:
        return [str(name) for (name,) in connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE} LIKE 'hello%'")]


def test_a_worker_proves_its_folder(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """Facts of the host come with the proof; nothing of it is left."""
    found = hello(private_cluster, tmp_path)
    assert found.faults == ()
    assert Path(found.data_dir) == private_cluster.data_dir("node1")
    assert min(found.cores, found.memory_bytes, found.data_free_bytes, found.staging_free_bytes) > 0
    assert (found.server[:3], found.started_s < found.clock_s) == ("10.", True)
    assert not tables_left(private_cluster)
    assert not list((tmp_path / "staging").iterdir())


def test_the_folder_of_another_server_is_found_out(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """The worker sees a data folder with the same databases, but not what its server makes."""
    found = hello(private_cluster, tmp_path, data=private_cluster.data_dir("node2"))
    [fault] = found.faults
    assert "its worker does not see in" in fault
    assert f"which is {private_cluster.data_dir('node1')}; name the server's own" in fault
    assert not tables_left(private_cluster)


def test_a_folder_that_is_not_there_is_named(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    [fault] = hello(private_cluster, tmp_path, data=tmp_path / "nowhere").faults
    assert f"its worker finds no {tmp_path / 'nowhere' / SCRATCH_DATABASE} (No such file or directory)" in fault


def test_a_staging_folder_must_take_files(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [fault] = hello(private_cluster, tmp_path, staging=tmp_path / "file").faults
    assert f"cannot write to its staging folder {tmp_path / 'file'}: File exists" in fault


def test_a_worker_of_another_user_is_named(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """One that may not enter the server's folder; one whose files the server may not read is tried over hosts."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    data = ServerFiles(private_cluster.data_dir("node1"))
    with connect(private_cluster.endpoint("node1"), Account.LOADER, SCRATCH_DATABASE) as connection:
        os.seteuid(65534)
        try:
            with pytest.raises(ClusterError) as raised:
                prove_folder("node1", connection, data, HelloOrder("word", str(tmp_path)))
        finally:
            os.seteuid(0)
    fault = str(raised.value)
    assert "its worker runs as user nobody and may not write to" in fault
    assert "run both as one user" in fault
