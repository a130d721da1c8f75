"""Who is behind a token, as the registry of a testbed says."""

from __future__ import annotations

import threading
import time

import skyshard
from skyshard.registry.access.quotas import NO_QUOTA, Quota
from skyshard.registry.access.tokens import TokenRow, find_token
from skyshard.serve.access import Identity

KEPT_S = 1.0
"""So long a revoked token may still be taken."""


class TokenAccess:
    """``Access`` by the tokens of the registry, which are read again every second at most. Safe for threads."""

    def __init__(self, testbed: skyshard.Testbed, default: Quota) -> None:
        """``default``: what holds where a token says nothing else."""
        self._testbed = testbed
        self._default = default
        self._lock = threading.Lock()
        self._rows: list[TokenRow] = []
        self._read_at = float("-inf")

    def identify(self, token: str) -> Identity | None:
        found = find_token(token, self._now()) if token else None
        return Identity(found.name, found.scope, found.quota.over(self._default)) if found else None

    def quota_of(self, name: str) -> Quota:
        own = next((row.quota for row in self._now() if row.name == name), NO_QUOTA)
        return own.over(self._default)

    def is_known(self, name: str) -> bool:
        return any(row.name == name for row in self._now())

    def _now(self) -> list[TokenRow]:
        with self._lock:
            if time.monotonic() - self._read_at > KEPT_S:
                self._rows = self._testbed.registry.tokens.all()
                self._read_at = time.monotonic()
            return self._rows
