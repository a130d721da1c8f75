"""Reads how whole the databases of a cluster are. Cheap at any size: replicas travel as columns."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.replicate.health import ReplicaStatus, WantedLevel, health_of

LISTED_FAULTS = 50
"""Replicas that do not count, at most so many of which are listed one by one."""


def read_status(registry: Registry, nodes: Sequence[str], database: str = "") -> ReplicaStatus:
    """The replication index of one published database, or of all.

    Args:
        database: its name or an alias.

    Raises:
        UserError: there is none of that name.
    """
    stored = registry.published.names().fixed(database) if database else ""
    wanted = {
        row.stored: _wanted(registry, row)
        for row in registry.life.rows()
        if row.state is DatabaseState.PUBLISHED and stored in ("", row.stored)
    }
    index = registry.replication
    faulty = [one for one in index.faulty(stored, most=LISTED_FAULTS) if one.database in wanted]
    levels, sums = index.sums(stored)
    holding = len(registry.nodes.holding(nodes))
    return health_of(wanted, levels, sums, nodes, faulty, holding)


def _wanted(registry: Registry, row: DatabaseRow) -> WantedLevel:
    dropped = registry.transactions.dropped(row.stored)
    rows = sum(one.rows for _, one in dropped if not one.is_overlap)
    when_s = max((when_s for when_s, _ in dropped), default=0.0)
    return WantedLevel(row.shown, int(str(row.layout.get("replicas", 1))), rows, when_s)
