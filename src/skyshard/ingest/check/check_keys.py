"""Compares the keys kept for later transactions with the director index that queries use, by digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from skyshard.basics.errors import SkyshardError
from skyshard.catalog.ddl import part_suffix
from skyshard.catalog.layout import Role
from skyshard.ingest.check.check_truth import VerifyCheck
from skyshard.ingest.on_nodes.build_orders import index_batches, index_definition
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind
from skyshard.ingest.partition.key_files import is_sealed
from skyshard.ingest.partition.orphan_keys import ORPHANS
from skyshard.node.messages import DigestOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.records import IndexPart
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.runtime.base import Handle


def key_checks(site: Site, catalog: Catalog, *, is_open: bool = False) -> Iterator[VerifyCheck]:
    """One check for each director of a database, and one for the keys of rows that came before theirs.

    Args:
        is_open: a transaction is under way, whose keys are there already: then these are not compared.
    """
    database, registry, folder = catalog.database, site.registry, site.folders.keys
    for name, entry in catalog.tables.items():
        if entry.layout.role is Role.DIRECTOR and entry.layout.key and not is_open:
            kind, parts = KeyKind.of(entry.table, entry.layout), registry.index_parts.all(database, name)
            yield _keys_check(folder / database / name, site.czar_loader, database, name, kind, parts)
    files = [
        folder / database / table / str(number) / ORPHANS
        for owner, table, number in registry.contributions.orphans()
        if owner == database and catalog.tables[table].layout.role is Role.DEPENDENT
    ]
    if files:
        harmed = [str(path) for path in files if not is_sealed(path)]
        remedy = f" (first: {harmed[0]}); skyshard index rebuild {catalog.called} rebuilds them" if harmed else ""
        text = f"{len(files) - len(harmed)} of {len(files)} files whole{remedy}"
        yield VerifyCheck("keys of orphans", not harmed, text)


def _keys_check(
    folder: Path, czar: Handle[NodeLoader], database: str, director: str, kind: KeyKind, parts: Sequence[IndexPart]
) -> VerifyCheck:
    """Compare a director's key files in a folder with the parts of its index on the czar's server."""
    base = index_table_name(database, director)
    name = f"keys of {director}"
    try:
        kept, table = RowDigest(), index_definition(base, kind)
        for batch in index_batches(DirectorKeys.open(folder), table):
            kept += digest(batch, table.columns)
        order = DigestOrder(INDEX_DATABASE, table, tuple(base + part_suffix(part.part) for part in parts))
        found = czar.call(NodeLoader.digests, order).result() if parts else []
    except SkyshardError as error:
        return VerifyCheck(name, False, str(error))
    unread = next((scan for scan in found if not scan.digest), None)
    if unread is not None:
        text = f"{unread.name}: {unread.error}; skyshard index rebuild {database} makes it again"
        return VerifyCheck(name, False, text)
    indexed = sum((RowDigest.parse(scan.digest) for scan in found), RowDigest())
    remedy = "" if kept == indexed else f"; skyshard index rebuild {database} rebuilds both"
    text = f"{kept.rows} kept for later transactions, {indexed.rows} indexed{remedy}"
    return VerifyCheck(name, kept == indexed, text)
