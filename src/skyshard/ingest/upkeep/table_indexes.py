"""Indexes by name of tables that are published: added, dropped, listed.

Rules: every chunk table and overlap table of a table has the same keys, so all are made anew with them, as a compaction
makes them; only once all are there does the layout say so. An index is added once: what is killed on the way is taken
back by the next run, and asking again for one that is there only removes what is left of tables before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.catalog.ddl import LONGEST_KEY_NAME, stored_table
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.plan.storable import require_storable
from skyshard.ingest.transaction.recovery import GRACE_S, sweep
from skyshard.ingest.upkeep.compaction import require_nothing_open
from skyshard.ingest.upkeep.remade_tables import Compacted, Remake, doubtful_tables
from skyshard.registry.catalog.published_catalog import CatalogTable
from skyshard.registry.stored.records import IndexPart

PRIMARY = "PRIMARY"


@dataclass(frozen=True, slots=True)
class TableIndex:
    """An index of a table as its chunk tables have it; ``columns`` as ``name`` or ``name(10)``."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool
    can_drop: bool
    """One that was added by its name; others belong to the table."""


def indexes_of(entry: CatalogTable, *, overlap: bool = False) -> list[TableIndex]:
    """All of a table: that of the primary key, of keys, of the layout, and by name."""
    own = entry.layout.model_copy(update={"named_indexes": {}, "unique_indexes": []})
    stored = stored_table(entry.table, own, overlap=overlap)
    found = [TableIndex(PRIMARY, stored.primary_key, True, False)] if stored.primary_key else []
    found += [TableIndex(key.name, key.columns, key.is_unique, False) for key in stored.keys]
    unique = entry.layout.unique_indexes
    named = entry.layout.named_indexes.items()
    return found + [TableIndex(name, tuple(those), name in unique, True) for name, those in named]


def add_index(
    site: Site,
    database: str,
    table: str,
    name: str,
    columns: Sequence[str],
    *,
    require_unique: Callable[[], None] | None = None,
    grace_s: float = GRACE_S,
    watcher: Watcher = unwatched,
) -> Compacted:
    """Give a published table an index; nothing is made where it has one of the same columns, or this one already.

    Args:
        database: its stored name.
        columns: in their order, each ``name``, or ``name(10)`` for the beginning of a text.
        require_unique: makes the index a unique one; called once nothing of the database changes any more, and raises a
            UserError where rows have the same values.

    Raises:
        UserError: no such table or column, a name that another index has, an index that no server makes, values that
            occur twice, or an ingest of the database that has not finished.
        ClusterError: a node failed, or some replicas are not good; the next run undoes what was done.
    """
    entry = _entry(site, database, table)
    layout = entry.layout
    if not name or len(name) > LONGEST_KEY_NAME or not name.isprintable():
        raise UserError(f"'{name[:100]}' is no name of an index", remedy=f"give at most {LONGEST_KEY_NAME} characters")
    mine = [_spelled(entry.table, layout, column) for column in columns]
    if not mine or len({one.partition("(")[0] for one in mine}) < len(mine):
        raise UserError(f"index '{name}' has no columns, or one of them twice", remedy="name one at least, each once")
    if (known := _find(entry, name)) is not None:
        if require_unique is not None and known.is_unique and not known.can_drop:
            what = f"'{known.name}' is a key of {table} itself, which each of its chunk tables holds for its own rows"
            raise UserError(what, remedy="choose another name for an index of the whole table")
        is_same = known.is_unique or require_unique is None
        if is_same and [one.lower() for one in known.columns] == [one.lower() for one in mine]:
            return _tidied(site, database, grace_s)
        kind = ", which is unique" if known.is_unique else ""
        what = f"{table} has an index '{known.name}' of {', '.join(known.columns)}{kind}"
        raise UserError(what, remedy="choose another name, or drop that one")
    if name.upper() == PRIMARY:
        raise UserError(f"'{name}' is the name of primary keys", remedy="choose another name for an index")
    update: dict[str, Any] = {"named_indexes": layout.named_indexes | {name: mine}}
    if require_unique is not None:
        update["unique_indexes"] = [*layout.unique_indexes, name]
    changed = layout.model_copy(update=update)
    return _changed(site, database, entry, changed, f"index {name} of {table}", grace_s, watcher, require_unique)


