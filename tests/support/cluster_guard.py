"""Destroys clusters that killed tests leave: ``cluster_guard.py FOLDER`` waits until no one holds its input open."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path


def main(folder: Path) -> None:
    sys.stdin.read()
    if not folder.exists():
        return
    from skyshard.basics.errors import SkyshardError
    from skyshard.cluster.private_cluster import PrivateCluster

    for record in list(folder.rglob("cluster.json")):
        with suppress(SkyshardError):
            PrivateCluster(record.parent).destroy()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
