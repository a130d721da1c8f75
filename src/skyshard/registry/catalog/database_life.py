"""What happens to databases as wholes: another name, aliases, their end. Each is one SQL transaction.

Rules: whoever changes a name holds ``Registry.naming``, whoever drops a database ``Registry.ingesting`` besides. The
generation goes up with each change, so that a statement sees all of it or nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.basics.errors import UserError
from skyshard.registry.stored import generation, table_rows
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import DatabaseState, Event, follow
from skyshard.registry.stored.naming import require_free
from skyshard.registry.stored.store import Store


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """What the registry has of one database; times are seconds since 1970."""

    stored: str
    shown: str
    state: DatabaseState
    family: str
    layout: dict[str, object]
    source: str
    created_s: float
    changed_s: float
    """When its state or its shown name changed last."""
    kept_until_s: float
    """Of one that is being dropped: until then queries that began before may read it."""


class DatabaseLife(Store):
    """Writes of the tables ``databases``, ``aliases`` and ``dropped``."""

    def rows(self) -> list[DatabaseRow]:
        """All databases by their shown names, whatever their state."""
        d = t.databases.c
        query = sa.select(
            d.name, d.shown, d.state, d.family, d.layout, d.source, d.created_s, d.changed_s, d.kept_until_s
        )
        with self._engine.connect() as connection:
            return [
                DatabaseRow(row.name, row.shown, DatabaseState(row.state), *row[3:])
                for row in connection.execute(query.order_by(d.shown))
            ]

    def followers(self, database: str) -> list[tuple[str, str]]:
        """The tables of other databases that follow its directors: database and table, by shown names."""
        with self._engine.connect() as connection:
            return _followers(connection, database)

    def rename(self, database: str, shown: str) -> None:
        """Give a database another name for people.

        Raises:
            UserError: a database or an alias has it.
        """
        with self._writer.begin() as connection:
            require_free(connection, shown)
            where = t.databases.c.name == database
            connection.execute(sa.update(t.databases).where(where).values(shown=shown, changed_s=time.time()))
            generation.advance(connection)

    def set_alias(self, name: str, database: str) -> None:
        """Make a name an alias of a database, whatever it was an alias of before.

        Raises:
            UserError: a database has the name, or the one that is meant is no longer published.
        """
        with self._writer.begin() as connection:
            d = t.databases.c
            if connection.scalar(sa.select(d.name).where(d.shown == name)) is not None:
                raise UserError(f"there is a database '{name}', which an alias would hide", remedy="give another name")
            state = connection.scalar(sa.select(d.state).where(d.name == database).with_for_update())
            if state != DatabaseState.PUBLISHED:
                raise UserError(
                    f"'{database}' is not published any more", remedy="skyshard databases lists those that are"
                )
            values = {"database": database, "changed_s": time.time()}
            connection.execute(upsert(t.aliases).values(name=name, **values).on_duplicate_key_update(**values))
            generation.advance(connection)

    def remove_alias(self, name: str) -> None:
        """Forget an alias; no-op where there is none."""
        with self._writer.begin() as connection:
            connection.execute(sa.delete(t.aliases).where(t.aliases.c.name == name))
            generation.advance(connection)

    def begin_drop(self, database: str, *, with_aliases: bool, kept_until_s: float) -> None:
        """Hide a published database from all queries; its tables stay until ``end_drop``.

        Raises:
            UserError: an alias names it, or tables of another database follow its directors.
        """
        with self._writer.begin() as connection:
            where = t.databases.c.name == database
            state = DatabaseState(str(connection.scalar(sa.select(t.databases.c.state).where(where).with_for_update())))
            aliases = t.aliases.c.database == database
            if with_aliases:
                connection.execute(sa.delete(t.aliases).where(aliases))
            if alias := connection.scalar(sa.select(t.aliases.c.name).where(aliases)):
                raise UserError(
                    f"alias '{alias}' names it", remedy="let the alias name another database, or drop --with-alias"
                )
            if followers := _followers(connection, database):
                (other, table), *_ = followers
                raise UserError(f"table '{other}.{table}' follows its directors", remedy=f"drop '{other}' first")
            values = {"state": follow(state, Event.DROP), "changed_s": time.time(), "kept_until_s": kept_until_s}
            connection.execute(sa.update(t.databases).where(where).values(**values))
            generation.advance(connection)

    def take_over(self, database: str, successor: str, *, kept_until_s: float) -> None:
        """Give a database's name and aliases to another one, and hide it from all queries, in one step.

        Raises:
            UserError: tables of another database follow its directors, or one of the two is not published any more.
        """
        d, now_s = t.databases.c, time.time()
        with self._writer.begin() as connection:
            query = sa.select(d.name, d.shown, d.state).where(d.name.in_((database, successor))).with_for_update()
            rows = {row.name: row for row in connection.execute(query)}
            for name in (database, successor):
                if name not in rows or rows[name].state != DatabaseState.PUBLISHED:
                    raise UserError(f"'{name}' is not published any more", remedy="skyshard databases lists the others")
            if followers := _followers(connection, database):
                (other, table), *_ = followers
                raise UserError(f"table '{other}.{table}' follows its directors", remedy=f"drop '{other}' first")
            shown, free = str(rows[database].shown), str(rows[successor].shown)
            states = {database: follow(DatabaseState.PUBLISHED, Event.DROP), successor: DatabaseState.PUBLISHED}
            for name, called in ((database, f"_{free}"), (successor, shown), (database, free)):  # names are unique
                values = {"shown": called, "state": states[name], "changed_s": now_s}
                values |= {"kept_until_s": kept_until_s} if name == database else {}
                connection.execute(sa.update(t.databases).where(d.name == name).values(**values))
            moved = sa.update(t.aliases).where(t.aliases.c.database == database)
            connection.execute(moved.values(database=successor, changed_s=now_s))
            generation.advance(connection)

    def keep_until(self, database: str, kept_until_s: float) -> None:
        """Say again how long a database that is being dropped may be read."""
        where = t.databases.c.name == database
        with self._writer.begin() as connection:
            connection.execute(sa.update(t.databases).where(where).values(kept_until_s=kept_until_s))

    def end_drop(self, database: str) -> None:
        """Forget a database of which nothing is left, but its stored name; and where a family without others was."""
        d = t.databases.c
        with self._writer.begin() as connection:
            row = connection.execute(sa.select(d.shown, d.family).where(d.name == database).with_for_update()).first()
            if row is None:
                return
            dropped = sa.insert(t.dropped).prefix_with("IGNORE")
            connection.execute(dropped.values(name=database, shown=row.shown, dropped_s=time.time()))
            connection.execute(sa.delete(t.databases).where(d.name == database))
            if connection.scalar(sa.select(d.name).where(d.family == row.family).limit(1)) is None:
                connection.execute(sa.delete(t.placements).where(t.placements.c.family == row.family))
            generation.advance(connection)


def _followers(connection: sa.Connection, database: str) -> list[tuple[str, str]]:
    """Tables of other databases that stay, whose rows follow a director of this one."""
    shown = connection.scalar(sa.select(t.databases.c.shown).where(t.databases.c.name == database))
    found = ((other, table) for other, table, _ in table_rows.followers(connection, database) if other != shown)
    return list(dict.fromkeys(found))
