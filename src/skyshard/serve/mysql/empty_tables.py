"""Every published table, empty, under the names that people use: what clients' sessions describe and list.

Rules: the tables are a function of what is published, made again when the registry's generation has changed; clients'
account may list and show them and nothing else, so no statement that is relayed is ever answered from them; nor is one
over the lists of queries, whose account has the same rights here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from skyshard.basics.errors import SkyshardError
from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.engines import TableEngine
from skyshard.cluster.accounts import DOOR_ACCOUNT, LISTS_ACCOUNT, USERS_ROLE
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.serve.open_answer import NO_GENERATION
from skyshard.serve.services import Catalogs

ATTEMPTS = 3
"""So often the tables are made again while something is published; then the next look goes on."""
Tables = Mapping[str, str]
"""Name → CREATE TABLE text."""


class EmptyTables:
    """The tables of one server; safe for threads."""

    def __init__(self, endpoint: Endpoint, catalogs: Catalogs) -> None:
        self._endpoint, self._catalogs = endpoint, catalogs
        self._lock = threading.Lock()
        self._number = NO_GENERATION
        self._seen_s = 0.0
        self._made: dict[str, dict[str, str]] = {}

    @property
    def number(self) -> int:
        """The registry's generation that they are of; ``NO_GENERATION`` while they are changed. Waits for nothing."""
        return self._number

    def renew(self) -> int:
        """Make them what is published now; the registry's generation that they are of, or ``NO_GENERATION`` where
        something was published again and again meanwhile.

        A look that another thread began after this call did is as good as one of its own: many that ask at once look
        once, and nobody is told of what was published before they asked.

        Raises:
            ClusterError: the registry or the server does not answer.
        """
        asked = time.monotonic()
        with self._lock:
            if self._seen_s <= asked:
                begun = time.monotonic()
                self._renew(self._catalogs.generation())
                self._seen_s = begun
            return self._number

    def _renew(self, number: int) -> None:
        """What is read of the catalogs is of this number only if it is still the registry's afterwards."""
        for _ in range(ATTEMPTS):
            if number == self._number:
                return
            self._number = NO_GENERATION
            self._follow(self._wanted())
            before, number = number, self._catalogs.generation()
            if number == before:
                self._number = number

    def _wanted(self) -> dict[str, Tables]:
        found: dict[str, Tables] = {}
        for name in self._catalogs.databases():
            try:
                catalog = self._catalogs.catalog(name)
            except SkyshardError:  # dropped since: the generation has gone up again
                continue
            found[name] = {
                table: create_table(stored_table(entry.table, entry.layout), table, engine=TableEngine("InnoDB"))
                for table, entry in catalog.tables.items()
            }
        return found

    def _follow(self, wanted: Mapping[str, Tables]) -> None:
        if wanted == self._made:
            return
        with connect(self._endpoint, Account.ADMIN) as admin:
            admin.speak_utf8()
            for name in self._made.keys() - wanted.keys():
                admin.execute(f"DROP DATABASE IF EXISTS {quote_name(name)}")
                admin.execute(f"REVOKE ALL PRIVILEGES ON {_pattern(name)}.* FROM {_ACCOUNTS}")
                del self._made[name]
            for name, tables in wanted.items():
                self._follow_database(admin, name, tables)

    def _follow_database(self, admin: Connection, name: str, tables: Tables) -> None:
        database = quote_name(name)
        if name not in self._made:
            admin.execute(f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET latin1")
            admin.execute(f"GRANT REFERENCES ON {_pattern(name)}.* TO {_ACCOUNTS}")
            self._made[name] = {}
        made = self._made[name]
        changed = [table for table in made if made[table] != tables.get(table)]
        for table in changed:
            admin.execute(f"DROP TABLE IF EXISTS {database}.{quote_name(table)}")
            del made[table]
        for table, text in tables.items():
            if table not in made:
                place = f"{database}.{quote_name(table)}"
                admin.execute(f"DROP TABLE IF EXISTS {place}")
                _create(admin, text.replace(quote_name(table), place, 1))
                made[table] = text


def _create(admin: Connection, text: str) -> None:
    """An InnoDB table, of which the server does not know that it is empty when it plans, so that it defines columns as
    it does over rows; a MyISAM table where there are more columns than InnoDB takes."""
    try:
        admin.execute(text)
    except SkyshardError:
        admin.execute(text.replace("ENGINE=InnoDB", "ENGINE=MyISAM"))


_ACCOUNTS = ", ".join([*(f"{quote_name(account)}@localhost" for account in (DOOR_ACCOUNT, LISTS_ACCOUNT)), USERS_ROLE])


def _pattern(name: str) -> str:
    """A database's name in a GRANT, where ``_`` and ``%`` stand for other letters."""
    return quote_name(name).replace("_", r"\_").replace("%", r"\%")
