"""Changes the settings of a cluster's servers, running ones too: wholly or not at all.

The order: what the servers' binary says of every value; the file that says what the change goes for; running servers,
at once where they can, else restarted one after another; what they say is in force; the file that says what holds.
Whatever fails on the way, the servers go back to what held before. A change that was killed is taken back by the next
start (:meth:`SettingsChange.take_back_interrupted`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import SkyshardError, words_of
from skyshard.cluster.apply_settings import Unlike, apply_settings, unlike_settings
from skyshard.cluster.cluster import MONO_NAME
from skyshard.cluster.installation import Installation
from skyshard.cluster.run_servers import Report, names_of, start_servers, stop_servers
from skyshard.cluster.server import Server
from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings import AT_CREATION, NODES, ByScope, ServerSettings
from skyshard.cluster.settings_check import changed_value, check_names, check_values
from skyshard.cluster.settings_file import Chosen, write_chosen
from skyshard.host.interrupts import uninterrupted
from skyshard.host.memory import memory_bytes
from skyshard.log.event_log import EventLog


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What a change of settings works with.

    ``servers`` gives every server that the cluster has or may have, mono too, with the settings that it is given; the
    czar's is restarted last.
    """

    folder: Path
    servers: Callable[[ServerSettings], Sequence[Server]]
    installation: Installation
    events: EventLog
    report: Report

    def make(
        self, before: Chosen, after: Chosen, asked: ByScope, start: Callable[[ServerSettings], None] | None = None
    ) -> None:
        """Go from one choice to another.

        Args:
            asked: the settings that were named; they are put in force even if they were chosen before.
            start: starts the servers that do not run; None leaves them as they are.

        Raises:
            SettingError: a server would refuse or change a value.
            ClusterError: a server does not start with it.
        """
        self.check(before.settings, after.settings, asked)
        running = {server.name for server in self.servers(before.settings) if server.is_running()}
        names = self._names(before.settings, after.settings, asked)
        write_chosen(self.folder, before.model_copy(update={"pending": after.settings}))
        try:
            if start:
                start(after.settings)
            self._follow(after.settings, names)
            write_chosen(self.folder, after)
        except BaseException as error:
            with uninterrupted():
                self._undo(before, names, running, error)
            raise

    def check(self, before: ServerSettings, after: ServerSettings, asked: ByScope) -> None:
        """Refuse settings that a server would not take; each distinct choice is checked once.

        Raises:
            SettingError: a name or value that a server refuses, or one that needs a new data folder.
        """
        for scope, settings in asked.items():
            with _of_scope(scope):
                check_names(self.installation, settings, is_node=scope.startswith("node"))
        memory = memory_bytes()
        checked: list[dict[str, str]] = []
        for old, new in zip(self.servers(before), self.servers(after), strict=True):
            with _of_scope(new.name, after):
                _check_kept(old, new)
                if new.settings not in checked:
                    check_values(self.installation, new.settings, new.own_options, memory, is_node=new.is_node)
                    checked.append(new.settings)

    def take_back_interrupted(self, chosen: Chosen) -> Chosen:
        """Put in force again what held before a change that was killed; without such a change, a no-op.

        The server that it was restarting is started, if others run.
        """
        if chosen.pending is None:
            return chosen
        words = " ".join(chosen.pending.words()) or "back to the defaults"
        self.report(f"a change of settings was interrupted (to {words}); what held before it holds")
        self._start_stopped(chosen.settings)
        self._follow(chosen.settings, self._names(chosen.settings, chosen.pending, {}), is_strict=False)
        settled = chosen.model_copy(update={"pending": None})
        write_chosen(self.folder, settled)
        return settled

    def _start_stopped(self, settings: ServerSettings) -> None:
        """Start what does not run of a cluster that does; mono is started when it is asked for."""
        servers = [server for server in self.servers(settings) if server.name != MONO_NAME and server.is_initialised]
        stopped = [server for server in servers if not server.settle()]
        if 0 < len(stopped) < len(servers):
            self.report(f"starting {names_of(stopped)}")
            start_servers(stopped, self.installation, self.events)

    def require_in_force(self, settings: ServerSettings) -> None:
        """SettingError when a running server makes another value of one that was chosen."""
        _require_same(self._unlike(settings))

    def report_unlike(self, settings: ServerSettings) -> None:
        """Say which chosen settings running servers do not follow: they were chosen while these did not run."""
        for one in self._unlike(settings):
            self.report(f"{one}: MariaDB takes no such value")

    def _unlike(self, settings: ServerSettings) -> list[Unlike]:
        running = (server for server in self.servers(settings) if server.settings and server.is_running())
        return [one for server in running for one in unlike_settings(server)]

    def _names(self, before: ServerSettings, after: ServerSettings, asked: ByScope) -> dict[str, list[str]]:
        """Server → names that change, or were named."""
        wanted = ServerSettings().changed({scope: dict.fromkeys(values, "0") for scope, values in asked.items()})
        found = {}
        for server in self.servers(before):
            old, new = before.of_server(server.name), after.of_server(server.name)
            changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
            found[server.name] = sorted(changed | wanted.of_server(server.name).keys())
        return found

    def _follow(self, settings: ServerSettings, names: dict[str, list[str]], *, is_strict: bool = True) -> None:
        """Make running servers follow; ``is_strict``: what they say is in force has to be what was chosen."""
        servers = [server for server in self.servers(settings) if names[server.name] and server.is_running()]
        waiting: list[Server] = []
        at_once: dict[str, list[str]] = {}
        why: set[str] = set()
        for server in servers:
            applied = apply_settings(server, names[server.name])
            for name in applied.at_once:
                at_once.setdefault(name, []).append(server.name)
            if applied.waiting:
                waiting.append(server)
                why.update(applied.waiting)
            if is_strict:
                _require_same(unlike_settings(server, set(names[server.name]) - set(applied.waiting)))
        if is_strict:
            self._report_stopped(settings, names)
            for name, where in at_once.items():
                self.report(f"{name}: changed at once on {', '.join(where)}")
        self._restart(waiting, why)
        if is_strict:
            for server in waiting:
                _require_same(unlike_settings(server, names[server.name]))

    def _report_stopped(self, settings: ServerSettings, names: dict[str, list[str]]) -> None:
        """Of servers that do not run, MariaDB's own word on a value is still to come."""
        found = self.servers(settings)
        stopped = [one for one in found if names[one.name] and one.is_initialised and not one.is_running()]
        if stopped:
            self.report(
                f"{names_of(stopped)} not running: settings are kept, and followed from the next start on, which says "
                "where MariaDB makes another value of one"
            )

    def _restart(self, servers: Sequence[Server], why: Collection[str]) -> None:
        """One after another: while one is away, the replicas on the others answer."""
        if not servers:
            return
        self.report(f"restarting {names_of(servers)}, one at a time, for {', '.join(sorted(why))}")
        for server in servers:
            stop_servers([server], self.events, self.report)
            start_servers([server], self.installation, self.events)
            self.report(f"{server.name} is back")

    def _undo(self, before: Chosen, names: dict[str, list[str]], running: set[str], error: BaseException) -> None:
        """Servers and file as they were; where that fails, the file goes on saying that a change is under way."""
        try:
            servers = self.servers(before.settings)
            up = [server for server in servers if server.is_running()]
            stop_servers([server for server in up if server.name not in running], self.events, self.report)
            down = [server for server in servers if server.name in running and not server.is_running()]
            start_servers(down, self.installation, self.events)
            self._follow(before.settings, names, is_strict=False)
            write_chosen(self.folder, before)
            self.report("the settings are as they were before")
        except SkyshardError as failed:
            error.add_note(f"what held before is not in force everywhere: {words_of(failed)}; start the cluster again")


def _check_kept(old: Server, new: Server) -> None:
    for name in sorted(AT_CREATION):
        if new.is_initialised and old.settings.get(name) != new.settings.get(name):
            raise SettingError(
                f"setting '{name}' of {new.name} holds only for a data folder that is made with it",
                remedy="give it to `skyshard cluster start --set` of a new cluster",
                name=name,
            )


def _require_same(unlike: Sequence[Unlike]) -> None:
    for one in unlike:
        if not one.found:
            raise SettingError(f"{one.server} has no variable '{one.name}'", remedy="leave it out", name=one.name)
        raise changed_value(one.name, one.wanted, one.found)


@contextmanager
def _of_scope(server: str, settings: ServerSettings | None = None) -> Iterator[None]:
    """Errors of settings say whom they were chosen for: this server, or all nodes."""
    try:
        yield
    except SettingError as error:
        is_its_own = settings is None or error.name in settings.by_scope.get(server, {})
        error.scope = server if is_its_own else NODES
        raise
