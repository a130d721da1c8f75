"""The private cluster: N nodes, the czar's own server and, when asked for, the unsharded one ("mono").

Rules: everything of a cluster lives below one folder, except its sockets, whose paths must be short; one command at a
time works on a cluster (a lock on the folder); a command that fails or is interrupted leaves no process behind.

``cluster.json`` makes a folder a cluster::

    cluster.json              what it is; written first, removed last
    settings.json             what users chose for its servers   (cluster/settings_file.py)
    servers/<name>/           data/, tmp/, server.log, server.pid   (cluster/server.py)
    log/                      what happened to queries, transactions, nodes   (log/event_files.py)
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME
from skyshard.cluster.cluster_folder import (
    ClusterRecord,
    exclusive,
    is_free,
    private_folder,
    require_text,
    socket_folder,
)
from skyshard.cluster.installation import Installation, find_mariadbd
from skyshard.cluster.private_servers import PrivateServers, all_names
from skyshard.cluster.run_servers import Report, initialise_servers, names_of, silent, start_servers, stop_servers
from skyshard.cluster.server import Server, end_orphans
from skyshard.cluster.settings import ClusterDescription, ServerSettings
from skyshard.cluster.settings_file import Chosen, write_chosen
from skyshard.db.connection import Endpoint
from skyshard.host.interrupts import uninterrupted
from skyshard.log.events import SERVER_KILLED

if TYPE_CHECKING:
    from skyshard.cluster.change_settings import SettingsChange

DEFAULT_NODES = 3
MAX_NODES = 999


class PrivateCluster(PrivateServers):
    """The private cluster of a folder: made, started, changed, stopped, removed."""

    def start(
        self,
        nodes: int | None = None,
        settings: Sequence[str] = (),
        *,
        described: ClusterDescription | None = None,
        report: Report = silent,
    ) -> None:
        """Make the cluster if there is none, and start what does not run.

        Args:
            nodes: None for as many as it has, 3 for a new one.
            settings: ``[SERVER:]NAME=VALUE``, on top of those chosen before; running servers follow them, too.
            described: what a cluster file says; its settings replace those chosen before, ``settings`` are on top.

        Raises:
            UserError: another number of nodes than it has; a setting that cannot be chosen.
        """
        if nodes is None and described:
            nodes = described.nodes
        if nodes is not None and not 1 <= nodes <= MAX_NODES:
            raise UserError(f"a cluster of {nodes} nodes is not possible", remedy=f"use --nodes 1 to {MAX_NODES}")
        require_text(self.folder)
        self._require_place()
        installation = find_mariadbd()
        private_folder(self.folder)
        with exclusive(self.folder):
            if self.exists:
                record = self._agreed(nodes)
                change = self._settings_change(record, installation, report)
                before = change.take_back_interrupted(self.chosen)
                start = partial(self._start, record, installation, report)
                if settings or described:
                    change.make(before, *before.after(settings, described, all_names(record)), start)
                else:
                    start(before.settings)
                    change.report_unlike(before.settings)
            else:
                self._require_place()
                self._create(nodes or DEFAULT_NODES, described, settings, installation, report)

    def change_settings(self, settings: Sequence[str], *, report: Report = silent) -> None:
        """Choose settings, ``[SERVER:]NAME=VALUE``; running servers follow at once, or by a restart that is reported.

        The value ``default`` takes a choice back. A change that fails is taken back as a whole.

        Raises:
            UserError: a setting that cannot be chosen, or that a server refuses.
            ClusterError: a server does not start with it.
        """
        record = self._record()
        with exclusive(self.folder):
            change = self._settings_change(record, find_mariadbd(), report)
            before = change.take_back_interrupted(self.chosen)
            change.make(before, *before.after(settings, None, all_names(record)))

    def stop(self, *, report: Report = silent) -> None:
        """Stop every server, mono too; the data stays. No-op when nothing runs."""
        record = self._record()
        with exclusive(self.folder):
            self._stop(record, report)

    def destroy(self, *, report: Report = silent) -> None:
        """Stop every server and remove the folder and all that is in it."""
        record = self._record()
        with exclusive(self.folder):
            self._stop(record, report)
            self._erase()
        report(f"removed {self.folder}")

    def start_mono(self, *, report: Report = silent) -> Endpoint:
        record = self._record()
        with exclusive(self.folder):
            mono = self._server(record, MONO_NAME)
            if not mono.settle():
                installation = find_mariadbd()
                report(f"starting {MONO_NAME} (MariaDB {installation.version_text})")
                _prepare_sockets(self.folder, record)
                mono.initialise(installation)
                start_servers([mono], installation, self.events)
            return mono.endpoint

    def stop_server(self, name: str) -> None:
        """Stop one server, for drills and maintenance; ``start`` brings it back."""
        record = self._record()
        with exclusive(self.folder):
            stop_servers([self._server(record, name)], self.events)

    def kill_server(self, name: str) -> None:
        """Kill one server without a proper stop, for drills; ``start`` brings it back."""
        self._server(self._record(), name).kill()
        self.events.tell(SERVER_KILLED, node=name, reason="as it was asked for")

    def add_node(self, name: str, *, report: Report = silent) -> None:
        """Make a node and start its server; the others go on. One that there is already is started if it is down.

        Args:
            name: ``next_node``, or that of a node of this cluster.

        Raises:
            UserError: another name; as many nodes as there can be.
        """
        installation = find_mariadbd()
        with exclusive(self.folder):
            record = self._record()
            if name not in record.node_names:
                if name != record.next_name or record.nodes >= MAX_NODES:
                    raise UserError(f"cluster {self.folder} cannot have a node {name!r}", remedy="give it no name")
                record = record.with_next()
                record.write(self.folder)
            self._start_one(_prepare_sockets(self.folder, record), name, installation, report)

    def remove_node(self, name: str, *, keeps_data: bool = False, report: Report = silent) -> None:
        """Stop a node's server and take it out of the cluster, with its data unless these are kept.

        One that was taken out before loses what is left of it.

        Raises:
            UserError: it is the only one.
        """
        with exclusive(self.folder):
            record = self._record()
            if name in record.node_names:
                if len(record.node_names) == 1:
                    raise UserError(f"{name} is the only node", remedy="`skyshard cluster destroy` removes all")
                report(f"stopping {name}")
                stop_servers([self._server(record, name)], self.events, report)
                record.without(name).write(self.folder)
            folder = self.folder / "servers" / name
            if folder.exists() and not keeps_data:
                shutil.rmtree(folder)
                report(f"removed {folder}")

    def _start_one(self, record: ClusterRecord, name: str, installation: Installation, report: Report) -> None:
        server = self._server(record, name)
        if server.settle():
            return
        if not server.is_initialised:
            report(f"initialising {name} in {self.folder}")
            initialise_servers([server], installation)
        report(f"starting {name} (MariaDB {installation.version_text})")
        start_servers([server], installation, self.events)

    def start_server(self, name: str, variables: Mapping[str, str] | None = None) -> None:
        record = self._record()
        with exclusive(self.folder):
            server = self._server(record, name)
            server.variables = dict(variables or {})
            if not server.settle():
                _prepare_sockets(self.folder, record)
                start_servers([server], find_mariadbd(), self.events)

    def freeze_server(self, name: str) -> None:
        self._server(self._record(), name).freeze()

    def thaw_server(self, name: str) -> None:
        self._server(self._record(), name).thaw()

    def _create(
        self,
        nodes: int,
        described: ClusterDescription | None,
        settings: Sequence[str],
        installation: Installation,
        report: Report,
    ) -> None:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        sockets = socket_folder(self.folder, create=True)
        record = ClusterRecord(version=1, nodes=nodes, created=created, sockets=sockets)
        try:
            chosen, asked = Chosen().after(settings, described, all_names(record))
            change = self._settings_change(record, installation, report)
            change.check(ServerSettings(), chosen.settings, asked)
            write_chosen(self.folder, chosen)  # before the record: a cluster never lacks what was chosen for it
            record.write(self.folder)
            self._start(record, installation, report, chosen.settings)
            change.require_in_force(chosen.settings)
        except BaseException:
            with uninterrupted():
                self._erase()
            raise

    def _start(
        self, record: ClusterRecord, installation: Installation, report: Report, settings: ServerSettings
    ) -> None:
        record = _prepare_sockets(self.folder, record)
        private_folder(self.folder / "servers")
        private_folder(self.folder / LOG_FOLDER)
        if count := end_orphans(self.folder):
            report(f"ended {count} servers whose data folders below {self.folder} were removed")
        servers = [self._server(record, name, settings) for name in (CZAR_NAME, *record.node_names)]
        missing = [server for server in servers if not server.settle()]
        fresh = [server for server in missing if not server.is_initialised]
        if fresh:
            report(f"initialising {len(fresh)} servers in {self.folder}")
            initialise_servers(fresh, installation)
        if missing:
            report(f"starting {names_of(missing)} (MariaDB {installation.version_text})")
            start_servers(missing, installation, self.events)

    def _settings_change(self, record: ClusterRecord, installation: Installation, report: Report) -> SettingsChange:
        from skyshard.cluster.change_settings import SettingsChange

        names = (*record.node_names, MONO_NAME, CZAR_NAME)  # the czar's is restarted last

        def servers(settings: ServerSettings) -> list[Server]:
            return [self._server(record, name, settings) for name in names]

        return SettingsChange(self.folder, servers, installation, self.events, report)

    def _agreed(self, nodes: int | None) -> ClusterRecord:
        record = self._record()
        if nodes not in (None, len(record.node_names)):
            raise UserError(
                f"cluster {self.folder} has {len(record.node_names)} nodes, not {nodes}",
                remedy="start it without --nodes; `skyshard nodes add` and `remove` change their number",
            )
        return record

    def _stop(self, record: ClusterRecord, report: Report) -> None:
        servers = self._servers(record, with_mono=True)
        running = [server for server in servers if server.is_running()]
        if running:
            report(f"stopping {names_of(running)}")
        stop_servers(servers, self.events, report)
        _remove_sockets(record)

    def _erase(self) -> None:
        """Remove the folder, ``cluster.json`` last, so that an interrupted destroy can be repeated."""
        marker = ClusterRecord.file_in(self.folder)
        if marker.exists():
            record = self._record()
            for server in self._servers(record, with_mono=True):
                server.kill()
            _remove_sockets(record)
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != marker:
                entry.unlink()
        marker.unlink(missing_ok=True)
        self.folder.rmdir()

    def _require_place(self) -> None:
        if not self.exists and not is_free(self.folder):
            raise UserError(f"{self.folder} holds something that is no cluster", remedy="name an empty folder")


def _prepare_sockets(folder: Path, record: ClusterRecord) -> ClusterRecord:
    """Make the folder for the sockets again after a stop or a reboot."""
    if record.sockets.is_dir():
        return record
    record = record.model_copy(update={"sockets": socket_folder(folder, create=True)})
    record.write(folder)
    return record


def _remove_sockets(record: ClusterRecord) -> None:
    shutil.rmtree(record.sockets, ignore_errors=True)
    with contextlib.suppress(OSError):
        record.sockets.parent.rmdir()
