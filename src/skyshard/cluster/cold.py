"""Makes a private cluster cold: the next query reads from the disk, as if its data had not been asked for in a day.

Two ways. ``flush`` closes every table, which gives up MyISAM's and Aria's cached index blocks; a restart also empties
InnoDB's pool and whatever else a server keeps. Either way the data files then leave the page cache. No root is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.storage_plugins import SHARED_FOLDERS
from skyshard.db.connection import Account, connect
from skyshard.host.page_cache import drop_page_cache, files_below

PRIVATE_ONLY = "measure with empty caches on a private cluster"
Way = Literal["flush", "restart"]


def make_cold(cluster: Cluster, *, way: Way = "flush", database: str = "") -> int:
    """Empty the caches of every node, and drop the files of a database (or all) from the page cache; returns how many.

    ``database`` is a stored name.

    Engines that keep the tables of all databases in one folder lose those of the others, too. ``flush`` waits until
    running statements have ended. The czar's own server keeps what it knows: its tables are the registry's, and are not
    what is measured.

    Raises:
        UserError: nodes on other hosts: their page caches are not this host's.
        ClusterError: a node does not answer, or does not come back.
    """
    if away := next((name for name, node in cluster.nodes.items() if not node.is_here), ""):
        raise UserError(f"node {away} is on another host, whose caches are not emptied from here", remedy=PRIVATE_ONLY)
    if way == "restart":
        for name in cluster.node_names:
            cluster.stop_server(name)
        cluster.start()
    else:
        for name in cluster.node_names:
            with connect(cluster.endpoint(name), Account.ADMIN) as connection:
                connection.execute("FLUSH TABLES")
    return drop_page_cache(
        files_below(folder for name in cluster.node_names for folder in _data(cluster, name, database))
    )


def _data(cluster: Cluster, name: str, database: str) -> list[Path]:
    """Where the tables of a database are, or all of a server's files."""
    data = cluster.data_dir(name)
    return [data / part for part in (database, *SHARED_FOLDERS)] if database else [data]
