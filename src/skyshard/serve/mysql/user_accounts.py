"""Accounts of users on the server behind the MySQL door: each has one of its own, so that the server itself calls it by
its name and keeps its sessions from others'.

Rules: an account is made when its user comes first, has no password, one role and no right of its own, and is gone with
the server. Whoever has a name that accounts of ours may have, or that is no token's, gets the account for all others.
"""

from __future__ import annotations

import re
import threading

from skyshard.cluster.accounts import DOOR_ACCOUNT, user_account_statements
from skyshard.db.connection import Account, Endpoint, connect

MOST_ACCOUNTS = 5000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_TAKEN = re.compile(r"skyshard.*|root|mysql|mariadb\..*|public", re.IGNORECASE)


def may_have_account(name: str) -> bool:
    """Whether a user of this name gets an account of the name.

    >>> [may_have_account(name) for name in ("ann", "skyshard_admin", "Root", "PUBLIC", "a'b", "")]
    [True, False, False, False, False, False]
    """
    return bool(_NAME.fullmatch(name)) and not _TAKEN.fullmatch(name)


class UserAccounts:
    """Those of one server. Safe for threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._made: set[str] = set()

    def of(self, name: str) -> str:
        """The account of a user, made where it is not there yet.

        Raises:
            ClusterError: the server does not answer.
        """
        with self._lock:
            if name in self._made:
                return name
            if not may_have_account(name) or len(self._made) >= MOST_ACCOUNTS:
                return DOOR_ACCOUNT
            with connect(self._endpoint, Account.ADMIN) as admin:
                for statement in user_account_statements(name):
                    admin.execute(statement)
            self._made.add(name)
            return name
