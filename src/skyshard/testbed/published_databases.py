"""What is done with databases that are published: they are compared, named, dropped, and asked where rows are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import skyshard.releases
from skyshard.basics.progress import Watcher, unwatched
from skyshard.db.connection import Account, connect
from skyshard.testbed.open_cluster import OpenCluster


class PublishedDatabases(OpenCluster):
    """The databases of a cluster as releases: which there are, what tells two apart, under which names they are."""

    def schema_diff(self, old: str, new: str) -> skyshard.releases.SchemaDifference:
        """What the second of two schemas has otherwise: files, a Felis schema, a mapping or a database each.

        Raises:
            UserError: nothing of a name, or two things of it (``db:``, ``felis:`` and ``file:`` tell them apart).
            ClusterError: a node failed.
        """
        databases = skyshard.releases.ClusterTables(self.registry, self._table)
        sides = (skyshard.releases.open_side(name, databases) for name in (old, new))
        return skyshard.releases.compare_schemas(*sides)

    def diff(
        self,
        new: str,
        old: str,
        *,
        radius_arcsec: float = 0.5,
        match: Literal["auto", "key", "position"] = "auto",
        tables: Sequence[str] | None = None,
        renamed: Mapping[str, Mapping[str, str]] | None = None,
        watcher: Watcher = unwatched,
    ) -> skyshard.releases.DatabaseDifference:
        """What changed from the old database to the new one, whatever their striping.

        Args:
            radius_arcsec: up to which separation two positions are of one object.
            match: objects by key, by position, or by key where keys last.
            tables: only these; all that both have if None.
            renamed: by table, new column → old column.
            watcher: is called with the progress of each table.

        Raises:
            UserError: an unknown database or table, or one that cannot be matched as asked.
            ClusterError: a node failed.
        """
        request = skyshard.releases.DiffRequest(new, old, radius_arcsec, match, tables, renamed or {})
        folder = self.cluster.folder_for("staging")
        return skyshard.releases.compare_databases(request, self.wiring.site(), folder, watcher)

    def databases(self) -> list[skyshard.releases.DatabaseFacts]:
        """What there is, with sizes, states, names, sources and times; those that are being dropped, too."""
        return skyshard.releases.list_databases(self.registry)

    def aliases(self) -> dict[str, str]:
        """Alias → the database that it names."""
        return skyshard.releases.list_aliases(self.registry)

    def alias(self, name: str, database: str) -> str:
        """Make ``name`` an alias of a database, or move it there, in one step; returns the database's own name."""
        before = self.registry.published.names().by_name.get(name)
        named = skyshard.releases.set_alias(self.registry, name, database)
        self.wiring.keep_records(before.stored if before else "", self._stored(named))
        return named

    def remove_alias(self, name: str) -> str:
        """Forget an alias; returns the database that it named."""
        named = skyshard.releases.remove_alias(self.registry, name)
        self.wiring.keep_records(self._stored(named))
        return named

    def rename(self, database: str, name: str) -> None:
        """Give a published database another name, in one step; queries that are under way finish."""
        skyshard.releases.rename(self.registry, database, name)
        self.wiring.keep_records(self._stored(name))

    def drop(self, database: str, *, with_aliases: bool = False, grace_s: float = 0.0) -> skyshard.releases.Dropped:
        """Drop a database from all servers; after an interruption, call it again to go on.

        Args:
            with_aliases: drop the aliases that name it, too; else they forbid it.
            grace_s: seconds for which its tables stay, for queries that began before; a later call removes them.

        Raises:
            UserError: it is being ingested, or an alias or tables of another database need it.
            ClusterError: a server is down; the error says whether anything was changed.
        """
        return skyshard.releases.drop(self.wiring.life_place(), database, with_aliases=with_aliases, grace_s=grace_s)

    def old_releases(self, prefix: str, keep: int) -> skyshard.releases.KeptReleases:
        """Which databases of a prefix ``drop`` may take when only the newest few are to stay; changes nothing."""
        return skyshard.releases.old_releases(self.registry, prefix, keep)

    def finish_drops(self) -> list[str]:
        """End drops that were interrupted, as far as servers answer; returns the databases that are gone now."""
        return skyshard.releases.finish_drops(self.wiring.life_place())

    def where_from(self, database: str, table: str, key: str) -> skyshard.releases.RowOrigins:
        """Which file, row and transaction the rows with a key come from.

        Args:
            key: of the row or of its director: a value, or one for each column of the primary key with commas; or
                ``column=value,...``.

        Raises:
            UserError: an unknown database, table or column, or a value that the column cannot hold.
        """
        self._fixed(database)
        return skyshard.releases.where_from(self.registry, self._table, self._count_on, database, table, key)

    def _count_on(self, node: str, database: str, sql: str) -> int:
        with connect(self.cluster.endpoint(node), Account.READER, database) as connection:
            return int(connection.value(sql))

    def input_files(self, database: str) -> list[skyshard.InputFile]:
        """The files that a database was ingested from, those whose rows were replaced among them."""
        return skyshard.releases.known_files(self.registry, database)

    def quality(self, database: str) -> skyshard.releases.DatabaseQuality:
        """What the rows of a database hold, as ingests of a mapping counted it.

        Raises:
            UserError: an unknown database, or one of which nothing was counted.
        """
        stored = self._fixed(database)
        found = skyshard.releases.quality_of(self.registry, self.wiring.folders.quality / stored, stored)
        return found.model_copy(update={"database": database})
