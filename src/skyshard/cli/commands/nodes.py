"""``skyshard nodes``: nodes come and go."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import skyshard
from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.cli.terminal.tell import tell
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.replicate import Filled
    from skyshard.testbed.node_life import NodeInfo

Name = Annotated[str, typer.Argument(metavar="NODE", help="The node.", show_default=False)]
Rate = Annotated[
    float,
    typer.Option(min=0, help="What regular tables are copied with at most; 0 for all it can.", metavar="MB/S"),
]
_FLAPS = 2
"""So many outages in 24 hours are worth a word."""


def list_nodes(json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """List the nodes: state, whether they answer and since when not, outages, what they hold, free disk, version.

    The state is what was decided (active, read-only, draining, drained). That a node is down is seen: all servers are
    asked, and what they answered is kept. Outages are those that began in the last 24 hours.
    """
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.node_life.listed()
    if json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        ["node", "state", "seen", "outages", "chunks", "tables", "rows", "stored", "free", "MariaDB", "place"],
        [[one.name, str(one.state), _seen(one), one.outages, one.chunks, one.tables, one.rows, human_bytes(one.bytes),
          "" if one.free_bytes is None else human_bytes(one.free_bytes), one.version, one.place] for one in found],
    )  # fmt: skip
    for one in found:
        if one.outages >= _FLAPS:
            typer.echo(f"{one.name} flaps: {one.outages} outages in 24 hours; see `skyshard story node {one.name}`")
        if one.state == "joining":
            typer.echo(f"{one.name} is not ready yet: run `skyshard nodes add` again")
        if one.state == "removed":
            typer.echo(f"{one.name} is not gone yet: run `skyshard nodes remove {one.name}` again")


def _seen(one: NodeInfo) -> str:
    if one.answers:
        return "answers"
    return f"down for {seconds(max(0.0, time.time() - one.down_s))}" if one.down_s else "down"


def add(
    name: Annotated[
        str, typer.Argument(metavar="[NODE]", help="Only this one of the cluster file.", show_default=False)
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The cluster file, of a cluster on many machines.", show_default=False),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also a node whose name a removed one had.")] = False,
    rate: Rate = 50,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Add a node beside running queries and ingests: a private one, or those that a cluster file names anew.

    A new node is proved as `skyshard cluster check` does it, gets every database and its regular tables, and takes new
    chunks from then on; chunks that there are come to it by `skyshard replicas rebalance`. An addition that was
    interrupted is gone on with by running it again.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        found = testbed.node_life.add(
            name, file=file, again=again, rate_bytes_s=rate * 1e6, watcher=watcher, report=tell
        )
    if json:
        print_json([asdict(one) for one in found])
    else:
        _show_added(found)


def _show_added(found: Sequence[Filled]) -> None:
    for one in found:
        typer.echo(
            f"{one.node} takes new chunks: {one.databases} databases, {one.tables} regular tables copied "
            f"({human_bytes(one.bytes)})"
        )
        for database, why in one.left.items():
            typer.echo(
                f"{one.node} gets no chunks of {database} yet: {why}; run `skyshard nodes enable {one.node}` later"
            )


def enable(name: Name, rate: Rate = 50, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Let new chunks come to a node again.

    What it lacks of what every node has, databases and regular tables, is copied first.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        found = testbed.node_life.enable(name, rate_bytes_s=rate * 1e6, watcher=watcher)
    if json:
        print_json(asdict(found))
    else:
        _show_added([found])


def read_only(name: Name, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Let no new chunks come to a node; it serves queries, and gets rows of the chunks that it holds.

    Rows of chunks that it holds go on coming to it, and regular tables: what is joined by chunk stays together.
    `skyshard replicas drain NODE` moves everything away.
    """
    with skyshard.Testbed(cluster) as testbed:
        row = testbed.node_life.read_only(name)
    if json:
        print_json({"node": name, "state": str(row.state)})
    else:
        typer.echo(f"{name} is {row.state}")


def remove(
    name: Name,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Of a private cluster: leave the data folder where it is.")
    ] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Take a node that holds no chunk out of the cluster. Run it again to go on.

    `skyshard replicas drain NODE` comes first. The server of a private node is stopped, and its data folder is removed;
    on another host both stay, until `skyshard node run` is ended there. No other node gets the name unasked.
    """
    with skyshard.Testbed(cluster) as testbed:
        testbed.node_life.remove(name, keeps_data=keep_data, report=tell)
    if json:
        print_json({"node": name, "state": "removed"})
    else:
        typer.echo(f"{name} is removed")


def down_after(
    duration: Annotated[
        float | None,
        typer.Argument(metavar="[SECONDS]", help="The time from now on; 600 if none was chosen.", show_default=False),
    ] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Say, or choose, after how long without an answer a node counts as gone for good.

    What it holds is then made again on others by `skyshard replicas fill`.
    """
    with skyshard.Testbed(cluster) as testbed:
        if duration is not None:
            testbed.registry.nodes.set_down_after(duration)
        found = testbed.registry.nodes.down_after_s
    if json:
        print_json({"down_after_s": found})
    else:
        typer.echo(f"a node that has not answered for {found:g} s counts as gone for good")