def drop_index(
    site: Site, database: str, table: str, name: str, *, grace_s: float = GRACE_S, watcher: Watcher = unwatched
) -> Compacted:
    """Take an index from a published table that was added by its name.

    Raises:
        UserError: there is none of that name, or it belongs to the table.
        ClusterError: as of :func:`add_index`.
    """
    entry = _entry(site, database, table)
    named = entry.layout.named_indexes
    mine = next((one for one in named if one.lower() == name.lower()), None)
    if mine is None:
        what = f"{table} has no index '{name}'"
        if (known := _find(entry, name)) is not None:
            what = f"index '{known.name}' of {table} is the table's own"
        raise UserError(what, remedy=f"those that can be dropped: {', '.join(named) or 'none'}")
    left = {one: columns for one, columns in named.items() if one != mine}
    unique = [one for one in entry.layout.unique_indexes if one != mine]
    changed = entry.layout.model_copy(update={"named_indexes": left, "unique_indexes": unique})
    return _changed(site, database, entry, changed, f"no index {mine} of {table}", grace_s, watcher)


def _entry(site: Site, database: str, table: str) -> CatalogTable:
    catalog = site.registry.published.stored_catalog(database)
    if table not in catalog.tables:
        raise UserError(f"there is no table {catalog.called}.{table}", remedy="skyshard schema show lists them")
    return catalog.tables[table]


def _find(entry: CatalogTable, name: str) -> TableIndex | None:
    return next((one for one in indexes_of(entry) if one.name.lower() == name.lower()), None)


def _spelled(table: Table, layout: TableLayout, text: str) -> str:
    """A column of an index as the table spells it.

    Raises:
        UserError: there is none, or its beginning is asked for where it has none, or not where only that can be.
    """
    full = table.with_chunk_columns() if layout.role.is_chunked else table
    name, bracket, length = text.partition("(")
    column = full.column(name)
    is_text = column.type.is_blob or column.type.base.endswith(("char", "binary"))
    what = f"column '{column.name}' is {column.type.text}"
    if bracket and not is_text:
        raise UserError(what, remedy="only texts are indexed by their beginning")
    if column.type.is_blob and not bracket:
        raise UserError(what, remedy=f"give a length, as in {column.name}(20)")
    return column.name + bracket + length


def _changed(
    site: Site,
    database: str,
    entry: CatalogTable,
    layout: TableLayout,
    source: str,
    grace_s: float,
    watcher: Watcher,
    require: Callable[[], None] | None = None,
) -> Compacted:
    """Have a table another layout, whose keys may be others; ``require`` is called before anything is made."""
    registry, name = site.registry, entry.table.name
    called = registry.published.stored_catalog(database).called
    with registry.ingesting(database), site.held(database):
        require_nothing_open(site, database, called)
        now = registry.published.stored_catalog(database)
        if now.tables.get(name) is None or now.tables[name].layout != entry.layout:
            raise ClusterError(f"table {called}.{name} was changed meanwhile", remedy="ask again", retryable=True)
        before, after = (_stored(entry.table, one) for one in (entry.layout, layout))
        for stored in after:
            require_storable(stored, now.layout.engine)
        replicas = registry.replicas.all(database)
        targets = {one.target for one in replicas if one.table == name} if before != after else set()
        if doubted := targets & doubtful_tables(replicas):
            what = f"{len(doubted)} chunk tables of {called}.{name} do not have all replicas good"
            raise ClusterError(what, remedy="run skyshard replicas repair, or fill")
        if require is not None:
            require()
        indexes = {name: parts} if targets and (parts := _index_parts(site, database, name)) else {}
        work = Remake(site, database, replicas, targets, watcher, indexes=indexes, layouts={name: layout})
        done = replace(work.run(source), database=called)
        sweep(site, database, done.transaction, is_over=True, grace_s=grace_s)
    return done


def _tidied(site: Site, database: str, grace_s: float) -> Compacted:
    """Make nothing; remove what a run left that was stopped once the index was there."""
    done = Compacted(database)
    with site.registry.ingesting(database), site.held(database):
        if site.registry.transactions.find_open(database) is None:
            sweep(site, database, done.transaction, is_over=True, grace_s=grace_s)
    return done


def _stored(table: Table, layout: TableLayout) -> list[Table]:
    """A chunk's own table, and of a director that of its overlap."""
    kinds = (False, True) if layout.role is Role.DIRECTOR else (False,)
    return [stored_table(table, layout, overlap=is_overlap) for is_overlap in kinds]


def _index_parts(site: Site, database: str, director: str) -> list[IndexPart]:
    """A director index has parts of the same transactions as its director's chunk tables: it is made anew with them."""
    return [part for part in site.registry.index_parts.all(database) if part.director == director]
