"""Compaction: merges the parts of chunk tables and director indexes, one a transaction, into one.

What is killed on the way is taken back by the next ingest or compaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.transaction.recovery import GRACE_S, sweep, take_back
from skyshard.ingest.upkeep.remade_tables import Compacted, Remake, doubtful_tables
from skyshard.registry.catalog.snapshot import parts_of
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import COMPACTION, DROPPED_ROWS, IndexPart


def compact(
    site: Site, database: str, *, fewest: int = 2, grace_s: float = GRACE_S, watcher: Watcher = unwatched
) -> Compacted:
    """Merge the parts of every chunk table that has at least ``fewest``, and of the director indexes.

    A chunk table with a replica that is not good stays as it is until a repair, and one whose nodes do not all have the
    same parts until ``replicas fill``.

    Args:
        database: its stored name.

    Raises:
        UserError: an unknown database, or an ingest of it that has not finished.
        ClusterError: a node failed; what was done is taken back by the next run.
    """
    registry = site.registry
    called = registry.published.stored_catalog(database).called
    with registry.ingesting(database), site.held(database):
        require_nothing_open(site, database, called)
        work = _merge(site, database, max(2, fewest), watcher)
        done = replace(work.run(COMPACTION) if work.is_needed else Compacted(database), database=called)
        sweep(site, database, done.transaction, is_over=True, grace_s=grace_s)
    return done


def require_nothing_open(site: Site, database: str, called: str) -> None:
    """Take back what an interrupted merge or drop of rows left; refuse while an ingest has not finished."""
    found = site.registry.transactions.find_open(database)
    if found is None:
        return
    if found.plan not in (COMPACTION, DROPPED_ROWS) and found.state is not TransactionState.ABORTING:
        raise UserError(f"'{called}' has an unfinished transaction", remedy="run its ingest again first")
    take_back(site, database, site.registry.transactions.take_over(found), "interrupted")


def _merge(site: Site, database: str, fewest: int, watcher: Watcher) -> Remake:
    """What there is to merge."""
    registry = site.registry
    replicas = registry.replicas.all(database)
    at_fault, parts = doubtful_tables(replicas), parts_of(replicas)
    merged = {target for target in parts if len(parts[target]) >= fewest and target not in at_fault}
    by_director: dict[str, list[IndexPart]] = defaultdict(list)
    for part in registry.index_parts.all(database):
        by_director[part.director].append(part)
    indexes = {director: parts for director, parts in by_director.items() if len(parts) >= fewest}
    return Remake(site, database, replicas, merged, watcher, indexes=indexes)
