"""``skyshard bench run`` for workloads of visits: options to one run, its numbers to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.readable import counted, seconds
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.cli.terminal.show import print_table, progress_bars
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.bench.pages import visit_page
    from skyshard.bench.record.visit_summary import VisitSummary
    from skyshard.bench.workload.workload import Workload
else:
    visit_page = lazy_module("skyshard.bench.pages.visit_page")

_STOPPED = 130


@dataclass(frozen=True, slots=True)
class VisitOptions:
    """Options that only visits have."""

    visits: int | None
    reads_only: bool
    resumes: bool
    settings: tuple[str, ...]
    has_page: bool = True
    processes: int | None = None
    """Given; queries take it, too."""

    def refuse_given(self) -> None:
        """Raises UserError where one was given for a workload of queries."""
        given = {
            "--visits": self.visits, "--no-update": self.reads_only, "--resume": self.resumes, "--store": self.settings,
        }  # fmt: skip
        refuse("a workload of queries", given)

    def named_settings(self) -> dict[str, str]:
        """Settings by name. Raises UserError for one that is not NAME=VALUE."""
        found = {}
        for text in self.settings:
            name, equals, value = text.partition("=")
            if not equals or not name or not value:
                raise UserError(f"--store {text}: not NAME=VALUE", remedy="write, say, --store upsert=replace")
            found[name] = value
        return found


def refuse(what: str, options: Mapping[str, object]) -> None:
    """Raises UserError for an option with a value that a kind of workload has no use for."""
    if given := [name for name, value in options.items() if value]:
        raise UserError(f"{what} does not take {given[0]}", remedy="leave it out")


def run_visits(
    workload: Workload, out: Path | None, targets: Sequence[str], cluster: Path, options: VisitOptions,
    seed: int | None, label: str, *, as_json: bool,
) -> NoReturn:  # fmt: skip
    """Run the visits against one store, write the pages, show the numbers; exits."""
    if len(targets) != 1:
        given = f"{len(targets)} targets" if targets else "no target"
        what = f"workload '{workload.name}' sends its visits to one store; given: {given}"
        raise UserError(what, remedy="give one --target, such as sqlite:PATH")
    if options.resumes and out is None:
        raise UserError("--resume needs the folder of the trial", remedy="give --out")
    folder = out or Path("trials") / f"{workload.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    asked = skyshard.scenarios.VisitRun(
        workload, folder, targets[0], cluster, seed, label, options.visits, options.reads_only, options.resumes,
        options.named_settings(), options.processes,
    )  # fmt: skip
    with interruptible(), quick_switching(), progress_bars() as watcher:
        result = asked.run(watcher)
    page = _written(result.folder, has_page=options.has_page)
    if as_json:
        typer.echo(result.summary.model_dump_json(indent=1))
    else:
        _show(result.summary, result.wrong, page)
    raise typer.Exit(_exit_code(result.summary))


def _written(folder: Path, *, has_page: bool) -> str:
    """Write the pages of a trial, or remove those of a run that this one went on with; what the last line says."""
    if has_page:
        return f"report: {visit_page.write_visit_report(folder)}"
    for name in visit_page.FILES:
        (folder / name).unlink(missing_ok=True)
    return f"`skyshard bench report {folder}` draws the report"


def _show(summary: VisitSummary, wrong: Sequence[str], page: str) -> None:
    for phase in summary.phases:
        rows = [
            [one.name, one.visits, one.rows, *(seconds(one.quantiles_s[place]) for place in (2, 4)), seconds(one.max_s)]
            for one in phase.series
        ]
        print_table(["of a visit", "visits", "rows", "p50", "p95", "max"], rows, title=phase.phase)
        typer.echo(
            f"{counted(phase.visits, 'visit')}, {counted(phase.compared, 'tile')} compared, {phase.wrong} wrong; "
            f"{phase.tries} {'try' if phase.tries == 1 else 'tries'} failed, {counted(phase.lost, 'visit')} lost; "
            f"{phase.driver_share:.1%} the driver's own"
        )
    for text in (*(one.sentence for one in summary.odd), *wrong, *summary.failures, page):
        typer.echo(text)


def _exit_code(summary: VisitSummary) -> int:
    if summary.is_partial:
        return _STOPPED
    return 1 if summary.failures else 0
