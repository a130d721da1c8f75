"""What every subject of the registry is made of: a connection pool for reads, one for writes. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Engines:
    """``reader``: each transaction sees one state throughout. ``writer``: locks rows, not the gaps between them."""

    reader: sa.Engine
    writer: sa.Engine


class Store:
    """One subject of the registry: each method is one short SQL transaction."""

    def __init__(self, engines: Engines) -> None:
        self._engine = engines.reader
        self._writer = engines.writer

    def _dicts(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def fields_of(value: Any) -> Mapping[str, Any]:
    """The fields of a flat dataclass; ``asdict`` would copy each of them."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
