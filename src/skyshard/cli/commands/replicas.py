"""``skyshard replicas``: the replication index, looked at and kept true."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

import skyshard
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.readable import human_bytes, seconds
from skyshard.catalog.ddl import part_suffix, physical_name
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.host.interrupts import interruptible
from skyshard.host.process_tuning import step_back

OneDatabase = Annotated[str, typer.Option("--database", help="Only this one.")]
_BAR_CELLS = 20
_NOT_WHOLE = 1


def status(database: OneDatabase = "", json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Show how many good replicas there are of what, and what each node holds. Exit code 1 below the wanted level.

    Only replicas count that are good and were verified: counted and digested when they were made, or since.
    A chunk is at level 2 when two nodes hold all of its tables so.
    """
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.replicas.status(database)
    if json:
        print_json(asdict(found) | {"is_whole": found.is_whole})
    else:
        _show_status(found)
    if not found.is_whole:
        raise typer.Exit(_NOT_WHOLE)


def _show_status(found: skyshard.ReplicaStatus) -> None:
    most = max((level for one in found.databases for level in one.levels), default=0)
    most = max([most, *(one.wanted for one in found.databases)])
    heads = ["database", "wanted", "chunks", *(f"at {level}" for level in range(most + 1)), "regular tables on"]
    print_table(
        heads,
        [[one.database, one.wanted, one.chunks, *(one.levels.get(level) for level in range(most + 1)),
          "" if one.whole_on is None else f"{one.whole_on} of {one.nodes} nodes"] for one in found.databases],
    )  # fmt: skip
    largest = max((one.share for one in found.nodes), default=1.0)
    print_table(
        ["node", "chunks", "tables", "rows", "stored", "of the mean", "", "not good", "oldest verification"],
        [[one.node, one.chunks, one.tables, one.rows, human_bytes(one.bytes), f"{one.share:.0%}",
          "█" * round(_BAR_CELLS * one.share / largest), one.faulty, _age(one.oldest_s) if one.tables else ""]
         for one in found.nodes],
    )  # fmt: skip
    for health in found.databases:
        if health.lost:
            typer.echo(f"{health.database}: {health.lost} chunks are on no node whole")
        if health.under:
            listed = ", ".join(map(str, health.first_under))
            more = ", ..." if health.under > len(health.first_under) else ""
            typer.echo(f"{health.database}: {health.under} chunks below level {health.wanted}: {listed}{more}")
        if health.whole_on is not None and health.whole_on < health.nodes:
            typer.echo(
                f"{health.database}: regular tables are whole on {health.whole_on} of {health.nodes} nodes; `skyshard "
                "replicas fill` brings those that a node lacks, `skyshard replicas repair` mends those not good"
            )
        if health.dropped_rows:
            typer.echo(
                f"{health.database}: {health.dropped_rows} rows that were lost were dropped, "
                f"{_age(health.dropped_s)} the last of them"
            )
    _show_faults(found.faulty)


def _show_faults(faults: Sequence[skyshard.FaultyReplica]) -> None:
    for one in faults:
        name = physical_name(one.table, one.chunk, is_overlap=one.is_overlap, suffix=part_suffix(one.part))
        typer.echo(f"{one.node}: {one.database}.{name} is {one.state}: {one.fault or 'never verified'}")


def _age(when_s: float) -> str:
    return f"{seconds(max(0.0, time.time() - when_s))} ago" if when_s else "never"


