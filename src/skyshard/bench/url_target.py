"""Any database that SQLAlchemy reaches, as a target: ``mysql+pymysql://user@host/db``, ``postgresql://...``.

Statements go as they are: whether the engine knows ``qserv_areaspec_box`` is its own affair, and its refusal a failed
query.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy

from skyshard.bench.targets import Answer
from skyshard.errors import ClusterError, UserError

POOL = 64
"""Connections kept for clients; more clients wait for one."""


class UrlTarget:
    """One database behind a URL; the password stays out of every name and fact."""

    def __init__(self, url: str) -> None:
        try:
            self._url = sqlalchemy.engine.make_url(url)
            self._engine = sqlalchemy.create_engine(self._url, pool_size=POOL, max_overflow=0)
        except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
            raise UserError(f"target URL: {_line(error)}", remedy="check it, and install its driver") from None

    @property
    def name(self) -> str:
        return self._url.get_backend_name()

    def run(self, sql: str, database: str) -> Answer:
        start = time.perf_counter()
        try:
            with self._engine.connect() as connection:
                result = connection.execute(sqlalchemy.text(sql.replace(":", r"\:")))
                first = result.fetchmany(1)
                first_row_s = time.perf_counter() - start
                rows = [*first, *result.fetchall()]
                return Answer.of(to_table(list(result.keys()), rows), first_row_s=first_row_s)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise ClusterError(f"{self.name}: {_line(error)}") from None

    def describe(self) -> Mapping[str, object]:
        with self._engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
        return {"engine": self.name, "url": self._url.render_as_string(hide_password=True), "version": version}

    def close(self) -> None:
        self._engine.dispose()


def to_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows of a driver as a table; columns are numbered, since names may repeat, and typed by their values."""
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    arrays = [pa.array(map(_plain, column)) if column else pa.nulls(0) for column in columns]
    return pa.Table.from_arrays(arrays, names=[f"c{number}" for number in range(len(names))])


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) and value != value.to_integral_value() else value


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]
