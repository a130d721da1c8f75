"""Tokens: made at random, shown once, kept as digests.

Rules: a token is 256 random bits, so that its plain SHA-256 is as safe as a slow one; digests are compared in constant
time; what is revoked is gone. Dumps of the registry hold none: a restore must not bring a revoked one back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from skyshard.basics.errors import UserError
from skyshard.registry.access.quotas import NO_QUOTA, Quota
from skyshard.registry.stored import token_sql
from skyshard.registry.stored.store import Store

PREFIX = "skyshard_"
"""By which programs that look for secrets in texts know one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


class Scope(StrEnum):
    """What a token allows; later ones include the earlier ones.

    >>> Scope.ADMIN.includes(Scope.QUERY), Scope.QUERY.includes(Scope.INGEST)
    (True, False)
    """

    QUERY = "query"
    INGEST = "ingest"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is kept; ``made_s`` in seconds since 1970."""

    name: str
    scope: Scope
    digest: str
    made_s: float
    quota: Quota = NO_QUOTA


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_token(token: str, rows: Sequence[TokenRow]) -> TokenRow | None:
    """The row of a token; every row is looked at, whichever it is."""
    digest = digest_of(token)
    found = [row for row in rows if hmac.compare_digest(row.digest, digest)]
    return found[0] if found else None


class Tokens(Store):
    """Reads and writes of the table ``tokens``."""

    def create(self, name: str, scope: Scope, quota: Quota = NO_QUOTA) -> str:
        """Make a token; what it is called is for those who revoke it; what ``quota`` does not say, doors say.

        Raises:
            UserError: the name is taken, or none that a token may have.
        """
        if not _NAME.fullmatch(name):
            raise UserError(
                f"'{name}' is no name for a token",
                remedy="use up to 32 letters, digits, '_', '.' and '-', a letter or digit first",
            )
        token = f"{PREFIX}{secrets.token_urlsafe(32)}"
        with self._plain.writing() as connection:
            if not connection.execute(token_sql.MAKE_TOKEN, [name, str(scope), digest_of(token), quota.text]):
                raise UserError(f"there is a token '{name}'", remedy=f"revoke it first: skyshard token revoke {name}")
        return token

    def all(self) -> list[TokenRow]:
        """By name."""
        with self._plain.reading() as connection:
            rows = connection.rows(token_sql.TOKENS)
        return [
            TokenRow(str(name), Scope(scope), str(digest), float(made), Quota.of(str(quota).split()))
            for name, scope, digest, made, quota in rows
        ]

    def set_quota(self, name: str, quota: Quota) -> None:
        """Give a token another quota; UserError if there is none of the name."""
        if name not in (row.name for row in self.all()):
            raise _no_token(name)
        with self._plain.writing() as connection:
            connection.execute(token_sql.SET_QUOTA, [quota.text, name])

    def revoke(self, name: str) -> None:
        """Forget a token; UserError if there is none of the name."""
        with self._plain.writing() as connection:
            if not connection.execute(token_sql.REVOKE_TOKEN, [name]):
                raise _no_token(name)


def _no_token(name: str) -> UserError:
    return UserError(f"there is no token '{name}'", remedy="skyshard token list shows them")
