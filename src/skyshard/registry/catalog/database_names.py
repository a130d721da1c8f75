"""What people call databases: a shown name each, and aliases; the stored name stands behind both and never changes.

Everything on the servers, in files and in the registry's rows goes by stored names. Names that people give become
stored ones here, and nowhere else. ``DatabaseNames`` is one consistent read: whoever resolves several names by one of
them sees every alias as it was at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.db.connection import Connection
from skyshard.registry.stored import plain_sql
from skyshard.registry.stored.lifecycle import DatabaseState

MOST_NAMED = 5
"""Databases that an error names."""


class DatabaseGone(UserError):
    """A database that was there when its name was looked up, and is dropped now: what asked may look again."""


@dataclass(frozen=True, slots=True)
class KnownName:
    """One name: of the database that is stored as ``stored``, or an alias of it."""

    name: str
    stored: str
    state: DatabaseState
    is_alias: bool = False
    is_mutable: bool = False
    """Visits change its tables: it has no replicas, parts or digests."""


@dataclass(frozen=True, slots=True)
class DatabaseNames:
    """All names at one moment."""

    by_name: Mapping[str, KnownName]

    @classmethod
    def of(cls, names: Iterable[KnownName]) -> DatabaseNames:
        return cls({one.name: one for one in names})

    @property
    def published(self) -> list[str]:
        """The names that a statement may use, aliases among them, sorted."""
        return sorted(one.name for one in self.by_name.values() if one.state is DatabaseState.PUBLISHED)

    @property
    def published_stored(self) -> list[str]:
        """The stored names of the published databases, each once, by what people call them; no mutable ones."""
        return [one.stored for one in self._published() if not one.is_mutable]

    @property
    def mutable_stored(self) -> list[str]:
        """The stored names of the published mutable databases, by what people call them."""
        return [one.stored for one in self._published() if one.is_mutable]

    def _published(self) -> list[KnownName]:
        return [self.by_name[name] for name in self.published if not self.by_name[name].is_alias]

    @property
    def all_stored(self) -> list[str]:
        """The stored names of all databases, whatever their state, by what people call them."""
        return [one.stored for _, one in sorted(self.by_name.items()) if not one.is_alias]

    def stored(self, name: str) -> str:
        """The stored name of a published database.

        Raises:
            UserError: none is called so; says which there are.
        """
        found = self.by_name.get(name)
        if found is None or found.state is not DatabaseState.PUBLISHED:
            raise no_database(name, self)
        return found.stored

    def fixed(self, name: str) -> str:
        """The stored name of a published database that no visit changes, for whatever needs replicas and digests.

        Raises:
            UserError: none is called so, or it is mutable.
        """
        stored = self.stored(name)
        self.require_fixed(name)
        return stored

    def require_fixed(self, name: str) -> None:
        """Refuse the name of a mutable database; one that nobody has is not."""
        found = self.by_name.get(name)
        if found is not None and found.is_mutable:
            raise UserError(
                f"'{name}' is a mutable database: visits change its rows, which have no replicas, parts or digests",
                remedy="publish it (`skyshard apdb publish`) and do this to the published database",
            )

    def known(self, name: str) -> KnownName:
        """A database by its name, whatever its state. Errors as of :meth:`stored`."""
        found = self.by_name.get(name)
        if found is None:
            raise no_database(name, self)
        return found

    def find(self, name: str) -> str:
        """The stored name of a database, whatever its state; empty where there is none."""
        found = self.by_name.get(name)
        return found.stored if found else ""

    def shown(self, stored: str) -> str:
        """What people call a database; its stored name where it has gone."""
        found = (one.name for one in self.by_name.values() if one.stored == stored and not one.is_alias)
        return next(found, stored)

    def aliases(self, stored: str) -> tuple[str, ...]:
        """The aliases of a database, sorted."""
        return tuple(sorted(one.name for one in self.by_name.values() if one.stored == stored and one.is_alias))


def no_database(name: str, names: DatabaseNames) -> UserError:
    """The error about a name that no published database has, with those that it may have meant, and the first ones.

    >>> str(no_database("hsc", DatabaseNames({})))
    "no database 'hsc'; published: none is published"
    """
    from skyshard.basics.near_names import did_you_mean, near_names  # needed only where something is wrong

    known = names.published
    more = f" and {len(known) - MOST_NAMED} more (skyshard databases)" if len(known) > MOST_NAMED else ""
    listed = f"published: {', '.join(known[:MOST_NAMED]) or 'none is published'}{more}"
    meant = did_you_mean(near_names(name, known, 3), "")
    return UserError(f"no database '{name}'", remedy=f"{meant} {listed}".strip())


def read_names(connection: Connection) -> DatabaseNames:
    """All names, as one statement reads them."""
    return DatabaseNames.of(
        KnownName(str(name), str(stored), DatabaseState(state), bool(is_alias), bool(int(is_mutable)))
        for name, stored, state, is_alias, is_mutable in connection.rows(plain_sql.NAMES)
    )
