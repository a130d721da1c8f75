"""``skyshard cluster check``: what of a cluster's servers and hosts works, a line for each."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

import skyshard
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table

if TYPE_CHECKING:
    from skyshard.testbed.check.cluster_check import CheckedServer

ONE_FAILS = 3
_HEADERS = (
    "server", "place", "reached ms", "MariaDB", "TLS", "certificate", "clock s", "Ray", "folder", "user", "free", "",
)  # fmt: skip
_ANSWERS = {None: "", True: "joined", False: "no"}


def check(cluster: ClusterOption = DEFAULT_CLUSTER, as_json: JsonOption = False) -> None:
    """Ask every server, and the worker beside it: reached, TLS, versions, data folder, user, disk, clock, Ray.

    What is wrong, and what to do about it, follows the table, a line for each; then the exit code is 3. That a worker
    and its server share one data folder is proved by rows that one writes and the other reads.

    The worker beside a server that is not reached within 3 s is not asked. A worker that is silent beside a server that
    answers is waited for 5 s, or twice as long as the slowest of the others took; 30 s where none has answered: Ray
    makes a process for each, which takes seconds on a busy host.
    """
    from skyshard.testbed.check.check_cluster import check_cluster

    found = skyshard.Cluster.at(cluster)
    checked = check_cluster(found)
    if as_json:
        facts: dict[str, Any] = {"cluster": str(found.folder), "is_good": checked.is_good, "ray": checked.ray}
        facts |= {"faults": checked.faults, "remarks": checked.remarks}
        print_json(facts | {"servers": [_facts(server) for server in checked.servers]})
    else:
        print_table(_HEADERS, [_row(server) for server in checked.servers])
        for line in [*(fault for server in checked.servers for fault in server.faults), *checked.faults]:
            typer.echo(line)
        for line in [*(remark for server in checked.servers for remark in server.remarks), *checked.remarks]:
            typer.echo(f"remark: {line}")
    if not checked.is_good:
        raise typer.Exit(ONE_FAILS)


def _facts(server: CheckedServer) -> dict[str, Any]:
    """A server as JSON."""
    found: dict[str, Any] = {"name": server.name, "place": server.place, "is_good": not server.faults}
    found |= {"has_joined": server.has_joined, "is_proved": server.is_proved}
    for what, said in (("server", server.facts), ("worker", server.hello)):
        found[what] = None
        if said is not None:
            found[what] = {key: value for key, value in asdict(said).items() if key not in ("key", "faults")}
    return found | {"faults": server.faults, "remarks": server.remarks}


def _row(server: CheckedServer) -> tuple[Any, ...]:
    """A server as a line of the table."""
    facts, hello = server.facts, server.hello
    said: tuple[Any, ...] = ("", "", "", "", "")
    if facts is not None:
        days = "" if facts.certificate_days is None else f"{facts.certificate_days:.0f} d"
        said = (round(facts.reached_ms, 1), facts.version, facts.tls, days, f"{facts.clock_offset_s:+.1f}")
    proved = {None: "", True: "proved", False: "no"}[server.is_proved]
    user, free = "", ""
    if hello is not None:
        user, free = hello.user, human_bytes(min(hello.data_free_bytes, hello.staging_free_bytes))
    state = "fault" if server.faults else "good"
    return (server.name, server.place, *said, _ANSWERS[server.has_joined], proved, user, free, state)
