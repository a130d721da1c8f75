"""``skyshard jobs [show | pause | resume | cancel]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.commands.moves import BackgroundOption, run_here
from skyshard.cli.terminal.job_output import job_as_json, show_job, state_of
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.host.interrupts import interruptible

NumberArgument = Annotated[int, typer.Argument(help="The job, as listed.", show_default=False, metavar="N")]
InnerCluster = Annotated[Path | None, typer.Option("--cluster", help="The cluster's folder.")]


def jobs(context: typer.Context, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """List jobs that move chunks: state, progress, rate; or show, pause, resume, cancel one."""
    context.obj = cluster
    if context.invoked_subcommand is not None:
        return
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.jobs.list()
    if json:
        print_json([job_as_json(one) for one in found])
        return
    print_table(
        ["job", "kind", "node", "state", "steps", "bytes", "rate", "to go"],
        [[one.job.id, str(one.job.kind), one.job.subject, state_of(one), f"{one.job.ended_steps}/{one.job.total}",
          f"{human_bytes(one.job.bytes_done)} of {human_bytes(one.job.bytes)}",
          f"{human_bytes(rate)}/s" if (rate := one.job.rate_now_bytes_s) else "", seconds(one.job.eta_s)]
         for one in found],
    )  # fmt: skip


def show(
    context: typer.Context, number: NumberArgument, json: JsonOption = False, cluster: InnerCluster = None
) -> None:
    """Show a job: state, steps, bytes, rate, time left, and the first steps that were not taken."""
    with skyshard.Testbed(cluster or context.obj) as testbed:
        show_job(testbed.jobs.show(number), as_json=json)


def pause(
    context: typer.Context, number: NumberArgument, json: JsonOption = False, cluster: InnerCluster = None
) -> None:
    """Have a job stop within seconds; what it has moved stays, and it can go on."""
    with skyshard.Testbed(cluster or context.obj) as testbed:
        show_job(testbed.jobs.pause(number), as_json=json)


def resume(
    context: typer.Context,
    number: NumberArgument,
    background: BackgroundOption = False,
    json: JsonOption = False,
    cluster: InnerCluster = None,
) -> None:
    """Go on with a job that was paused or interrupted. Exit code 1 if something is left."""
    with interruptible(), skyshard.Testbed(cluster or context.obj) as testbed:
        testbed.jobs.resume(number)
        if background:
            testbed.jobs.start(number)
            show_job(testbed.jobs.show(number), as_json=json)
        else:
            run_here(testbed, number, as_json=json)


def cancel(
    context: typer.Context, number: NumberArgument, json: JsonOption = False, cluster: InnerCluster = None
) -> None:
    """End a job before it is done: what it has moved stays where it is now, nothing half made is left."""
    with skyshard.Testbed(cluster or context.obj) as testbed:
        show_job(testbed.jobs.cancel(number), as_json=json)


def run_job(number: int, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Work on a job; `--background` starts this."""
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        testbed.jobs.run(number)
