"""``skyshard registry``: backup of what only the czar's server knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, progress_bars
from skyshard.host.interrupts import interruptible

ForceOption = Annotated[bool, typer.Option("--force", help="Also where the registry knows databases; it forgets them.")]
_LEFT = 1
_LISTED = 5


def dump(
    file: Annotated[Path, typer.Argument(help="Where to write it; one that is there is replaced when it is whole.")],
    indexes: Annotated[
        bool, typer.Option("--indexes/--no-indexes", help="Director indexes and keys too; a restore can make them.")
    ] = True,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Write the registry, and all else that only the czar's server holds, into one file, beside ingests and queries.

    It is of one moment. Keep it on another host.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        done = testbed.backup.dump(file, with_indexes=indexes, watcher=watcher)
    if json:
        print_json(asdict(done))
        return
    typer.echo(
        f"{done.path}: {sum(done.rows.values())} rows, {done.index_files} files of director indexes, {done.kept_files} "
        f"other files, {human_bytes(done.bytes)} in {seconds(done.elapsed_s)}"
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A dump of this cluster.")],
    force: ForceOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Bring the registry back from a dump, and say what nodes hold beyond it. Exit code 1 if something is left to do.

    Run it again after an interruption: it goes on.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        done = testbed.backup.restore(file, force=force, watcher=watcher)
    if json:
        print_json(asdict(done))
    else:
        made = datetime.fromtimestamp(done.made_s).strftime("%Y-%m-%d %H:%M")
        typer.echo(
            f"{done.path}, made {made}: {sum(done.rows.values())} rows and {done.files} files are back, in "
            f"{seconds(done.elapsed_s)}"
        )
        for number in done.open_transactions:
            typer.echo(f"transaction {number} was under way at the dump: run its ingest again, or abort it")
        for database, numbers in done.later.items():
            what = f"transactions {', '.join(map(str, numbers))} came" if numbers else "names or state changed"
            typer.echo(f"{database}: {what} after the dump; `skyshard registry rebuild --force` knows of that")
        _show_after(done.after)
    _end(done.after, is_left=bool(done.later))


def rebuild(force: ForceOption = False, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Make the registry anew of the records that nodes keep, without a dump. Exit code 1 if something is left to do.

    Run it again after an interruption: it goes on.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        done = testbed.backup.rebuild(force=force, watcher=watcher)
    if json:
        print_json(asdict(done))
    else:
        typer.echo(
            f"{len(done.after.databases)} databases of {done.records} records: {sum(done.rows.values())} rows, in "
            f"{seconds(done.elapsed_s)}"
        )
        for database, why in done.left_out.items():
            typer.echo(f"{database} is left out: {why}")
        _show_after(done.after)
        if done.unverified:
            typer.echo(
                f"{done.unverified} replicas are unverified, and do not count until `skyshard replicas verify` has "
                "read them; queries read them meanwhile"
            )
    _end(done.after, is_left=bool(done.left_out))


def _show_after(after: skyshard.BroughtBack) -> None:
    for database, keys in after.indexes.items():
        typer.echo(f"{database}: director indexes made again, {keys} keys")
    for found in after.differences:
        for node, count in found.gone.items():
            typer.echo(f"{found.database}: {count} recorded tables are not on {node}; `skyshard replicas repair`")
        for node, count in found.moved.items():
            typer.echo(f"{found.database}: {count} tables are on {node} that were recorded for another node")
        for node, names in found.strays.items():
            typer.echo(f"{found.database}: {len(names)} tables on {node} are in no record: {_some(names)}")
    for node, why in after.unanswered.items():
        typer.echo(f"{node} was not looked at: {why}")
    for command, why in after.undone.items():
        typer.echo(f"left to do: {command} ({why})")


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join([*listed[:_LISTED], *(["..."] if len(listed) > _LISTED else [])])


def _end(after: skyshard.BroughtBack, *, is_left: bool) -> None:
    if is_left or after.differences or after.undone or after.unanswered:
        raise typer.Exit(_LEFT)
