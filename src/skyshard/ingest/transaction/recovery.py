"""Cleans up after an interrupted ingest, and decides what the next one can keep.

Rules: only the very same plan goes on with an interrupted transaction, any other one takes it back first. What is
recorded is believed of servers that have run all the time and read again from those that were started since; what
is not recorded is swept: tables, files, prototypes, index tables, keys, bundles.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Set
from dataclasses import asdict
from pathlib import Path

import xxhash

from skyshard.basics.errors import Bug
from skyshard.catalog.layout import Role
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.ingest.on_nodes.bounded_futures import answer, answers
from skyshard.ingest.on_nodes.ingest_site import Site, prototype_names
from skyshard.ingest.on_nodes.part_tables import (
    by_node,
    expected_index_tables,
    index_names,
    read_replicas,
)
from skyshard.ingest.partition.key_files import superseded
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.quality.kept_quality import forget_quality
from skyshard.ingest.source import InputSlice
from skyshard.ingest.transaction.kept_truth import forget_known
from skyshard.log.events import TRANSACTION_ABORTED, TRANSACTION_ABORTING
from skyshard.node.node_loader import NodeLoader
from skyshard.node.shown_tables import dummy_tables, expected_tables
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.stored.lifecycle import DatabaseState, Event, TransactionState
from skyshard.registry.stored.records import OpenTransaction, Replica, dump_table
from skyshard.registry.stored.sql_tables import INDEX_DATABASE

GRACE_S = 3600.0
"""How long tables stay that a merged one has taken the place of: queries that began before may still read them."""


def plan_digest(plan: IngestPlan) -> str:
    """Digest of all that decides what an ingest writes: input slices with size and date, tables, layout, loaders."""
    content: dict[str, object] = {
        "source": os.path.realpath(plan.source.path),
        "layout": plan.layout.model_dump(mode="json", exclude=set() if plan.layout.has_images else {"columns"}),
        "tables": [_table_content(table) for table in plan.tables],
    }
    if plan.replaced:
        content["replaced"] = [file.number for file in plan.replaced]
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def _table_content(table: PlannedTable) -> dict[str, object]:
    slices = [
        {
            **asdict(piece),
            "path": os.path.realpath(piece.path),
            "changed_ns": 0 if piece.made else InputSlice.of(Path(piece.path)).changed_ns,
        }
        for piece in table.source.slices
    ]
    return {
        "table": dump_table(table.source.table), "layout": table.source.layout.model_dump(mode="json"),
        "loader": str(table.loader), "reader": repr(table.source.reader), "parts": slices,
    }  # fmt: skip


def sweep(site: Site, database: str, transaction: int, *, is_over: bool = False, grace_s: float = GRACE_S) -> None:
    """Remove what neither finished transactions nor, unless it is over, the records of the given one account for."""
    registry = site.registry
    if (layout := registry.databases.layout(database)) is not None and layout.mutable:
        raise Bug(f"tables of mutable database '{database}' were to be swept")
    swept = {*site.nodes, CZAR_NAME}
    over = registry.transactions.over_retired(database, grace_s)
    over = {server: names for server, names in over.items() if server in swept}
    retired = {
        server: names - over.get(server, set())
        for server, names in registry.transactions.retired_tables(database).items()
    }
    recorded = [] if is_over else registry.replicas.all(database, transaction=transaction)
    replicas = [*registry.replicas.all(database), *recorded]
    published = registry.databases.table_definitions(database)
    dummies = dummy_tables((name, layout.role) for name, (_, layout) in published.items())
    known = {
        node: expected_tables(mine) | dummies | retired.get(node, set())
        for node, mine in by_node(replicas, site.nodes).items()
    }
    prototypes = {name for table, layout in published.values() for name in prototype_names(table.name, layout.role)}
    answers({node: handle.call(NodeLoader.sweep, database, known[node]) for node, handle in site.nodes.items()})
    answer("czar", site.czar_loader.call(NodeLoader.sweep, database, prototypes))
    _sweep_index(site, database, transaction, retired.get(CZAR_NAME, set()), over.get(CZAR_NAME, set()))
    registry.transactions.forget_retired(database, over)
    sweep_kept(site, database)
    site.clear_staging(database, str(transaction))


def _sweep_index(site: Site, database: str, transaction: int, retired: Set[str], over: Set[str]) -> None:
    """Index tables that no finished transaction accounts for, those whose grace is over (their director may be gone);
    the ones of this transaction are made again."""
    registry = site.registry
    directors = _directors(site, database, transaction)
    known = expected_index_tables(database, registry.index_parts.all(database)) | retired
    is_ours = index_names(index_table_name(database, director) for director in directors)
    have = answer("czar", site.czar_loader.call(NodeLoader.tables, INDEX_DATABASE))
    unknown = [name for name in have if name not in known and (name in over or is_ours.fullmatch(name))]
    answer("czar", site.czar_loader.call(NodeLoader.drop_tables, INDEX_DATABASE, unknown))
    for director in directors:
        prefix = index_table_name(database, director)
        answer("czar", site.czar_loader.call(NodeLoader.remove_leftover_files, INDEX_DATABASE, prefix))


def _directors(site: Site, database: str, transaction: int) -> list[str]:
    definitions = site.registry.databases.table_definitions(database, transaction=transaction)
    return [name for name, (_, layout) in definitions.items() if layout.role is Role.DIRECTOR]


def sweep_kept(site: Site, database: str) -> None:
    """Director keys, and rows left out, of transactions that are not finished: an ingest makes its own again; keys that
    a later transaction has written anew; and those of directors that are gone."""
    states = {str(row["id"]): row["state"] for row in site.registry.transactions.all(database)}
    keys, left_out = site.folders.keys.glob(f"{database}/*/*"), site.folders.quarantine.glob(f"{database}/*")
    for folder in [*keys, *left_out]:
        if states.get(folder.name) != TransactionState.FINISHED:
            shutil.rmtree(folder)
    published = site.registry.databases.table_definitions(database)
    for director in site.folders.keys.glob(f"{database}/*"):
        for folder in superseded(director) if director.name in published else [director]:
            shutil.rmtree(folder)


def recheck(site: Site, database: str, mine: OpenTransaction) -> list[Replica]:
    """Read again what is recorded of servers that were started since the transaction began; forget what differs.

    A server says when it was started by its own clock, so what it says is compared with what it said.
    """
    registry = site.registry
    started = site.started_s()
    doubtful = [
        replica
        for replica in registry.replicas.all(database, transaction=mine.id)
        if started[replica.node] != mine.servers.get(replica.node)
    ]
    definitions = registry.databases.table_definitions(database, transaction=mine.id)
    found = read_replicas(site.nodes, database, definitions, doubtful)
    lost = [replica for replica in doubtful if found[replica.node, replica.name].digest != replica.digest]
    registry.replicas.forget(database, mine.id, lost)
    return lost


def take_back(site: Site, database: str, mine: OpenTransaction, error: str = "") -> None:
    """Remove all that a transaction did; when a node is down it stays ``aborting``, for the next ingest to end.

    Raises:
        ClusterError: a node did not answer.
    """
    registry = site.registry
    registry.transactions.move(mine, Event.ABORT, **({"error": error} if error else {}))
    site.events.tell(TRANSACTION_ABORTING, transaction=mine.id, database=database, error=error or "interrupted before")
    if registry.databases.state(database) is DatabaseState.PUBLISHED:
        sweep(site, database, mine.id, is_over=True)
        forget_known(site.folders.truth / database, mine.id)
        forget_quality(site.folders.quality / database, mine.id)
    else:
        site.drop_database(database, _directors(site, database, mine.id))
        for folder in site.folders.of_database(database):
            shutil.rmtree(folder, ignore_errors=True)
    site.clear_staging(database)
    registry.transactions.take_back(database, mine)
    site.events.tell(TRANSACTION_ABORTED, transaction=mine.id, database=database)
