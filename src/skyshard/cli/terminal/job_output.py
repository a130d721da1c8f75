"""How plans and jobs that move chunks are shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

import skyshard
from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.terminal.show import print_json, print_table
from skyshard.registry.stored.records import WHOLE


def show_plan(plan: skyshard.JobPlan, rate_bytes_s: float, *, as_json: bool) -> None:
    """What a job would do."""
    moves = plan.moves
    if as_json:
        print_json(
            {
                "kind": plan.kind, "subject": plan.subject, "chunks": moves.chunks, "tables": moves.tables,
                "bytes": moves.bytes, "minimum_bytes": moves.minimum_bytes, "expected_s": plan.expected_s(rate_bytes_s),
                "skew_before": plan.skew_before, "skew_after": plan.skew_after, "targets": list(plan.targets),
                "away": list(plan.away), "gone": list(plan.gone), "short": dict(moves.short),
            }
        )  # fmt: skip
        return
    print_table(
        ["chunks", "tables", "to copy", "at least", "expected", "fullest node"],
        [[moves.chunks, moves.tables, human_bytes(moves.bytes), human_bytes(moves.minimum_bytes),
          seconds(plan.expected_s(rate_bytes_s)), f"{plan.skew_before:.2f} → {plan.skew_after:.2f} of the mean"]],
    )  # fmt: skip
    for node in plan.away:
        typer.echo(f"{node} does not answer" + (": it is not waited for" if node in plan.gone else ""))
    for why, count in moves.short.items():
        typer.echo(f"{count} chunks stay below their level: {why}")


def job_as_json(report: skyshard.JobReport) -> dict[str, Any]:
    """One job as programs read it."""
    job = report.job
    return asdict(job) | {
        "rate_now_bytes_s": job.rate_now_bytes_s, "eta_s": job.eta_s, "is_at_work": report.is_at_work,
        "left": [
            {"chunk": step.chunk, "family": step.family, "before": list(step.before), "after": list(step.after),
             "state": ended.state, "error": ended.error}
            for step, ended in report.left
        ],
    }  # fmt: skip


def state_of(report: skyshard.JobReport) -> str:
    """The state of a job for people: one that nobody works on is interrupted."""
    is_left = report.job.ended_s is None and not report.is_at_work and report.job.state == "running"
    return "interrupted" if is_left else str(report.job.state)


def show_job(report: skyshard.JobReport, *, as_json: bool) -> None:
    """One job, and what it has not done."""
    if as_json:
        print_json(job_as_json(report))
        return
    job = report.job
    rate, eta = job.rate_now_bytes_s, job.eta_s
    pace = f", {human_bytes(rate)}/s, about {seconds(eta)} to go" if rate and eta is not None else ""
    typer.echo(
        f"job {job.id}: {f'{job.kind} {job.subject}'.strip()} is {state_of(report)}: {job.ended_steps} of {job.total} "
        f"steps, {human_bytes(job.bytes_done)} of {human_bytes(job.bytes)}{pace}"
    )
    if job.error:
        typer.echo(job.error)
    for step, ended in report.left:
        what = "regular tables" if step.chunk == WHOLE else f"chunk {step.chunk}"
        typer.echo(f"{what} of {step.family}: {ended.state}: {ended.error}")
