"""States of nodes that stay to the end of a SQL transaction: what is decided by them still holds when it commits."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from skyshard.registry.stored import node_sql
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import NodeState


def locked_states(connection: sa.Connection, nodes: Collection[str]) -> dict[str, NodeState]:
    """The states of nodes, whose rows are locked against changes; a node without a row gets one."""
    names = sorted(nodes)
    if not names:
        return {}
    for name in names:
        connection.exec_driver_sql(node_sql.MAKE_NODE, (name,))
    c = t.nodes.c
    query = sa.select(c.name, c.state).where(c.name.in_(names)).with_for_update(read=True)
    return {str(name): NodeState(state) for name, state in connection.execute(query)}
