"""``skyshard replicas drain | rebalance | fill | level``: chunks go from node to node, as jobs."""

from __future__ import annotations

from typing import Annotated

import typer

import skyshard
from skyshard.cli.terminal.job_output import job_as_json, show_job, show_plan
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, progress_bars
from skyshard.host.interrupts import interruptible

PlanOption = Annotated[bool, typer.Option("--plan", help="Say what would be done; changes nothing.")]
RateOption = Annotated[
    float, typer.Option(min=0, help="What each node gives and gets at most; 0 for all it can.", metavar="MB/S")
]
GraceOption = Annotated[
    float, typer.Option("--grace", min=0, help="Seconds for which tables stay where chunks were, for old queries.")
]
BackgroundOption = Annotated[bool, typer.Option("--background", help="Work on it in a process of its own.")]
_NOT_WHOLE = 1


def drain(
    node: Annotated[str, typer.Argument(help="The node that is to give up all it holds.", show_default=False)],
    plan: PlanOption = False,
    rate: RateOption = 50,
    grace: GraceOption = 3600,
    background: BackgroundOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Move all chunks of a node to the others, as a job; it gets no new ones. Exit code 1 if something is left.

    Queries and ingests go on meanwhile, and no chunk is ever on fewer nodes than before. One that does not answer is
    drained, too, where others have what it holds. `skyshard nodes enable` lets it have chunks again.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        made = testbed.replicas.plan_drain(node)
        _work(testbed, made, (rate * 1e6, grace), is_plan=plan, in_background=background, as_json=json)


def rebalance(
    plan: PlanOption = False,
    rate: RateOption = 50,
    grace: GraceOption = 3600,
    background: BackgroundOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Even out what nodes hold, by bytes and with as few as that takes, as a job. Exit code 1 if something is left."""
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        made = testbed.replicas.plan_rebalance()
        _work(testbed, made, (rate * 1e6, grace), is_plan=plan, in_background=background, as_json=json)


def fill(
    now: Annotated[bool, typer.Option("--now", help="Wait for no node that does not answer.")] = False,
    plan: PlanOption = False,
    rate: RateOption = 50,
    grace: GraceOption = 3600,
    background: BackgroundOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make missing replicas on other nodes, as a job, until each chunk is at its level. Exit code 1 if one stays below.

    A node that has not answered for long (`skyshard nodes list` says how long that is) is not waited for.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        made = testbed.replicas.plan_fill(at_once=now)
        _work(testbed, made, (rate * 1e6, grace), is_plan=plan, in_background=background, as_json=json)
    if made.moves.short:
        raise typer.Exit(_NOT_WHOLE)


def level(
    database: Annotated[str, typer.Argument(help="The database.", show_default=False)],
    replicas: Annotated[int, typer.Argument(help="Nodes that each chunk is to be on.", show_default=False)],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Have a database ask for more replicas, or fewer; `skyshard replicas fill` then makes or removes them."""
    with skyshard.Testbed(cluster) as testbed:
        testbed.replicas.set_level(database, replicas)
        made = testbed.replicas.plan_fill()
    show_plan(made, 50e6, as_json=json)
    if not json:
        typer.echo(f"{database} asks for {replicas} replicas now; `skyshard replicas fill` makes it so")


def _work(
    testbed: skyshard.Testbed,
    plan: skyshard.JobPlan,
    pace: tuple[float, float],
    *,
    is_plan: bool,
    in_background: bool,
    as_json: bool,
) -> None:
    """Show a plan, or begin its job and work on it here or in a process of its own."""
    rate_bytes_s, grace_s = pace
    number = 0 if is_plan else testbed.jobs.begin(plan, rate_bytes_s=rate_bytes_s, grace_s=grace_s)
    if not number:
        show_plan(plan, rate_bytes_s, as_json=as_json)
        return
    if in_background:
        testbed.jobs.start(number)
        if as_json:
            print_json(job_as_json(testbed.jobs.show(number)))
        else:
            typer.echo(f"job {number} runs: `skyshard jobs show {number}` says how far it is")
        return
    run_here(testbed, number, as_json=as_json)


def run_here(testbed: skyshard.Testbed, number: int, *, as_json: bool) -> None:
    """Work on a job, and say what became of it. Exit code 1 if something is left."""
    with progress_bars(as_json=as_json) as watcher:
        done = testbed.jobs.run(number, watcher=watcher)
    show_job(done, as_json=as_json)
    if not done.is_whole:
        raise typer.Exit(_NOT_WHOLE)
