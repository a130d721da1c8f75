"""The server of a host of a named cluster: where its cluster file says, with passwords and TLS, for a supervisor.

Beside its data folder ``<data>.run/`` holds ``tmp/``, ``server.log``, ``server.pid`` and, while it starts, the
statements that give accounts their passwords (mode 0600): passwords are in no argument and no environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.cluster.accounts import SCRATCH_DATABASE, account_statements
from skyshard.cluster.installation import Installation
from skyshard.cluster.left_scratch import clear_scratch
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import NETWORK_ENVIRONMENT, PRIVATE, Listening, Tuning, network_options
from skyshard.db.connection import Account, Endpoint
from skyshard.db.password_files import password_of
from skyshard.runtime.keeper import Keeper


def run_folder(data: Path) -> Path:
    """Where what belongs to a running server is, but for its socket."""
    return data.with_name(f"{data.name}.run")


class NetworkServer(Server):
    """A server whose data folder has a place of its own; as a service of a host, too (``host.supervise``)."""

    variables = NETWORK_ENVIRONMENT

    def __init__(
        self,
        endpoint: Endpoint,
        data: Path,
        listening: Listening | None,
        tuning: Tuning,
        settings: Mapping[str, str],
    ) -> None:
        """``endpoint``: as seen on its host, by its socket. ``listening`` None: it is reached by that alone."""
        super().__init__(run_folder(data), Path(endpoint.socket), tuning, settings)
        self.data = data
        self._endpoint = endpoint
        self._listening = listening
        self._installation: Installation | None = None
        self._keeper: Keeper | None = None

    @property
    def name(self) -> str:
        return self._endpoint.name

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def is_node(self) -> bool:
        return self.name != "czar"

    @property
    def is_initialised(self) -> bool:
        """False for a folder that is not there or empty. UserError when it holds something else."""
        if not self.data.is_dir() or not any(self.data.iterdir()):
            return False
        if not (self.data / "mysql").is_dir():
            raise UserError(f"{self.data} holds something that is no server's data", remedy="name another `data`")
        return True

    def reach_options(self) -> list[str]:
        accounts = [f"init-file={self._accounts_file}"] if self._endpoint.secrets else []
        if self._listening is not None:
            return [*network_options(self._listening, self.data), *accounts]
        if self.is_node:
            return ["skip-networking", f"secure-file-priv={self.data / SCRATCH_DATABASE}", *accounts]
        return [*PRIVATE, *accounts]

    def require_passwords(self) -> None:
        """UserError unless there is a password for each account that has one."""
        self._passwords()

    def prepare(self, installation: Installation) -> None:
        """Make the data folder if there is none.

        Raises:
            UserError: a folder that holds something else.
            ClusterError: it cannot be made.
        """
        self._installation = installation
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.initialise(installation)
        except OSError as error:
            remedy = "let `data` be a folder below the mount, not the mount itself"
            raise ClusterError(f"data folder {self.data} cannot be made: {error.strerror}", remedy=remedy) from error

    def is_ready(self) -> bool:
        try:
            is_ready = super().is_ready()
        except SkyshardError:  # it answers, and refuses: accounts are not yet as they will be
            return False
        if is_ready:
            self._accounts_file.unlink(missing_ok=True)
            clear_scratch(self.endpoint)
        return is_ready

    def begin(self) -> None:
        """Start the process; when this one is gone, however it went, it is ended properly.

        Raises:
            ClusterError: the server of a supervisor that was killed has not ended yet (retryable).
        """
        if self._installation is None:
            raise ClusterError(f"server {self.name} was not prepared")
        try:
            self._keeper = Keeper(
                str(self.folder / "tmp"), f"datadir={self.data}", lock=str(self.folder / "keeper.lock")
            )
        except BlockingIOError:
            raise ClusterError(f"the server that ran in {self.data} before is still ending", retryable=True) from None
        self._write_accounts()
        self.start(self._installation)

    def finish(self) -> None:
        """Stop it, and leave nothing; no-op when it was not begun."""
        if self._keeper is None:
            return
        self.stop()
        self._keeper.end()
        self._keeper = None
        self._accounts_file.unlink(missing_ok=True)

    def reason(self) -> str:
        """Why it ended: the last error of its log."""
        return f"{self._reason()} (see {self.log})"

    def _passwords(self) -> dict[Account, str]:
        secrets = self._endpoint.secrets
        if not secrets:
            return {}
        optional = () if (Path(secrets) / Account.WRITER.duty).exists() else (Account.WRITER,)
        return {account: password_of(secrets, account.duty) for account in Account if account not in optional}

    @property
    def _accounts_file(self) -> Path:
        return self.folder / "accounts.sql"

    def _write_accounts(self) -> None:
        """What the server executes before it takes sessions: accounts, with the passwords that the files have now."""
        self._accounts_file.unlink(missing_ok=True)
        passwords = self._passwords()
        if not passwords:
            return
        handle = os.open(self._accounts_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as writer:
            writer.writelines(f"{line};\n" for line in ("FLUSH PRIVILEGES", *account_statements(passwords)))


class ServerService:
    """See ``host.supervise.Service``."""

    def __init__(self, server: NetworkServer) -> None:
        self.name = "MariaDB"
        self._server = server

    @property
    def pid(self) -> int | None:
        return self._server.pid()

    def start(self) -> None:
        self._server.begin()

    def is_ready(self) -> bool:
        return self._server.is_ready()

    def reason(self) -> str:
        return self._server.reason()

    def stop(self) -> None:
        self._server.finish()
