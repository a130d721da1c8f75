"""Has a scenario's faults on the servers of a testbed: what Skyshard can do itself on a private cluster, and commands,
which units of systemd on many machines have as well (``host_commands``).

Rules: what cannot be done is refused before anything runs; each fault is written down before it is had
(``cluster.left_faults``); what is done to servers comes one after another.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.bench.workload.fault_scenario import CARES, CZAR, Do, FaultEvent
from skyshard.bench.workload.planned_faults import PlannedFault, PlannedScenario
from skyshard.cluster import left_faults
from skyshard.cluster.cluster import LOG_FOLDER
from skyshard.cluster.left_faults import DamagedFile, KeptFault
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect, quote_name
from skyshard.log.event_files import EventFiles, KeptEvent
from skyshard.log.events import NODE_SILENT, QUERY_ENDED, REPLICA_BAD, STATEMENT_MOVED, UNITS_FAILED, Subject
from skyshard.registry.stored.records import Replica
from skyshard.scenarios.faults.cares import require_moves, take_care
from skyshard.scenarios.faults.damage import DAMAGES, put
from skyshard.scenarios.faults.host_commands import HostCommand, host_command
from skyshard.testbed import Testbed

FAKETIME = "faketime/libfaketimeMT.so.1"
_MEETINGS = {one.name for one in (NODE_SILENT, REPLICA_BAD, STATEMENT_MOVED, UNITS_FAILED)}
_NETWORK = "servers of a private cluster talk through sockets of one host, without a network"
_DISK = "nodes of a private cluster share the disk of this host with everything else"
_NOT_HERE = {
    Do.CABLE_OUT: _NETWORK,
    Do.ONE_WAY_LOSS: _NETWORK,
    Do.SLOW_NETWORK: _NETWORK,
    Do.SLOW_DISK: _DISK,
    Do.FULL_DISK: _DISK,
    Do.FAILING_DISK: _DISK,
    Do.RESTART_HEAD: "a private cluster has no Ray head: each command that needs Ray opens one of its own",
}
"""Why a private cluster cannot have a fault."""


def require_possible(planned: PlannedScenario, testbed: Testbed, database: str) -> None:
    """Refuse a scenario with a fault that cannot be had on this cluster; nothing was done.

    Raises:
        UserError: names the file's line, and why.
    """
    is_private = isinstance(testbed.cluster, PrivateCluster)
    for fault in planned.faults:
        event, place = fault.event, fault.number - 1
        why, remedy = "", "give it a 'command', or take a cluster on many machines"
        if event.command or event.do in CARES:
            continue
        if not is_private:
            is_known = host_command(event, fault.node) is not None
            why = "" if is_known else "others run the servers of a cluster on many machines"
            remedy = "give it a 'command' and an 'undo'"
        elif event.do is Do.CORRUPT:
            why, remedy = _why_no_damage(fault, testbed, database)
        if not why:
            why, remedy = _why_not_frozen(fault)
        if why:
            raise planned.read.fault(["events", place, "do"], f"'{event.do}' cannot be had here: {why}", remedy)
    if is_private:
        require_possible_here(planned)
    require_moves(planned, testbed)


def require_possible_here(planned: PlannedScenario) -> None:
    """Refuse what no private cluster can have, whatever it holds; see ``require_possible``."""
    for fault in planned.faults:
        event = fault.event
        why, remedy = "", "give it a 'command', or take a cluster on many machines"
        if event.command:
            continue
        if event.do in _NOT_HERE:
            why = _NOT_HERE[event.do]
        elif event.do is Do.CLOCK and _faketime() is None:
            why, remedy = "it needs libfaketime", "install the package faketime"
        else:
            not_frozen, how = _why_not_frozen(fault)
            why, remedy = not_frozen, how or remedy
        if why:
            what = f"'{event.do}' cannot be had here: {why}"
            raise planned.read.fault(["events", fault.number - 1, "do"], what, remedy)


def _why_not_frozen(fault: PlannedFault) -> tuple[str, str]:
    if fault.event.do is Do.STOP and fault.node == CZAR and fault.event.for_s is None:
        return "queries would wait for a frozen czar for ever", "say for how long with 'for_s'"
    return "", ""


def _why_no_damage(fault: PlannedFault, testbed: Testbed, database: str) -> tuple[str, str]:
    found = _to_damage(fault, testbed, database)
    if not found:
        what = f" of table '{fault.event.table}'" if fault.event.table else ""
        return f"{fault.node} holds no rows{what} of '{database}'", "name another node or table"
    if not _data_file(testbed, fault.node, database, found[0]).exists():
        return f"chunk tables of '{database}' are no MyISAM tables", "leave the event out"
    return "", ""


def _faketime() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob(f"*/{FAKETIME}"))), None)


def _to_damage(fault: PlannedFault, testbed: Testbed, database: str) -> list[Replica]:
    """The largest chunk tables of a node, as many as the event asks for."""
    stored = testbed.registry.published.names().stored(database)
    mine = [
        one
        for one in testbed.registry.replicas.all(stored, fault.event.table)
        if one.node == fault.node and one.rows and one.chunk >= 0 and not one.is_overlap
    ]
    return sorted(mine, key=lambda one: (-one.rows, one.name))[: fault.event.tables]


def _data_file(testbed: Testbed, node: str, database: str, replica: Replica) -> Path:
    stored = testbed.registry.published.names().stored(database)
    return testbed.cluster.data_dir(node) / stored / f"{replica.name}.MYD"


@dataclass(slots=True)
class ClusterFaults:
    """The faults of one scenario on one database's cluster; see ``FaultHost``."""

    testbed: Testbed
    database: str
    scenario: str
    kept: dict[int, KeptFault] = field(default_factory=dict)
    begun_at: dict[int, float] = field(default_factory=dict)
    """``time.time()``, as events are dated."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, fault: PlannedFault) -> str:
        """See ``FaultHost``."""
        self.begun_at[fault.number] = time.time()
        if fault.event.do in CARES:
            return take_care(self.testbed, self.database, fault)
        with self.lock:
            cluster, event, node = self.testbed.cluster, fault.event, fault.node
            is_private = isinstance(cluster, PrivateCluster)
            host = "" if is_private or not node else cluster.endpoint(node).host or "localhost"
            by_hand = HostCommand(event.command, event.undo) if is_private else host_command(event, node)
            command, undo = by_hand or HostCommand("")
            kept = left_faults.new_fault(self.scenario, fault.number, str(event.do), node, undo, host)
            if event.lasts:
                left_faults.keep(cluster, kept)
                self.kept[fault.number] = kept
            if command:
                rate = {"SKYSHARD_RATE_MB_S": f"{event.rate_mb_s:g}"} if event.rate_mb_s else {}
                left_faults.run_command(command, cluster, kept, rate)
            elif event.do is Do.CORRUPT:
                return self._damage(fault, kept)
            else:
                self._strike(event, node)
        return f"{event.shift_s:+g} s" if event.do is Do.CLOCK else ""

    def _strike(self, event: FaultEvent, node: str) -> None:
        """Do to a server of a private cluster what an event says."""
        cluster = self.testbed.cluster
        if event.do is Do.KILL:
            cluster.kill_server(node)
        elif event.do is Do.STOP:
            cluster.freeze_server(node)
        elif event.do is Do.RESTART:
            cluster.stop_server(node)
            cluster.start_server(node)
        elif event.do is Do.CLOCK:
            cluster.stop_server(node)
            cluster.start_server(node, _wrong_clock(event.shift_s))

    def _damage(self, fault: PlannedFault, kept: KeptFault) -> str:
        """Damage files; copies are there, and the record says so, before the first is touched."""
        folder = left_faults.keep(self.testbed.cluster, kept)
        found, event = _to_damage(fault, self.testbed, self.database), fault.event
        paths = {one.name: _data_file(self.testbed, fault.node, self.database, one) for one in found}
        files = []
        for name, path in paths.items():
            shutil.copy2(path, folder / name)
            work = shutil.copy2(path, folder / f"{name}.damaged.MYD")
            shutil.copy2(path.with_suffix(".MYI"), Path(work).with_suffix(".MYI"))
            DAMAGES[event.damage](Path(work))
            files.append(DamagedFile(path=str(path), copied_to=name, damaged=left_faults.digest_of(Path(work))))
        self.kept[fault.number] = kept.model_copy(update={"files": files})
        left_faults.keep(self.testbed.cluster, self.kept[fault.number])
        stored = self.testbed.registry.published.names().stored(self.database)
        with connect(self.testbed.cluster.endpoint(fault.node), Account.ADMIN, stored) as connection:
            for name, path in paths.items():
                connection.execute(f"FLUSH TABLES {quote_name(name)}")
                put(folder / f"{name}.damaged.MYD", path)
            connection.execute("FLUSH TABLES")
        shown = ", ".join(list(paths)[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        return f"{event.damage}: {shown}"

    def end(self, fault: PlannedFault) -> None:
        """See ``FaultHost``."""
        with self.lock:
            kept = self.kept.get(fault.number)
            if kept is None:
                return
            left_faults.take_back(self.testbed.cluster, kept)
            del self.kept[fault.number]
        if kept.files and self.level():
            self.testbed.replicas.repair(self.database)

    def seen(self, fault: PlannedFault) -> tuple[float | None, float | None]:
        """See ``FaultHost``; from the events that queries and nodes leave."""
        begun = self.begun_at[fault.number]
        files = EventFiles(self.testbed.cluster.folder / LOG_FOLDER)
        kept = [one for about in (Subject.QUERY, Subject.NODE) for one in files.read(about) if one.time_s >= begun]
        met = [one for one in kept if one.event in _MEETINGS and one.fields.get("node") == fault.node]
        if not met:
            return None, None
        noticed = min(one.time_s for one in met)
        return noticed - begun, _first_end(kept, {one.fields.get("query") for one in met}, begun)

    def level(self) -> str:
        """See ``FaultHost``."""
        (health,) = self.testbed.replicas.status(self.database).databases
        lacks = [f"{health.under} chunks have fewer than {health.wanted} good replicas"] if health.under else []
        if health.whole_on not in (None, health.nodes):
            lacks.append(f"regular tables are whole on {health.whole_on} of {health.nodes} nodes")
        return ", ".join(lacks)


def _first_end(kept: list[KeptEvent], queries: set[object], begun: float) -> float | None:
    """Seconds until the first of some queries was answered."""
    ends = [one.time_s for one in kept if one.event == QUERY_ENDED.name and one.fields.get("query") in queries - {None}]
    return min(ends) - begun if ends else None


def _wrong_clock(shift_s: float) -> dict[str, str]:
    """Variables of a server whose clock is wrong; it sleeps and measures time rightly."""
    library = _faketime()
    if library is None:
        raise ClusterError("libfaketime has gone", remedy="install the package faketime")
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{shift_s:+g}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
