"""Makes the registry's SQL tables; those that are there stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from skyshard.registry.stored.sql_tables import metadata


def make_tables(writer: sa.Engine) -> None:
    """Make tables and indexes, by plain ``CREATE ... IF NOT EXISTS``."""
    with writer.begin() as registry:
        for table in metadata.sorted_tables:
            registry.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                registry.execute(CreateIndex(index, if_not_exists=True))
