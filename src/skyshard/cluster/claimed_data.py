"""A data folder belongs to one node of one cluster, which a file in it says; a lock admits one supervisor at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.cluster.network_server import run_folder
from skyshard.host.atomic_files import write_atomically
from skyshard.host.users import user_name

MARKER = "skyshard-node.json"


@contextlib.contextmanager
def claimed(data: Path, cluster: str, node: str) -> Iterator[None]:
    """Hold a data folder, which need not be there yet, for a supervisor of this host.

    Raises:
        UserError: another user's folder, another node's, or one that another supervisor holds.
    """
    _require_own(data)
    _require_same(data, cluster, node)
    folder = run_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process runs a server in {data}", remedy="end its `skyshard node run` or `head run` first"
            ) from None
        yield


def note_version(data: Path, cluster: str, node: str, version: str) -> str:
    """Write whose folder it is, once it is there, and with which MariaDB; returns the version that it had before."""
    marker = data / MARKER
    before = json.loads(marker.read_text()).get("mariadb", "") if marker.exists() else ""
    found = {"version": 1, "cluster": cluster, "node": node, "mariadb": version}
    write_atomically(marker, json.dumps(found, indent=2) + "\n")
    return str(before)


def _require_own(data: Path) -> None:
    owner = data.stat().st_uid if data.exists() else os.geteuid()
    if owner != os.geteuid():
        names = [user_name(uid) for uid in (owner, os.geteuid())]
        raise UserError(
            f"data folder {data} is {names[0]}'s, not {names[1]}'s",
            remedy=f"run this as {names[0]}, or chown -R {names[1]} {data}",
        )


def _require_same(data: Path, cluster: str, node: str) -> None:
    marker = data / MARKER
    if not marker.exists():
        return
    try:
        found = json.loads(marker.read_text())
        theirs = (found["cluster"], found["node"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{marker} does not say whose data this is", remedy="bring it back, or remove it") from error
    if theirs != (cluster, node):
        raise UserError(
            f"data folder {data} is that of node {theirs[1]} of cluster {theirs[0]}, not of {node} of {cluster}",
            remedy="give each node a data folder of its own",
        )
