"""Rebuilds director indexes from the chunk tables, for a czar that lost them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.build_orders import index_build
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import MergeTables, right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys
from skyshard.ingest.partition.stored_keys import save_stored_keys
from skyshard.ingest.transaction.strays import rebuild_orphans
from skyshard.ingest.upkeep.repair_faults import repair_faults
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.published_catalog import CatalogTable
from skyshard.registry.stored.records import IndexPart
from skyshard.registry.stored.sql_tables import INDEX_DATABASE


def rebuild_indexes(
    site: Site, database: str, watcher: Watcher = unwatched, *, with_tables: bool = True
) -> dict[str, int]:
    """Read keys and chunk numbers of every director back from the nodes; returns director → keys.

    The sorted keys that later transactions are checked against are rebuilt too, and those of orphans. Part by part,
    like the ingest that made them, so that names and generations stay. Before that, indexes and lists of parts on the
    nodes are rebuilt where they are damaged.

    Args:
        with_tables: False leaves the nodes' tables as they are, whatever is wrong with some replicas.

    Raises:
        UserError: an unknown database, or an unfinished transaction.
        ClusterError: a chunk table that cannot be read, or other keys than its transaction brought.
    """
    registry = site.registry
    catalog = registry.published.stored_catalog(database)
    with registry.ingesting(database), site.held(database):
        if registry.transactions.find_open(database) is not None:
            raise UserError(f"'{catalog.called}' has an unfinished transaction", remedy="run its ingest again first")
        if with_tables:
            repair_faults(site, database, catalog.layout)
        answer("czar", site.czar_loader.call(NodeLoader.make_database, INDEX_DATABASE))
        parts = registry.index_parts.with_transactions(database)
        counts: dict[str, int] = {}
        covered: dict[str, int] = {}
        for done, (transaction, part) in enumerate(parts, 1):
            entry = catalog.tables[part.director]
            with _staging(site, database) as staging:
                since = range(covered.get(part.director, 0), transaction)
                _rebuild_part(site, database, entry, since, part, staging)
            covered[part.director] = transaction
            counts[part.director] = counts.get(part.director, 0) + part.rows
            kind = KeyKind.of(entry.table, entry.layout)
            mine = [other for _, other in parts[:done] if other.director == part.director]
            MergeTables(site, database).make_index(part.director, kind, mine)
            watcher(Progress("director index", done, len(parts), sum(counts.values())))
        rebuild_orphans(site, catalog)
    return counts


@contextmanager
def _staging(site: Site, database: str) -> Iterator[Path]:
    """A folder for the keys of one part; removed at the end, and first where a killed run left it."""
    folder = site.folders.staging / database / "index"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def _rebuild_part(site: Site, database: str, entry: CatalogTable, since: range, part: IndexPart, staging: Path) -> None:
    """One part's keys: read from one replica of each chunk table, sorted, made a table.

    Args:
        since: from the transaction that brought the part before, to the one that brought this: a compaction makes one
            part of what several brought.
    """
    director, transaction = part.director, since.stop
    stored, kind = stored_table(entry.table, entry.layout), KeyKind.of(entry.table, entry.layout)
    columns = (entry.layout.key, CHUNK_COLUMN, SUB_CHUNK_COLUMN)
    files, names = [], []
    replicas = site.registry.replicas.all(database, transaction=transaction, after=since.start)
    chosen = right_of_each(site, database, director, stored, replicas)
    _require_brought(part, transaction, sum(replica.rows for replica in chosen))
    for replica in chosen:
        rows = read_columns(site, database, stored, replica, columns)
        files.append(save_stored_keys(staging / f"{replica.name}.npy", rows, kind))
        names.append(replica.name)
    folder = site.folders.keys / database / director / str(transaction)
    for other in folder.parent.glob("*"):
        if since.start < int(other.name) <= transaction:
            shutil.rmtree(other)
    build_keys(folder, files, director, names, DirectorKeys([]), kind)
    order = index_build(database, director, kind, part.part, folder, staging)
    (built,) = answer("czar", site.czar_loader.call(NodeLoader.build, order))
    _require_brought(part, transaction, built.rows)


def _require_brought(part: IndexPart, transaction: int, keys: int) -> None:
    """ClusterError where chunk tables have not as many keys as their transaction brought: before anything is replaced,
    and of what was made."""
    if keys != part.rows:
        raise ClusterError(
            f"director '{part.director}': {keys} keys in the chunk tables of transaction {transaction}, which brought "
            f"{part.rows}",
            remedy="run skyshard verify",
        )
