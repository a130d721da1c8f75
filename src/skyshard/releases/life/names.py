"""Other names for databases: renaming, and aliases such as ``hsc_latest``.

Rules: an alias names a database, never another alias: where one is given, it is followed at once, so there are no
loops. Names are of the form that new databases have, and all different.
"""

from __future__ import annotations

from skyshard.basics.errors import ClusterError, UserError
from skyshard.ingest.sources.database_name import require_database_name
from skyshard.registry.catalog.database_names import DatabaseNames, KnownName
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState


def list_aliases(registry: Registry) -> dict[str, str]:
    """Alias → the database that it names, by alias."""
    names = registry.published.names()
    return {name: names.shown(one.stored) for name, one in sorted(names.by_name.items()) if one.is_alias}


def set_alias(registry: Registry, alias: str, database: str) -> str:
    """Make a name an alias of a database, or move it there; returns the database that it names now.

    Raises:
        UserError: a database has the name, there is none of the other name, or the two are aliases of one database.
    """
    require_name(alias)
    with registry.naming():
        names = registry.published.names()
        if alias == database:
            raise UserError(
                f"'{alias}' cannot be an alias of itself", remedy="name the database that it is to stand for"
            )
        stored, before = names.stored(database), names.by_name.get(alias)
        named = names.shown(stored)
        if database != named and before is not None and before.is_alias and before.stored == stored:
            raise UserError(
                f"'{alias}' and '{database}' are both aliases of '{named}', and would name each other",
                remedy=f"name a database: skyshard alias {alias} = {named}",
            )
        registry.life.set_alias(alias, stored)
    return named


def remove_alias(registry: Registry, alias: str) -> str:
    """Forget an alias; returns the database that it named.

    Raises:
        UserError: there is none of that name.
    """
    with registry.naming():
        names = registry.published.names()
        found = names.by_name.get(alias)
        if found is None or not found.is_alias:
            known = ", ".join(name for name, one in sorted(names.by_name.items()) if one.is_alias)
            raise UserError(f"no alias '{alias}'", remedy=f"aliases: {known or 'there are none'}")
        registry.life.remove_alias(alias)
    return names.shown(found.stored)


def rename(registry: Registry, database: str, name: str) -> None:
    """Give a published database another name; its rows stay where they are, and its aliases go on to name it.

    Queries that are under way finish; from now on the old name means nothing, until something else gets it.

    Raises:
        UserError: the name is taken or not usable, or the database is not published or has an unfinished transaction.
        ClusterError: an ingest of it is under way (retryable).
    """
    require_name(name)
    stored = own_database(registry.published.names(), database).stored
    with registry.ingesting(stored), registry.naming():
        known = still_stored(registry, database, stored)
        require_settled(registry, known)
        registry.life.rename(known.stored, name)


def own_database(names: DatabaseNames, name: str) -> KnownName:
    """A database by its own name.

    Raises:
        UserError: there is none, or it is an alias.
    """
    known = names.known(name)
    if known.is_alias:
        database = names.shown(known.stored)
        raise UserError(
            f"'{name}' is an alias of '{database}'", remedy=f"name the database, or `skyshard alias --remove {name}`"
        )
    return known


def still_stored(registry: Registry, name: str, stored: str) -> KnownName:
    """A database by its own name, whose locks were taken by its stored name.

    Raises:
        UserError: there is none, or it is an alias.
        ClusterError: the name is another one's by now (retryable).
    """
    known = own_database(registry.published.names(), name)
    if known.stored != stored:
        raise ClusterError(f"'{name}' was renamed meanwhile", remedy="ask again", retryable=True)
    return known


def require_settled(registry: Registry, known: KnownName) -> None:
    """Refuse a database that is being ingested or dropped.

    Raises:
        UserError: says how to end that.
    """
    if known.state is DatabaseState.DROPPING:
        raise UserError(f"'{known.name}' is being dropped", remedy=f"end that with `skyshard drop {known.name}`")
    found = registry.transactions.find_open(known.stored)
    if found is not None:
        raise UserError(
            f"'{known.name}' is being ingested: transaction {found.id} is {found.state}",
            remedy=f"run its ingest to the end, or `skyshard transactions abort {found.id}`",
        )


def require_name(name: str) -> None:
    """Refuse a name that no new database may have.

    Raises:
        UserError: says why.
    """
    try:
        require_database_name(name)
    except UserError as error:
        raise UserError(error.what, remedy="give a name of letters, digits and _, at most 56") from None
