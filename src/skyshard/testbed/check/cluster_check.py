"""What a check of a cluster finds, and what is wrong between its servers. No I/O."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skyshard.basics.release import VERSION
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.server_check import ServerCheck, ServerFacts
from skyshard.testbed.check.asked_workers import AskedWorkers

if TYPE_CHECKING:
    from skyshard.node.messages import Hello

YOUNG_S = 60.0
"""Beside a server that runs for less, Ray may still be coming up."""
WORKER_OF_HERE = (VERSION, platform.python_version())


@dataclass(frozen=True, slots=True)
class CheckedServer:
    """The czar's server, or a node."""

    name: str
    place: str
    """Where it is reached."""
    facts: ServerFacts | None = None
    """What it said; None where it was not reached."""
    hello: Hello | None = None
    """What its worker said; None where it was not asked, or did not answer."""
    has_joined: bool | None = None
    """Whether its host belongs to the Ray; None where that is not known."""
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def with_faults(self, *more: str) -> CheckedServer:
        """The same with more faults, each once."""
        return replace(self, faults=tuple(dict.fromkeys((*self.faults, *more))))

    @property
    def is_proved(self) -> bool | None:
        """Whether its worker and it share a folder; None where the worker was not asked."""
        return None if self.hello is None else bool(self.hello.key)


@dataclass(frozen=True, slots=True)
class CheckedCluster:
    """All servers in order, the czar's first; ``faults`` and ``remarks`` are those of no single server."""

    servers: tuple[CheckedServer, ...]
    ray: str = ""
    """Address of the Ray that runs on the hosts; empty where none does."""
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.faults and not any(server.faults for server in self.servers)


def together(name: str, place: str, server: ServerCheck, workers: AskedWorkers) -> CheckedServer:
    """What a server and the worker beside it said; each fault begins with the name."""
    hello = workers.hellos.get(name)
    faults = list(server.faults)
    if server.facts is not None and name in workers.unheard:
        faults.append(workers.unheard[name])
    has_joined = None if workers.joined is None or name == CZAR_NAME else name in workers.joined
    if has_joined is False:
        faults.append(_why_not_joined(name, server.facts))
    faults += hello.faults if hello else ()
    named = [fault if fault.startswith((name, f"node '{name}'")) else f"{name}: {fault}" for fault in faults]
    return CheckedServer(name, place, server.facts, hello, has_joined, tuple(named), server.remarks)


def _why_not_joined(name: str, facts: ServerFacts | None) -> str:
    """Ray comes up some seconds after the server that `skyshard node run` starts with it.

    >>> _why_not_joined("node1", ServerFacts(1.0, "10.11.19", "db1", "/data", "k", 0.0, uptime_s=9.0))
    'its host does not belong to the Ray yet, its server started 9 s ago; check again in a minute'
    """
    if facts is not None and facts.uptime_s < YOUNG_S:
        when = f"its server started {facts.uptime_s:.0f} s ago"
        return f"its host does not belong to the Ray yet, {when}; check again in a minute"
    return f"its host does not belong to the Ray; start `skyshard node run {name}` there, or see what it wrote"


def why_no_ray(fault: str, czar: ServerFacts | None) -> str:
    """Why no Ray could be joined, with a remedy that fits a head which may be coming up.

    >>> young = ServerFacts(1.0, "10.11.19", "czar", "/data", "k", 0.0, uptime_s=9.0)
    >>> why_no_ray("no Ray head answers at czar:6379; start `skyshard head run` on the czar's host", young)
    "no Ray head answers at czar:6379; the czar's server started 9 s ago: check again in a minute"
    """
    if not fault or czar is None or czar.uptime_s >= YOUNG_S:
        return fault
    return f"{fault.partition(';')[0]}; the czar's server started {czar.uptime_s:.0f} s ago: check again in a minute"


def compared(servers: Mapping[str, CheckedServer], czar: str) -> tuple[CheckedServer, ...]:
    """The servers with what is wrong between them: versions that differ, folders that are one."""
    first = servers[czar].facts
    folders: dict[str, CheckedServer] = {}
    found = []
    for server in servers.values():
        faults = list(_unlike(server, first.series if first else ""))
        if server.facts is not None:
            other = folders.setdefault(server.facts.key, server)
            if other is not server:
                faults.append(_one_folder(server, other))
        found.append(server.with_faults(*faults))
    return tuple(found)


def _unlike(server: CheckedServer, series: str) -> Iterator[str]:
    if server.facts is not None and series and server.facts.series != series:
        what = f"its server is MariaDB {server.facts.version}, the czar's is {series}"
        yield f"{server.name}: {what}; install the same series on every host"
    if server.hello is not None and (server.hello.skyshard, server.hello.python) != WORKER_OF_HERE:
        theirs, ours = _release(server.hello.skyshard, server.hello.python), _release(*WORKER_OF_HERE)
        yield f"{server.name}: its worker is {theirs}, here it is {ours}; install the same versions on every host"


def _release(skyshard: str, python: str) -> str:
    return f"Skyshard {skyshard} on Python {python}"


def _one_folder(server: CheckedServer, other: CheckedServer) -> str:
    assert server.facts is not None
    assert other.facts is not None
    same = (server.facts.host, server.facts.data_dir) == (other.facts.host, other.facts.data_dir)
    what = f"its data folder is {'that of' if same else 'a copy of that of'} {other.name}"
    return f"{server.name}: {what} ({server.facts.host}:{server.facts.data_dir}); give each its own server and folder"
