"""Rows under way, as doors see them. A Protocol only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pyarrow as pa


class OpenAnswer(Protocol):
    """An answer under way: its ``batches`` are read once, in the thread that opened it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names as MariaDB gives them; they may repeat."""

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def batches(self) -> Iterable[pa.RecordBatch]: ...

    @property
    def query(self) -> str:
        """By which name :meth:`Queries.cancel` stops it; empty where there is nothing to stop."""
