"""Contributions: what each input brought to each chunk table; and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
import xxhash

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored import stray_rows as strays
from skyshard.registry.stored.lifecycle import ContributionState, TransactionState
from skyshard.registry.stored.records import Contribution
from skyshard.registry.stored.store import Store, fields_of
from skyshard.rowimage.digest import RowDigest


class Contributions(Store):
    """Reads and writes of the tables ``contributions`` and ``strays``."""

    def add(self, transaction: int, contributions: Sequence[Contribution]) -> None:
        """Record what a part brings to each chunk table; the same record again changes nothing."""
        rows = [
            {"transaction_id": transaction, "state": ContributionState.PARTITIONED, **fields_of(item)}
            for item in contributions
        ]
        if rows:
            with self._writer.begin() as connection:
                connection.execute(sa.insert(t.contributions).prefix_with("IGNORE"), rows)

    def all(self, database: str) -> list[dict[str, Any]]:
        """The rows of a database's contributions, by table, chunk and overlap."""
        query = (
            sa.select(t.contributions)
            .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
            .where(t.transactions.c.database == database)
            .order_by(t.contributions.c.table, t.contributions.c.chunk, t.contributions.c.is_overlap)
        )
        return self._dicts(query)

    def ingested_parts(self, database: str) -> dict[tuple[str, str], set[str]]:
        """What finished transactions took in, and none replaced: (table, path of the part) → digests of its slices."""
        c = t.contributions.c
        found: dict[tuple[str, str], set[str]] = {}
        for table, part, digest in self._standing(database, c.table, c.part, c.part_digest):
            found.setdefault((str(table), str(part)), set()).add(str(digest))
        return found

    def standing_parts(self, database: str) -> set[tuple[int, str, str]]:
        """What stands of a database: finished transaction, table and path of each part that was not replaced."""
        c = t.contributions.c
        standing = self._standing(database, c.transaction_id, c.table, c.part)
        return {(int(number), str(table), str(part)) for number, table, part in standing}

    def _standing(self, database: str, *columns: sa.Column[Any]) -> list[Any]:
        """Of what finished transactions took in, and none replaced, each combination of these columns."""
        query = (
            sa.select(*columns)
            .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
            .where(
                t.transactions.c.database == database,
                t.transactions.c.state == TransactionState.FINISHED,
                t.contributions.c.state == ContributionState.LOADED,
            )
            .distinct()
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query))

    def data_digest(self, database: str) -> str:
        """One number for all rows of a database, whatever nodes they are on: the digests of its tables, summed."""
        sums: dict[str, RowDigest] = {}
        for row in self.all(database):
            if not row["is_overlap"] and row["state"] == ContributionState.LOADED:
                sums[row["table"]] = sums.get(row["table"], RowDigest(0, 0)) + RowDigest.parse(row["digest"])
        text = "\n".join(f"{table} {total}" for table, total in sorted(sums.items()))
        return xxhash.xxh3_128_hexdigest(text.encode())

    def orphans(self) -> list[tuple[str, str, int]]:
        """Database, table and finished transaction of all dependent rows that came before their director."""
        with self._engine.connect() as connection:
            return strays.read_orphans(connection)

    def add_strays(self, transaction: int, found: Iterable[strays.Stray]) -> None:
        with self._writer.begin() as connection:
            strays.add(connection, transaction, found)

    def parts_of(self, database: str, transaction: int, table: str, chunk: int, is_overlap: bool) -> list[str]:
        """The input parts that brought the rows which a transaction made a chunk table of, sorted.

        Its own; of one that brought none, and merged what others had brought, those up to it that stand.
        """
        c, x = t.contributions.c, t.transactions.c
        same = (c.table == table, c.chunk == chunk, c.is_overlap == is_overlap, c.rows > 0, x.database == database)
        query = sa.select(c.part).join(t.transactions, x.id == c.transaction_id).where(*same).distinct()
        standing = (c.transaction_id <= transaction, c.state == ContributionState.LOADED)
        with self._engine.connect() as connection:
            mine = list(connection.scalars(query.where(c.transaction_id == transaction)))
            return sorted(map(str, mine or connection.scalars(query.where(*standing))))
