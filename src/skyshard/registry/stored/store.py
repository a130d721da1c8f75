"""What subjects of the registry are made of: sessions for plain SQL, engines for what SQLAlchemy writes. No SQL here.

Rules: SQLAlchemy is imported with the first engine that is used; what queries need of the registry uses none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from skyshard.basics.lazy import locked_property, made_of
from skyshard.db.connection import Account, Endpoint
from skyshard.db.short_transactions import ShortTransactions
from skyshard.db.sqlalchemy_engine import sqlalchemy_engine
from skyshard.registry.stored.database_names import REGISTRY_DATABASE

if TYPE_CHECKING:
    import sqlalchemy as sa


class Engines:
    """The ways to one registry: ``plain`` for text (``plain_sql``), ``reader`` and ``writer`` for SQLAlchemy."""

    def __init__(self, czar: Endpoint) -> None:
        self._czar = czar
        self.plain = ShortTransactions(czar)

    @locked_property
    def reader(self) -> sa.Engine:
        """Each transaction sees one state throughout."""
        return sqlalchemy_engine(self._czar, Account.ADMIN, REGISTRY_DATABASE)

    @locked_property
    def writer(self) -> sa.Engine:
        """Locks rows, not the gaps between them."""
        return sqlalchemy_engine(self._czar, Account.ADMIN, REGISTRY_DATABASE, isolation="READ COMMITTED")

    def close(self) -> None:
        self.plain.close()
        for name in ("reader", "writer"):
            if (made := made_of(self, name)) is not None:
                made.dispose()


class Store:
    """One subject of the registry: each method is one short SQL transaction."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._plain = engines.plain

    @property
    def _engine(self) -> sa.Engine:
        return self._engines.reader

    @property
    def _writer(self) -> sa.Engine:
        return self._engines.writer

    def _dicts(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def fields_of(value: Any) -> Mapping[str, Any]:
    """The fields of a flat dataclass; ``asdict`` would copy each of them."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
