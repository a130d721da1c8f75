"""The parts of director indexes, as transactions bring them; ``director_index`` says how queries read the tables."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.registry.catalog import director_index
from skyshard.registry.stored import generation
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.records import IndexPart
from skyshard.registry.stored.store import Store, fields_of


class IndexParts(Store):
    """Reads and writes of the table ``index_parts``."""

    def add(self, database: str, transaction: int, part: IndexPart) -> None:
        values = {"database": database, "transaction_id": transaction, **fields_of(part)}
        with self._writer.begin() as connection:
            connection.execute(upsert(t.index_parts).values(**values).on_duplicate_key_update(rows=part.rows))
            generation.advance(connection, if_finished=transaction)

    def all(self, database: str, director: str = "", *, transaction: int = 0) -> list[IndexPart]:
        """The parts that finished transactions brought, oldest first, or those of one transaction."""
        if transaction:
            return self._of(transaction)
        with self._plain.reading() as connection:
            return director_index.read_parts(connection, database, director)

    def _of(self, transaction: int) -> list[IndexPart]:
        query = sa.select(t.index_parts.c.director, t.index_parts.c.part, t.index_parts.c.rows)
        with self._engine.connect() as connection:
            return [IndexPart(*row) for row in connection.execute(query.filter_by(transaction_id=transaction))]

    def with_transactions(self, database: str) -> list[tuple[int, IndexPart]]:
        """The parts of all director indexes with the finished transactions that brought them, oldest first."""
        with self._plain.reading() as connection:
            return director_index.read_transactions(connection, database)
