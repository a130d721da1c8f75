"""``skyshard demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.cli.terminal.show import progress_bars
from skyshard.host.interrupts import interruptible


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the sky, the cluster and the report.")] = Path("demo-out"),
    recipe: Annotated[str, typer.Option(help="Recipe of the sky: a file or a shipped one.")] = "tiny",
    workload: Annotated[str, typer.Option(help="Workload to run: a file or a shipped one.")] = "quick",
    nodes: Annotated[int, typer.Option(help="Nodes of the private cluster.")] = 2,
    runtime: Annotated[Literal["ray", "inline"], typer.Option(help="Where ingest runs.")] = "ray",
) -> None:
    """The main job, end to end: cluster, sky, ingest, verification, workload, report; then the cluster is stopped."""
    with interruptible(), quick_switching(), progress_bars(notes=typer.echo) as watcher:
        result = skyshard.run_demo(out, recipe=recipe, workload=workload, nodes=nodes, runtime=runtime, watcher=watcher)
    typer.echo(f"done in {result.elapsed_s:.0f} s: {result.rows:,} rows ingested".replace(",", " "))
    typer.echo(f"the cluster is stopped; `skyshard cluster start --cluster {result.cluster}` brings it back")
    typer.echo(f"report: {result.report}")
    if not result.is_good:
        raise typer.Exit(1)
