"""Transactions of a session: begun, committed and rolled back alike on every engine."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import ClassVar

from skyshard.basics.errors import SkyshardError


class SessionTransaction(ABC):
    """The part of a :class:`~skyshard.apdb.stores.sql_server.SqlServer` that knows whether a transaction is open."""

    begin_words: ClassVar[str] = "BEGIN"
    _in_transaction = False

    @abstractmethod
    def _execute(self, sql: str) -> object:
        """Run a statement without a result; raises ClusterError."""

    def begin(self) -> None:
        self._execute(self.begin_words)
        self._in_transaction = True

    def commit(self) -> None:
        """A commit that fails leaves the transaction open, to be rolled back."""
        self._execute("COMMIT")
        self._in_transaction = False

    def rollback(self) -> None:
        """End the transaction, if one is open; a server that is gone has ended it."""
        if self._in_transaction:
            self._in_transaction = False
            with contextlib.suppress(SkyshardError):
                self._execute("ROLLBACK")
