"""The samples that releases left in tests/frozen: where they are, and a cluster restored from them."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from pathlib import Path

from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect

FROZEN = Path(__file__).parents[1] / "frozen"
RELEASES = sorted(path.name for path in FROZEN.iterdir() if (path / "cluster.json").is_file())
FIRST = FROZEN / "0.1.0"
NODES = 2


def restore(sample: Path, folder: Path) -> PrivateCluster:
    """Start a new cluster and fill it with what a release left: registry, tables of all servers, folders of files."""
    cluster = PrivateCluster(folder)
    cluster.start(NODES)
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN) as czar:
        for line in gzip.decompress((sample / "servers" / "czar.skyshard_registry.sql.gz").read_bytes()).splitlines():
            czar.execute(line.decode("ascii").rstrip(";"))
    for server in (CZAR_NAME, *cluster.node_names):
        packed = gzip.decompress((sample / "servers" / f"{server}.tar.gz").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(cluster.data_dir(server), filter="data")
    for name in ("truth", "director-keys", "results"):
        shutil.copytree(sample / name, cluster.folder_for(name), dirs_exist_ok=True)
    return cluster
