"""Rows under way, as doors see them. A Protocol only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pyarrow as pa

NO_GENERATION = -1
"""Of rows of which nobody knows what was published when their statement was planned."""


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
    def generation(self) -> int:
        """The number of what was published when it was planned or ``NO_GENERATION``."""

    @property
    def form(self) -> str:
        """Answers of one form, database and generation have the same columns of tables, whatever other numbers their
        statements have; empty where that is not known."""

    @property
    def chunks(self) -> int:
        """How many it reads."""

    @property
    def query(self) -> str:
        """By which name :meth:`Queries.cancel` stops it; empty where there is nothing to stop."""