def explain(
    chunk: Annotated[int, typer.Argument(help="The number of a chunk; -1 for regular tables.", show_default=False)],
    database: OneDatabase = "",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show which nodes hold a chunk, in what state, and why others do not."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.replicas.explain(chunk, database)
    if json:
        print_json(asdict(found))
        return
    print_table(
        ["database", "table", "node", "state", "rows", "stored", "verified", "fault"],
        [[one.database,
          physical_name(one.table, one.chunk, is_overlap=one.is_overlap, suffix=part_suffix(one.part)), one.node,
          str(one.state), one.rows, human_bytes(one.bytes), _age(one.verified_s), one.fault] for one in found.replicas],
    )  # fmt: skip
    for reason in found.nodes:
        typer.echo(f"{reason.database}: {reason.node} {reason.reason}")


def verify(
    database: Annotated[str, typer.Argument(help="The database; all if not given.", metavar="[DATABASE]")] = "",
    rate: Annotated[
        float,
        typer.Option(min=0, help="What each node reads at most; 0 for all it can.", metavar="MB/S"),
    ] = 0,
    node: Annotated[list[str] | None, typer.Option(help="Only this node; may be repeated.", metavar="NODE")] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Read every replica beside its data, and mark what is bad; queries leave it at once. Exit code 1 if any is.

    Counts, digests and indexes are compared with the registry, what was verified longest ago first. Run it again after
    an interruption: it goes on where it was.
    """
    step_back()
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        found = testbed.replicas.verify(database, rate_bytes_s=rate * 1e6, nodes=node or (), watcher=watcher)
    if json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            _show_scrubbed(one)
    unread = {name: why for one in found for name, why in one.unread.items()}
    if any(one.faults or one.image_faults for one in found):
        raise typer.Exit(_NOT_WHOLE)
    for name, why in unread.items():
        raise ClusterError(f"node '{name}' was not read to the end: {why}", remedy="run it again", retryable=True)


def _show_scrubbed(one: skyshard.Scrubbed) -> None:
    rate = one.bytes / one.elapsed_s / 1e6 if one.elapsed_s else 0.0
    again = f", {one.mended} are good again" if one.mended else ""
    typer.echo(
        f"{one.database}: {one.tables} tables, {one.rows} rows, {human_bytes(one.bytes)} read ({rate:.0f} MB/s); "
        f"{len(one.faults)} are bad{again}"
    )
    _show_faults(one.faults)
    for file, why in one.image_faults.items():
        typer.echo(f"{file}: {why}; its rows are read instead")
    if one.image_faults:
        typer.echo(f"`skyshard columns build {one.database}`, or a repair, makes them again")


def repair(
    database: Annotated[str, typer.Argument(help="The database; all if not given.", metavar="[DATABASE]")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be done; changes nothing.")] = False,
    rate: Annotated[
        float, typer.Option(min=0, help="What each node gives and gets at most; 0 for all it can.", metavar="MB/S")
    ] = 50,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Where the input of lost rows is now, if not where it was; may be repeated.", metavar="PATH"),
    ] = None,
    drop_lost: Annotated[
        bool, typer.Option("--drop-lost", help="Take rows that are lost after that out of the database; asks twice.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make bad replicas good again, each from a good one on another node. Exit code 1 if something is left or lost.

    Rows that no node has any more come again from the input that brought them, where that is there and unchanged. What
    is made counts when it was counted and digested as the registry has it. Queries go on meanwhile. Run it again after
    an interruption: it goes on where it was.
    """
    if drop_lost and not yes and not sys.stdin.isatty():
        raise UserError("--drop-lost asks before it drops rows, and nobody is there", remedy="add --yes")
    step_back()
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        if plan:
            _show_plan(testbed.replicas.plan_repair(database), rate * 1e6, as_json=json)
            return
        with progress_bars(as_json=json) as watcher:
            found = testbed.replicas.repair(database, rate_bytes_s=rate * 1e6, sources=source or (), watcher=watcher)
        if not json:
            for one in found:
                _show_repaired(one)
        dropped = {
            one.database: testbed.replicas.drop_lost(one.database, one.lost)
            for one in found
            if drop_lost and one.lost and (yes or _is_meant(one))
        }
    if json:
        print_json([asdict(one) | {"dropped": _dropped_values(dropped.get(one.database))} for one in found])
    else:
        for gone in dropped.values():
            _show_dropped(gone)
    if any(one.failed or one.waiting or (one.lost and one.database not in dropped) for one in found):
        raise typer.Exit(_NOT_WHOLE)


def _is_meant(one: skyshard.Repaired) -> bool:
    """Asked twice: rows that are dropped come again only by an ingest."""
    rows = sum(lost.rows for lost in one.lost if not lost.is_overlap)
    what = f"{rows} rows of {len(one.lost)} tables of '{one.database}'"
    if not typer.confirm(f"Drop {what}?", err=True):
        return False
    return bool(typer.prompt("Type the name of the database to drop them", err=True) == one.database)


def _dropped_values(gone: skyshard.DroppedRows | None) -> dict[str, object] | None:
    if gone is None:
        return None
    tables = [one.model_dump(mode="json") for one in gone.tables]
    return {
        "transaction": gone.transaction, "rows": gone.rows, "overlap_tables": gone.overlap_tables, "tables": tables,
    }  # fmt: skip


def _show_dropped(gone: skyshard.DroppedRows) -> None:
    typer.echo(
        f"{gone.database}: {gone.rows} lost rows were dropped by transaction {gone.transaction}; "
        f"{gone.overlap_tables} overlap tables were made again of the rows around; the oracle, if it has a copy, is "
        "older now"
    )


def _show_plan(plans: Mapping[str, skyshard.RepairPlan], rate_bytes_s: float, *, as_json: bool) -> None:
    rows = [
        {
            "database": name, "replicas": len(one.steps), "from_others": sum(bool(step.source) for step in one.steps),
            "bytes": one.bytes, "expected_s": one.expected_s(rate_bytes_s), "waiting": dict(one.waiting),
        }
        for name, one in plans.items()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    heads = ["database", "replicas", "from other nodes", "to copy", "expected", "waiting for nodes"]
    print_table(
        heads,
        [[name, len(one.steps), sum(bool(step.source) for step in one.steps), human_bytes(one.bytes),
          seconds(one.expected_s(rate_bytes_s)), ", ".join(f"{node}: {n}" for node, n in one.waiting.items())]
         for name, one in plans.items()],
    )  # fmt: skip


def _show_repaired(one: skyshard.Repaired) -> None:
    typer.echo(
        f"{one.database}: {one.mended} replicas are good again, {one.copied} of them from other nodes, {one.replayed} "
        f"from their input ({human_bytes(one.bytes)} in {seconds(one.elapsed_s)})"
    )
    for node, count in one.waiting.items():
        typer.echo(f"{one.database}: {count} replicas wait for {node}, which does not answer")
    for what, why in one.failed.items():
        typer.echo(f"{one.database}: {what}: {why}")
    for lost in one.lost:
        name = physical_name(lost.table, lost.chunk, is_overlap=lost.is_overlap, suffix=part_suffix(lost.part))
        brought = f"; {', '.join(lost.sources)} brought them" if lost.sources else ""
        why = f"; {lost.why}" if lost.why else ""
        typer.echo(f"{one.database}: {name} is lost with {lost.rows} rows{brought}{why}")
