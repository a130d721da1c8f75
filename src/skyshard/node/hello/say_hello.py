"""What a worker says of itself and its host."""

from __future__ import annotations

import os
import platform
import shutil
import time
from importlib import metadata
from pathlib import Path

from skyshard.basics.errors import SkyshardError, words_of
from skyshard.basics.release import VERSION
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.lock_names import key_in
from skyshard.host.disk_space import RESERVE_BYTES
from skyshard.host.memory import memory_bytes
from skyshard.host.processor import cores_here, cpu_model
from skyshard.host.users import user_name
from skyshard.node.hello.folder_proof import prove_folder
from skyshard.node.hello.worker_rights import own_umask
from skyshard.node.messages import Hello, HelloOrder
from skyshard.node.server.server_files import ServerFiles
from skyshard.node.server.server_sessions import ServerSessions


def say_hello(node: str, sessions: ServerSessions, data: ServerFiles, started_s: float, order: HelloOrder) -> Hello:
    """See ``node_loader.NodeLoader.hello``.

    Raises:
        ClusterError: the server does not answer.
    """
    staging = Path(order.staging)
    faults: list[str] = []
    with sessions.reading(SCRATCH_DATABASE) as connection:
        version, data_dir = connection.rows("SELECT VERSION(), @@datadir")[0]
        try:
            prove_folder(node, connection, data, order)
        except SkyshardError as error:
            faults.append(words_of(error))
    free = {"data": _free_bytes(data.path), "staging": _free_bytes(staging)}
    for what, folder in (("data", data.path), ("staging", staging)):
        if free[what] < RESERVE_BYTES:
            faults.append(f"node '{node}': {free[what] >> 20} MiB are free in its {what} folder {folder}; make room")
    return Hello(
        skyshard=VERSION,
        python=platform.python_version(),
        ray=_version_of("ray"),
        server=str(version),
        user=user_name(os.geteuid()),
        umask=own_umask(),
        data_dir=str(data_dir),
        data_free_bytes=free["data"],
        staging_free_bytes=free["staging"],
        cores=cores_here(),
        memory_bytes=memory_bytes(),
        clock_s=time.time(),
        started_s=started_s,
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=cpu_model(),
        key="" if faults else key_in(data.path),
        faults=tuple(faults),
    )


def _free_bytes(folder: Path) -> int:
    """What may still be written to the disk of a folder, or of the next one above it that is there."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
