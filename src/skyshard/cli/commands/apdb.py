"""``skyshard apdb``: alert production databases in the cluster."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import skyshard
from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.apdb.mutable.sizes import ApdbStatus
    from skyshard.apdb.replica.publish_chunks import Published

Database = Annotated[str, typer.Argument(help="The database.", show_default=False)]


def create(
    database: Database,
    layout: Annotated[
        Path | None,
        typer.Option(help="A layout with `mutable: true`; apdb-85-48 if none is given.", show_default=False),
    ] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make an alert production database, whose tables visits change; run it again after an interruption.

    Its tables are on every node, one a node, parted by month. A chunk gets its node when a visit first asks for it.
    """
    chosen = skyshard.read_layout(layout) if layout is not None else None
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        testbed.apdb.create(database, chosen)
        found = testbed.apdb.status(database)
    _show(found, as_json=json)


def status(database: Database, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Show an alert production database: rows, bytes and months on each node, its stores, how far it is published."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.apdb.status(database)
    _show(found, as_json=json)


def drop_month(
    database: Database,
    month: Annotated[int, typer.Argument(help="Its number: floor(MJD / 30).", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Also a month that visits read, or is not published.")] = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Drop a month of sources and forced sources on every node, in one step each.

    Refused while visits read the month: they go twelve months back from the newest store.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        rows = testbed.apdb.drop_month(database, month, force=force)
    typer.echo(f"{database}: month {month} dropped, {rows} rows")


def publish(
    database: Database,
    into: Annotated[str, typer.Option(help="The published database; made with the first chunk.", show_default=False)],
    at_once: Annotated[int, typer.Option(min=1, help="Chunks in one ingest transaction.", metavar="N")] = 1,
    everything: Annotated[bool, typer.Option("--all", help="Also the chunk of the newest store.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Copy stores into a published database, ten minutes of them at a time, in order, each exactly once.

    A chunk of ten minutes leaves when a later store has begun and none of its own is unfinished. Run it again, and
    after an interruption, to go on.
    """

    def report(one: Published) -> None:
        if not json:
            typer.echo(f"chunk {one.chunk}: {one.tiles} tiles, {one.rows} rows, {one.lag_s:.0f} s behind")

    with interruptible(), skyshard.Testbed(cluster) as testbed:
        done = testbed.apdb.publish(database, into, at_once=at_once, is_all=everything, report=report)
        changes = testbed.apdb.status(database).later_changes
    if json:
        print_json([asdict(one) for one in done])
        return
    typer.echo(f"{database}: {len(done)} chunks are published in {into}")
    for action, rows in changes.items():
        typer.echo(f"not carried: {rows} rows that {action} changed after they had left; {into} has them as before")


def upkeep(
    database: Database,
    action: Annotated[
        str,
        typer.Argument(
            help="scan-unassociated, reassociate, withdraw, deduplicate, prepare-month, drop-month or compact.",
            show_default=False,
        ),
    ],
    now: Annotated[
        float | None, typer.Option(help="The survey's time; after the newest store if not given.", metavar="MJD")
    ] = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Roll changes of rows back: nobody sees them.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Do to a database what is done beside visits: scan, reassociate, withdraw, deduplicate, months, compact.

    Scans read the sources of 14 days that belong to no object, or to one without another source; daytime changes take a
    thousand of them.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        done = testbed.apdb.upkeep(database, action, now=now, is_rehearsed=rehearse)
    if json:
        print_json(asdict(done))
    else:
        typer.echo(f"{database}: {done.action}: {done.rows} rows in {seconds(done.elapsed_s)}")


def _show(found: ApdbStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
        return
    typer.echo(
        f"{found.database}: {found.engine}, {sum(found.chunks.values())} chunks, {found.stores} stores"
        f"{f', {found.unfinished} not whole' if found.unfinished else ''}, {found.published} published"
        f"{'' if found.lag_s is None else f', {found.lag_s:.0f} s behind'}"
    )
    for action, rows in found.later_changes.items():
        typer.echo(f"{rows} rows that {action} changed after they were published are there as before")
    for one in found.odd:
        more = f"; {one.count - len(one.named)} more" if one.count > len(one.named) else ""
        typer.echo(f"{one.count} stores {one.what}: {'; '.join(one.named)}{more}")
    print_table(
        ["table", "node", "rows", "stored", "months"],
        [[one.table, one.node, one.rows, human_bytes(one.bytes), _months(one.months)] for one in found.tables],
    )


def _months(months: tuple[int, ...]) -> str:
    return f"{months[0]} to {months[-1]} ({len(months)})" if months else ""
