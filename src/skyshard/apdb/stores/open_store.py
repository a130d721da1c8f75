"""Opens a backend by the name that commands give it: ``sqlite:FILE``, ``mariadb:FOLDER``, ``postgresql:FOLDER``,
``cluster:DATABASE`` (of the cluster in a folder that is given beside it)."""

from __future__ import annotations

from pathlib import Path

from skyshard.apdb.model import VisitStore
from skyshard.apdb.stores.store_settings import StoreSettings
from skyshard.basics.errors import UserError
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.cluster.cluster import Cluster

KINDS = ("sqlite", "mariadb", "postgresql", "cluster")


def open_store(
    target: str, settings: StoreSettings | None = None, *, cluster: Cluster | Path | str | None = None
) -> VisitStore:
    """The store that a target names, made where there is none; the caller closes it.

    Args:
        cluster: the cluster that has the database of ``cluster:DATABASE``.

    Raises:
        UserError: no such kind of target, a target without what it needs, or a store made with other settings.
        ClusterError: its server does not start, or fails.
    """
    kind, _, rest = target.partition(":")
    chosen = settings or StoreSettings()
    if kind == "sqlite":
        from skyshard.apdb.stores.sqlite_store import SqliteStore

        if not rest:
            raise UserError(f"store '{target}' names no file", remedy="write sqlite:PATH")
        return SqliteStore(Path(rest), chosen)
    if kind == "mariadb":
        from skyshard.apdb.stores.mariadb_store import MariaDbStore

        if not rest:
            raise UserError(f"store '{target}' names no folder", remedy="write mariadb:FOLDER")
        return MariaDbStore(Path(rest).absolute(), chosen)
    if kind == "postgresql":
        from skyshard.apdb.stores.postgres_store import PostgresStore

        if not rest:
            raise UserError(f"store '{target}' names no folder", remedy="write postgresql:FOLDER")
        return PostgresStore(Path(rest).absolute(), chosen)
    if kind == "cluster":
        from skyshard.apdb.mutable.mutable_database import open_mutable
        from skyshard.apdb.stores.cluster_store import ClusterStore

        if not rest or cluster is None:
            raise UserError(f"store '{target}' names no database of a cluster", remedy="write cluster:DATABASE")
        return ClusterStore(open_mutable(cluster, rest), settings)
    remedy = did_you_mean(near_names(kind, KINDS), f"known are {', '.join(KINDS)}")
    raise UserError(f"no store of the kind '{kind}'", remedy=remedy)
