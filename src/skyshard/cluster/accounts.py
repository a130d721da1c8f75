"""The accounts of a server, as the statements that make them. No I/O.

=================  ==================================================================================================
skyshard_admin     everything; used by Skyshard itself for start-up, the registry and administration
skyshard_loader    tables and rows of every database except ``mysql``; reads and writes server-side files (FILE) and
                   flushes tables (RELOAD)
skyshard_reader    reads every database except ``mysql``; makes and fills tables in ``skyshard_scratch`` only
skyshard_carrier   reads the files of scratch tables (FILE), for hosts that do not see them; only where others connect
skyshard_writer    rows of mutable databases, nothing else: rights come with each of them (``writer_statements``)
=================  ==================================================================================================

On a private server they have no password: it listens on a socket in a folder that only its owner may enter. A server
that others reach has passwords; off its host all but the loader may connect, and only by TLS. The
server picks the most specific database grant, so a grant on ``mysql`` of a privilege that shows nothing shuts out the
one on ``%``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from skyshard.db.connection import Account, quote_name, quote_text

SCRATCH_DATABASE = "skyshard_scratch"
DOOR_ACCOUNT = "skyshard_door"
"""Of clients' sessions on the server behind the MySQL door only: it sees which tables there are, and reads none."""
USERS_ROLE = "skyshard_door_users"
"""There, too: what the accounts of single users may do, which is what that one may."""
LISTS_ACCOUNT = "skyshard_lists"
"""There, too: it sees the same, and reads the lists of queries that the door makes for a statement."""
LISTS_GRANT = (
    "GRANT SELECT, INSERT, CREATE, DROP, CREATE TEMPORARY TABLES ON `skyshard\\_scratch`.* "
    f"TO {LISTS_ACCOUNT}@localhost"
)

_TABLES = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES"
_SHUT_OUT = "GRANT SHOW VIEW ON `mysql`.*"
_GRANTS = {
    Account.ADMIN: ("GRANT ALL PRIVILEGES ON *.*",),
    Account.LOADER: (
        "GRANT FILE, RELOAD ON *.*",
        f"GRANT {_TABLES}, CREATE VIEW, SHOW VIEW ON `%`.*",
        _SHUT_OUT,
    ),
    Account.READER: (
        "GRANT SELECT ON `%`.*",
        f"GRANT {_TABLES} ON `skyshard\\_scratch`.*",
        _SHUT_OUT,
    ),
    Account.CARRIER: ("GRANT FILE ON *.*", "GRANT SELECT ON `skyshard\\_scratch`.*"),
    Account.WRITER: (),
}
"""What each account may do; more than one host may have it."""
OFF_HOST = (Account.ADMIN, Account.READER, Account.CARRIER, Account.WRITER)
"""The accounts of those who are not on the server's host; loaders are."""


def user_account_statements(name: str) -> Iterator[str]:
    """The statements that make the account of one user of the MySQL door."""
    who = f"{quote_text(name)}@localhost"
    yield f"CREATE USER IF NOT EXISTS {who}"
    yield f"GRANT {USERS_ROLE} TO {who}"
    yield f"SET DEFAULT ROLE {USERS_ROLE} FOR {who}"


def writer_statements(database: str, hosts: Iterable[str]) -> Iterator[str]:
    """The statements that let the writing account change the rows of a database, from the hosts of its accounts.

    >>> list(writer_statements("ap_db", ["localhost"]))
    ["GRANT SELECT, INSERT, UPDATE, DELETE ON `ap\\\\_db`.* TO skyshard_writer@'localhost'"]
    """
    pattern = quote_name(database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))
    for host in hosts:
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {pattern}.* TO {Account.WRITER}@{quote_text(host)}"


def account_statements(passwords: Mapping[Account, str] | None = None) -> Iterator[str]:
    """The statements that make the accounts of a server, or give those that are there these rights and passwords.

    Args:
        passwords: of a server that others reach; None for a private one.
    """
    yield f"CREATE DATABASE IF NOT EXISTS {SCRATCH_DATABASE} CHARACTER SET latin1"
    for account, grants in _GRANTS.items():
        if passwords is None:
            if account is not Account.CARRIER:
                yield from _account(f"{account}@localhost", "", grants, account)
            continue
        if account not in passwords:  # only the writer's may be missing
            continue
        secret = f" IDENTIFIED BY {quote_text(passwords[account])}"
        yield from _account(f"{account}@localhost", secret, grants, account)
        if account in OFF_HOST:
            yield from _account(f"{account}@'%'", f"{secret} REQUIRE SSL", grants, account)


def _account(who: str, secret: str, grants: tuple[str, ...], account: Account) -> Iterator[str]:
    yield f"CREATE USER IF NOT EXISTS {who}"
    if secret:
        yield f"ALTER USER {who}{secret}"
    for grant in grants:
        yield f"{grant} TO {who}{' WITH GRANT OPTION' if account is Account.ADMIN else ''}"
