"""Whether the servers of a cluster have an engine; MyRocks is a plugin that a machine may lack."""

from __future__ import annotations

import pytest

from skyshard.catalog.engines import TableEngine
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect


def require_engine_there(cluster: PrivateCluster, engine: str) -> None:
    """Skip a test whose engine the nodes do not have."""
    sql = "SELECT COUNT(*) FROM information_schema.ENGINES WHERE ENGINE = %s"
    with connect(cluster.endpoint("node1"), Account.ADMIN) as server:
        if not server.value(sql, [TableEngine(engine).sql_name]):
            pytest.skip(f"the nodes run without {engine}")
