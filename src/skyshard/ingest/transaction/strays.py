"""Keeps the keys of orphans, and records which of them a director that came later makes strays.

A dependent row without director is where its own position says. Its key is kept with the director keys, a file a
transaction, so that the transaction that brings the director can see whether that is in the same chunk. Where it
does not, the chunk is recorded: queries then no longer take the table for one that is stored with its director.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Role, split_director
from skyshard.catalog.schema import CHUNK_COLUMN
from skyshard.host.array_files import load_array
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.key_files import is_sealed
from skyshard.ingest.partition.orphan_keys import ORPHANS, Orphans, distinct, orphans_of, save_orphans
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.stray_rows import Stray


def orphans_file(site: Site, database: str, table: str, transaction: int) -> Path:
    """Where the orphans of a transaction are kept, for as long as the director keys are."""
    return site.folders.keys / database / table / str(transaction) / ORPHANS


def read_orphans(site: Site, database: str, table: str, transaction: int) -> Orphans:
    """The orphans that a transaction kept.

    Raises:
        UserError: they are not there any more, or not as they were written.
    """
    path = orphans_file(site, database, table, transaction)
    if not is_sealed(path):
        raise UserError(
            f"'{path}', the keys of rows of '{database}.{table}' that came before their director, cannot be read",
            remedy=f"run skyshard index rebuild {database}, then the ingest again",
        )
    pairs: Orphans = load_array(path)
    return pairs


class Strays:
    """What one transaction makes strays of; ``reports`` are those of its tables' input slices."""

    def __init__(self, site: Site, plan: IngestPlan, transaction: int, staging: Path) -> None:
        self._site = site
        self._plan = plan
        self._transaction = transaction
        self._staging = staging

    def record(self, reports: dict[str, list[SliceReport]]) -> None:
        """Keep the transaction's own orphans, and note all strays that there are with it.

        Raises:
            UserError: the orphans of an earlier transaction are not there any more, or not as they were written.
        """
        found: set[Stray] = set()
        for table in self._plan.tables:
            name, layout = table.name, table.source.layout
            if layout.role is Role.DEPENDENT and layout.key:
                mine = self._keep(name, reports[name])
                found |= self._strayed(self._plan.database, name, mine, self._keys(layout.director))
        self._site.registry.contributions.add_strays(self._transaction, found | set(self._of_earlier()))

    def _keep(self, table: str, reports: Sequence[SliceReport]) -> Orphans:
        bundles = [Bundle(self._staging, table, report.digest) for report in reports if report.orphans]
        files = [load_array(bundle.orphans) for bundle in bundles if bundle.orphans.exists()]
        if files:
            path = orphans_file(self._site, self._plan.database, table, self._transaction)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_orphans(path, files)
        return distinct(files)

    def _keys(self, director: str) -> DirectorKeys:
        """All keys of a director, those of this transaction among them."""
        database, table = split_director(director, self._plan.database)
        return DirectorKeys.open(self._site.folders.keys / database / table)

    def _of_earlier(self) -> Iterable[Stray]:
        """Orphans of earlier transactions, of any database, whose director is among the keys of this one."""
        new = {
            (self._plan.database, table.name): DirectorKeys.open(
                self._site.folders.keys / self._plan.database / table.name / str(self._transaction)
            )
            for table in self._plan.tables
            if table.source.layout.role is Role.DIRECTOR and table.source.slices
        }
        if not new:
            return
        followed: dict[str, dict[str, tuple[str, str]]] = {}
        for database, table, transaction in self._site.registry.contributions.orphans():
            if database not in followed:
                followed[database] = self._followed(database)
            keys = new.get(followed[database].get(table, ("", "")))
            if keys is not None:
                yield from self._strayed(database, table, read_orphans(self._site, database, table, transaction), keys)

    def _followed(self, database: str) -> dict[str, tuple[str, str]]:
        """The dependents of a database: table → database and name of its director."""
        definitions = self._site.registry.databases.table_definitions(database)
        return {
            name: split_director(layout.director, database)
            for name, (_, layout) in definitions.items()
            if layout.role is Role.DEPENDENT
        }

    def _strayed(self, database: str, table: str, orphans: Orphans, keys: DirectorKeys) -> set[Stray]:
        """The chunks with orphans whose director is in another chunk."""
        if not len(orphans) or not len(keys):
            return set()
        bits = np.ascontiguousarray(orphans[:, 0])
        found = keys.find(pa.array(bits.view(np.uint64) if keys.is_unsigned else bits))
        chunks = orphans[found.is_known & (found.chunks != orphans[:, 1]), 1]
        return {(database, table, chunk) for chunk in np.unique(chunks).tolist()}


def rebuild_orphans(site: Site, catalog: Catalog) -> None:
    """Read the keys of orphans back from the chunks that have some: all rows there that are not stored with a director.

    Those of all transactions are kept as the last one's. Strays are among them: they are recorded already.
    """
    database = catalog.database
    transactions: dict[str, list[int]] = {}
    for owner, table, transaction in site.registry.contributions.orphans():
        if owner == database and catalog.tables[table].layout.role is Role.DEPENDENT:
            transactions.setdefault(table, []).append(transaction)
    for table, numbers in transactions.items():
        found = _read_back(site, catalog, table)
        for number in numbers:
            path = orphans_file(site, database, table, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_orphans(path, [found] if number == max(numbers) else [])


def _read_back(site: Site, catalog: Catalog, table: str) -> Orphans:
    """Keys and chunks of a dependent's rows in chunks with orphans, except those stored with their director."""
    entry = catalog.tables[table]
    stored = stored_table(entry.table, entry.layout)
    owner, director = split_director(entry.layout.director, catalog.database)
    known = DirectorKeys.open(site.folders.keys / owner / director)
    found = []
    mine = [one for one in site.registry.replicas.all(catalog.database, table) if one.chunk in entry.orphan_chunks]
    for replica in right_of_each(site, catalog.database, table, stored, mine):
        rows = read_columns(site, catalog.database, stored, replica, (entry.layout.key, CHUNK_COLUMN))
        keys, chunks = (column.combine_chunks() for column in rows.columns)
        at, places = known.find(keys), chunks.to_numpy()
        found.append(orphans_of(keys, ~at.is_known | (at.chunks != places), places))
    return distinct(found)
