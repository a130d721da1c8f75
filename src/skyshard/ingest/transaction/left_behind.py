"""Finds rows whose director went, or moved to another chunk, with files that were replaced.

They stay where they are. Their chunks are recorded as those of strays are, of this database and of others of its
family: queries then look there too, and no longer take the table for one that is stored with its director. What was
recorded before of the chunks that are looked at is forgotten: rows may be with their director again, or be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Role, split_director
from skyshard.catalog.schema import CHUNK_COLUMN
from skyshard.ingest.on_nodes.part_tables import right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.orphan_keys import Orphans, distinct, orphans_of
from skyshard.ingest.transaction.replaced_rows import leaving_rows
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.ingest.transaction.strays import orphans_file, read_orphans
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.registry.stored.records import Replica
from skyshard.registry.stored.stray_rows import Stray


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """``found``: chunks with rows apart from their director; ``looked_at``: all chunks that were looked at."""

    found: frozenset[Stray] = frozenset()
    looked_at: frozenset[Stray] = frozenset()


def left_behind(run: RunContext) -> LeftBehind:
    """Look through the tables that follow a director some of whose rows go, and those that had strays before."""
    registry = run.site.registry
    gone: dict[tuple[str, str], set[int]] = {}
    for table, chunk, is_overlap in leaving_rows(registry, run.database, run.plan.replaced):
        if not is_overlap:
            gone.setdefault((run.database, table), set()).add(chunk)
    found: set[Stray] = set()
    looked_at: set[Stray] = set()
    for database in registry.published.names().published_stored:
        catalog = registry.published.stored_catalog(database)
        for name, entry in catalog.tables.items():
            chunks = _chunks(database, name, entry, gone)
            looked_at |= {(database, name, chunk) for chunk in chunks}
            apart = _Follower(run, catalog, entry).apart(chunks) if chunks else ()
            found |= {(database, name, chunk) for chunk in apart}
    return LeftBehind(frozenset(found), frozenset(looked_at))


def _sides(entry: CatalogTable) -> list[tuple[int, str, str]]:
    """Bit of the flag, key column and director of each side of a table that follows directors by key."""
    layout = entry.layout
    if layout.role not in (Role.DEPENDENT, Role.REF_MATCH):
        return []
    sides = ((1, layout.key, layout.director), (2, layout.key2, layout.director2))
    return [(bit, key, director) for bit, key, director in sides if key and director]


def _chunks(database: str, name: str, entry: CatalogTable, gone: dict[tuple[str, str], set[int]]) -> Set[int]:
    """The chunks of a table to look at: those that rows of its directors leave, and those that have strays."""
    sides = _sides(entry)
    leaving = set[int]().union(*(gone.get(split_director(director, database), ()) for _, _, director in sides))
    is_changed = bool(leaving) or (database, name) in gone
    return (leaving | entry.stray_chunks) & entry.chunks.keys() if sides and is_changed else set()


class _Follower:
    """One table that follows directors, as it is after the transaction."""

    def __init__(self, run: RunContext, catalog: Catalog, entry: CatalogTable) -> None:
        self._run = run
        self._database = catalog.database
        self._entry = entry
        self._name = entry.table.name

    def apart(self, chunks: Set[int]) -> set[int]:
        """The chunks, of those given, with a row whose director is elsewhere, or went."""
        elsewhere: list[Orphans] = []
        nowhere: list[Orphans] = []
        sides = [
            (bit, key, DirectorKeys.open(self._run.site.folders.keys.joinpath(*split_director(one, self._database))))
            for bit, key, one in _sides(self._entry)
        ]
        for batch in self._rows(chunks):
            flags = batch[self._entry.layout.flag].fill_null(3) if self._entry.layout.flag else None
            for bit, key, director in sides:
                is_mine = np.ones(len(batch), bool) if flags is None else (flags.to_numpy() & bit) != 0
                keys, places = batch[key].combine_chunks(), batch[CHUNK_COLUMN].to_numpy()
                at = director.find(keys, places)
                elsewhere.append(orphans_of(keys, is_mine & at.is_known & (at.chunks != places), places))
                nowhere.append(orphans_of(keys, is_mine & ~at.is_known, places))
        lost = distinct(nowhere)
        pairs = distinct([*elsewhere, _without(lost, self._orphans()) if len(lost) else lost])
        return {int(chunk) for chunk in np.unique(pairs[:, 1])}

    def _orphans(self) -> Orphans:
        """Keys and chunks of the rows that had no director when they came: these are kept track of otherwise."""
        if self._entry.layout.role is not Role.DEPENDENT:
            return distinct([])
        site, target = self._run.site, (self._database, self._name)
        every = site.registry.contributions.orphans()
        numbers = [number for database, table, number in every if (database, table) == target]
        if orphans_file(site, *target, self._run.transaction).exists():
            numbers.append(self._run.transaction)
        return distinct([read_orphans(site, *target, number) for number in numbers])

    def _rows(self, chunks: Set[int]) -> Iterator[pa.Table]:
        """Keys, flags and chunk numbers of the table's rows in some chunks, a chunk table after the other."""
        names = [key for _, key, _ in _sides(self._entry)]
        names += [name for name in (self._entry.layout.flag, CHUNK_COLUMN) if name]
        stored = stored_table(self._entry.table, self._entry.layout)
        site, mine = self._run.site, [one for one in self._replicas() if one.chunk in chunks]
        for replica in right_of_each(site, self._database, self._name, stored, mine):
            yield read_columns(site, self._database, stored, replica, names).rename_columns(names)

    def _replicas(self) -> Iterable[Replica]:
        """The table's parts as they are after the transaction."""
        all_of, run = self._run.site.registry.replicas.all, self._run
        is_mine = self._database == run.database
        made = all_of(self._database, self._name, transaction=run.transaction) if is_mine else []
        anew = {replica.target for replica in made}
        return [*(one for one in all_of(self._database, self._name) if one.target not in anew), *made]


def _without(pairs: Orphans, known: Orphans) -> Orphans:
    """The pairs that are not among the known ones.

    >>> _without(np.array([[3, 8], [5, 7]]), np.array([[5, 7]])).tolist()
    [[3, 8]]
    """
    kind = np.dtype([("key", np.int64), ("chunk", np.int64)])
    mine, theirs = (np.ascontiguousarray(one).view(kind).ravel() for one in (pairs, known))
    return pairs[~np.isin(mine, theirs)]
