"""Which state of a database the unsharded oracle holds: one row a database, on the oracle's own server.

Rules: the row goes before anything of the database is touched and comes when all of it is there, so an oracle with a
row is whole; what it holds is called by the last transaction whose rows it has. Compaction changes no rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.db.connection import Connection, quote_name, quote_text
from skyshard.registry.catalog.published_catalog import Catalog

ORACLE_DATABASE = "skyshard_oracle"
_TABLE = f"{quote_name(ORACLE_DATABASE)}.`loads`"
CREATE = (
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (name VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY, "
    "transaction BIGINT NOT NULL, loaded_ns BIGINT NOT NULL) ENGINE=InnoDB"
)


@dataclass(frozen=True, slots=True)
class Load:
    """A database as it was copied: the last transaction whose rows came along, and when, which tells copies apart."""

    transaction: int
    loaded_ns: int


def forget_text(database: str) -> str:
    """The statement after which the oracle does not hold a database."""
    return f"DELETE FROM {_TABLE} WHERE name = {quote_text(database)}"


def record_text(database: str, load: Load) -> str:
    """The statement after which the oracle holds a database."""
    return f"REPLACE INTO {_TABLE} VALUES ({quote_text(database)}, {load.transaction}, {load.loaded_ns})"


def read_loads(connection: Connection, databases: Iterable[str]) -> dict[str, Load]:
    """What the oracle holds of some databases."""
    listed = ", ".join(map(quote_text, databases))
    try:
        rows = connection.rows(f"SELECT name, transaction, loaded_ns FROM {_TABLE} WHERE name IN ({listed})")
    except UserError:  # nothing was ever loaded
        return {}
    return {str(name): Load(int(transaction), int(loaded)) for name, transaction, loaded in rows}


def require_present(loads: Mapping[str, Load], catalogs: Iterable[Catalog]) -> None:
    """Refuse to answer from anything but the rows that are published.

    Raises:
        UserError: a database that the oracle does not hold, or as it was before the last transaction.
    """
    for catalog in catalogs:
        remedy = f"run skyshard mono load {catalog.called}"
        held = loads.get(catalog.database)
        if held is None:
            raise UserError(f"the oracle does not hold '{catalog.called}'", remedy=remedy)
        if held.transaction != catalog.transaction:
            raise UserError(
                f"the oracle has '{catalog.called}' as of transaction {held.transaction}, the catalog is at "
                f"transaction {catalog.transaction}",
                remedy=remedy,
            )
