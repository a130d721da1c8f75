"""The MariaDB behind the MySQL door: private, of one process, made anew each time it starts, and gone with it.

It holds nothing but empty tables, so nothing of it is kept: names of databases there are those that people use, which
are other databases' stored names on the czar's server, and clients' sessions never touch the servers that hold rows.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from pathlib import Path

from skyshard.cluster.accounts import DOOR_ACCOUNT, LISTS_ACCOUNT, LISTS_GRANT, USERS_ROLE
from skyshard.cluster.cluster_folder import private_folder, socket_folder
from skyshard.cluster.installation import Installation, find_mariadbd
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import Tuning
from skyshard.db.connection import Account, Endpoint, connect, quote_name

OWN_LIMIT_S = "60.000001"
"""Seconds that a statement may take that this server answers itself: not quite what a client would set, so that who has
not set anything is told from who wants a minute. Statements over catalogs have no limit but the client's."""
_SETTINGS = {
    "max_connections": "6100", "local_infile": "OFF", "max_allowed_packet": "64M", "wait_timeout": "28800",
    "max_statement_time": OWN_LIMIT_S, "tmp_memory_table_size": "16M", "max_heap_table_size": "16M",
    "table_open_cache": "400", "table_definition_cache": "4000", "myisam_sort_buffer_size": "1M",
    "bulk_insert_buffer_size": "1M", "thread_stack": "256K", "innodb_file_per_table": "OFF",
    "innodb_flush_log_at_trx_commit": "0", "innodb_strict_mode": "OFF", "innodb_doublewrite": "OFF",
}  # fmt: skip
_OURS = re.compile(r"door-(\d+)-\d+")
_NUMBERS = itertools.count(1)


class DoorServer:
    """The server of this process below a cluster's folder; constructing one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = f"door-{os.getpid()}-{next(_NUMBERS)}"
        socket = socket_folder(folder, create=False) / f"{name}.sock"
        self._server = _BoundServer(folder / "servers" / name, socket, Tuning(8, 8, 8, 4), _SETTINGS)

    @property
    def endpoint(self) -> Endpoint:
        return self._server.endpoint

    def start(self) -> None:
        """Make it and start it, and remove what killed processes left of theirs.

        Raises:
            UserError, ClusterError: there is no MariaDB, or it does not start.
        """
        installation = find_mariadbd()
        servers = private_folder(self._folder / "servers")
        for left in servers.glob("door-*"):
            found = _OURS.fullmatch(left.name)
            if found and not Path("/proc", found.group(1)).exists():
                _remove(Server(left, self._server.socket.with_name(f"{left.name}.sock")))
        socket_folder(self._folder, create=True)
        shutil.rmtree(self._server.folder, ignore_errors=True)
        self._server.initialise(installation)
        self._server.start(installation)
        self._server.wait_ready()
        with connect(self.endpoint, Account.ADMIN) as admin:
            for account in (DOOR_ACCOUNT, LISTS_ACCOUNT):
                admin.execute(f"CREATE USER IF NOT EXISTS {quote_name(account)}@localhost")
            admin.execute(LISTS_GRANT)
            admin.execute(f"CREATE ROLE IF NOT EXISTS {USERS_ROLE}")

    def stop(self) -> None:
        """End it and remove all of it; safe when it does not run."""
        _remove(self._server)


def _remove(server: Server) -> None:
    """Nothing there is worth a proper stop."""
    server.kill()
    server.socket.unlink(missing_ok=True)
    shutil.rmtree(server.folder, ignore_errors=True)


class _BoundServer(Server):
    """Ends with the process that started it, however that ends."""

    def _command(self, installation: Installation, data: Path, *more: str) -> list[str]:
        command = super()._command(installation, data, *more)
        bound = shutil.which("setpriv")
        return [bound, "--pdeathsig", "KILL", *command] if bound and "bootstrap" not in more else command
