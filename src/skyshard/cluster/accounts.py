"""The accounts of a server, as the statements that make them. No I/O.

=================  ==================================================================================================
skyshard_admin     everything; used by Skyshard itself for start-up, the registry and administration
skyshard_loader    tables and rows of every database except ``mysql``; reads and writes server-side files (FILE) and
                   flushes tables (RELOAD)
skyshard_reader    reads every database except ``mysql``; makes and fills tables in ``skyshard_scratch`` only
=================  ==================================================================================================

They have no password: a server listens on a socket in a folder that only its owner may enter. The server picks the
most specific database grant, so a grant on ``mysql`` of a privilege that shows nothing shuts out the one on ``%``.
"""

from __future__ import annotations

SCRATCH_DATABASE = "skyshard_scratch"

_TABLES = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES"
_SHUT_OUT = "GRANT SHOW VIEW ON `mysql`.*"

ACCOUNT_STATEMENTS: tuple[str, ...] = (
    f"CREATE DATABASE IF NOT EXISTS {SCRATCH_DATABASE} CHARACTER SET latin1",
    "CREATE USER IF NOT EXISTS skyshard_admin@localhost",
    "GRANT ALL PRIVILEGES ON *.* TO skyshard_admin@localhost WITH GRANT OPTION",
    "CREATE USER IF NOT EXISTS skyshard_loader@localhost",
    "GRANT FILE, RELOAD ON *.* TO skyshard_loader@localhost",
    f"GRANT {_TABLES}, CREATE VIEW, SHOW VIEW ON `%`.* TO skyshard_loader@localhost",
    f"{_SHUT_OUT} TO skyshard_loader@localhost",
    "CREATE USER IF NOT EXISTS skyshard_reader@localhost",
    "GRANT SELECT ON `%`.* TO skyshard_reader@localhost",
    f"GRANT {_TABLES} ON `skyshard\\_scratch`.* TO skyshard_reader@localhost",
    f"{_SHUT_OUT} TO skyshard_reader@localhost",
)
