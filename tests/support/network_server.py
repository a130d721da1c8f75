"""A MariaDB server in a host, with the options and accounts of one that other hosts reach.

    authority = Authority(lab.folder / "authority")
    servers = Servers(lab.folder / "template")
    server = servers.start(node1, authority.issue(node1.folder / "tls", "node1", node1.address))
    connect(server.sql(czar), Account.READER)          # as from the host czar, within ``with czar.network():``
    connect(server.beside, Account.ADMIN)              # by its socket, from anywhere in the test

Every host has the same passwords, in ``host.folder / "passwords"``; the data folder is made anew for each host.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.hosts import Host, Running

from skyshard.cluster.accounts import account_statements
from skyshard.cluster.installation import Installation, find_mariadbd
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import NETWORK_ENVIRONMENT, Listening, Tuning, network_options, server_options
from skyshard.db.connection import Account, Endpoint
from skyshard.db.tls import Tls

PORT = 3306
SECRET = "a hidden word"
"""Is in each password."""
PASSWORDS: Mapping[Account, str] = {account: f"{account.duty}'s: {SECRET}" for account in Account}
TUNING = Tuning(key_buffer_mib=16, innodb_buffer_mib=32, aria_cache_mib=16, innodb_log_mib=16)
START_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class NetworkServer:
    """A server that runs in a host; its data folder has the same path for the test and the host."""

    host: Host
    data: Path
    beside: Endpoint
    """For its worker, and for the test."""
    process: Running

    def sql(self, seen_from: Host, tls: Tls, *, by_address: bool = False) -> Endpoint:
        """For another host, which has ``tls`` and its own password files."""
        place = self.host.address if by_address else self.host.name
        return Endpoint(
            host=place, port=PORT, tls=tls, secrets=str(seen_from.folder / "passwords"), label=self.host.name
        )


def write_passwords(folder: Path, passwords: Mapping[Account, str] = PASSWORDS) -> Path:
    """Write a password file for each account, mode 0600."""
    folder.mkdir(exist_ok=True)
    for account, password in passwords.items():
        (folder / account.duty).write_text(f"{password}\n")
        (folder / account.duty).chmod(0o600)
    return folder


class Servers:
    """Starts servers; their system tables are made once, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._installation: Installation = find_mariadbd()
        self._template = Server(folder, folder / "never.sock", TUNING)
        self._template.initialise(self._installation)

    def launch(self, host: Host, tls: Tls | None, *, variables: Mapping[str, str] | None = None) -> NetworkServer:
        """Start a server whose key and certificate are ``tls``'s, or go on with the one that the host's disk has.

        Args:
            variables: of its environment, such as those of a wrong clock.
        """
        folder, socket = host.folder / "mysql", host.folder / "run" / "mysqld.sock"
        server = Server(folder, socket, TUNING)
        server.initialise(self._installation, self._template.data)
        secrets = write_passwords(host.folder / "passwords")
        init = folder / "accounts.sql"
        init.touch(0o600)
        init.write_text(
            "".join(f"{statement};\n" for statement in ("FLUSH PRIVILEGES", *account_statements(PASSWORDS)))
        )
        process = host.start(*self._command(server, tls, init), variables={**NETWORK_ENVIRONMENT, **(variables or {})})
        beside = replace(server.endpoint, secrets=str(secrets), label=host.name)
        return NetworkServer(host, server.data, beside, process)

    def start(self, host: Host, tls: Tls | None, *, variables: Mapping[str, str] | None = None) -> NetworkServer:
        """As :meth:`launch`; returns when it takes sessions."""
        return wait_ready(self.launch(host, tls, variables=variables))

    def _command(self, server: Server, tls: Tls | None, init: Path) -> list[str]:
        found, tmp = self._installation, server.folder / "tmp"
        tmp.mkdir(exist_ok=True)
        options = [
            f"basedir={found.base}",
            f"lc-messages-dir={found.share}",
            f"character-sets-dir={found.share / 'charsets'}",
            f"plugin-dir={found.plugins}",
            f"datadir={server.data}",
            "user=root",
            f"socket={server.socket}",
            f"pid-file={server.pid_file}",
            f"tmpdir={tmp}",
            f"init-file={init}",
            *server_options(TUNING, open_files=4096),
            *network_options(Listening("*" if tls else "127.0.0.1", PORT, tls), server.data),
        ]
        return [str(found.binary), "--no-defaults", *(f"--{option}" for option in options)]


def wait_ready(server: NetworkServer) -> NetworkServer:
    """Wait until a server takes sessions."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while "ready for connections" not in server.process.output:
        assert server.process.is_running, server.process.output
        assert time.monotonic() < deadline, server.process.output
        time.sleep(0.01)
    return server
