"""``skyshard bench report``, ``compare`` and ``trend``: trials that were run, read and held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

import skyshard.bench
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.readable import seconds
from skyshard.cli.terminal.show import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from skyshard.bench.compare.trend import Trend
    from skyshard.bench.pages import comparison_page, trend_page
    from skyshard.cli.commands import bench_visits
    from skyshard.pages import page_template
else:
    bench_visits = lazy_module("skyshard.cli.commands.bench_visits")
    comparison_page = lazy_module("skyshard.bench.pages.comparison_page")
    page_template = lazy_module("skyshard.pages.page_template")
    trend_page = lazy_module("skyshard.bench.pages.trend_page")


class SeveralAfterAgainst(TyperCommand):
    """``--against B1 B2 B3``: every folder up to the next option belongs to it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[str] = []
        is_after = False
        for arg in args:
            if arg.startswith("-"):
                is_after = arg == "--against"
                given += [] if is_after else [arg]
            else:
                given += ["--against", arg] if is_after else [arg]
        return super().parse_args(ctx, given)


def report(folder: Annotated[Path, typer.Argument(help="A trial folder.")]) -> None:
    """Check a trial folder and render its report again, from the folder alone."""
    if bench_visits.are_of_visits([folder]):
        bench_visits.report(folder)
        return
    typer.echo(f"report: {skyshard.bench.write_pages(skyshard.bench.validate_trial(folder), folder)}")


def compare(
    new: Annotated[list[Path], typer.Argument(help="Trial folders of the new side.")],
    against: Annotated[list[Path], typer.Option(help="Trial folders of the old side.")],
    out: Annotated[Path, typer.Option(help="Folder for comparison.html, .md and .json.")] = Path("comparison"),
    threshold: Annotated[float, typer.Option(min=1.0, help="Ratio beyond which worse is a regression.")] = 1.1,
    margin: Annotated[float, typer.Option(min=1.0, help="Ratios within it are the same.")] = 1.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare common queries of different workloads.")] = False,
    label: Annotated[str, typer.Option(help="Name of the new side instead of its trials' own label.")] = "",
    against_label: Annotated[str, typer.Option(help="Name of the old side instead of its trials' own label.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Compare two releases, several trials a side. Exit code 1 on a regression beyond the threshold.

    Four trials a side can tell something; one trial a side never decides by its times.

    Example: skyshard bench compare new1 new2 new3 new4 --against old1 old2 old3 old4
    """
    if bench_visits.are_of_visits([*new, *against]):
        bench_visits.compare(
            new, against, out, threshold=threshold, margin=margin, anyway=anyway, labels=(label, against_label),
            as_json=as_json,
        )  # fmt: skip
        return
    sides = skyshard.bench.read_trials(new, against)
    found = skyshard.bench.compare_trials(
        sides[0], sides[1], threshold=threshold, margin=margin, anyway=anyway, labels=(label, against_label)
    )
    folders = [*new, *against]
    named = dict(zip([name for side in sides for name, _ in side], folders, strict=True))
    page = comparison_page.write_comparison(found, out, named)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for one in found.differences:
            typer.echo(f"{one.weight.value}: {one.what}: {'; '.join(one.new)} (new), {'; '.join(one.old)} (old)")
        rows = [
            [one.class_name, one.phase, one.change.value, seconds(one.old.median_s), seconds(one.new.median_s),
             comparison_page.interval(one.median), comparison_page.interval(one.p95) if one.p95 else "",
             page_template.probability(one.p_median)]
            for one in found.classes
        ]  # fmt: skip
        print_table(["class", "phase", "verdict", "old", "new", "ratio of medians", "ratio of p95", "p"], rows)
        for loss in found.losses:
            typer.echo(f"not answered: {', '.join(loss.row)}")
        for line in (*found.cautions, *found.notes, comparison_page.verdict(found), f"report: {page}"):
            typer.echo(line)
    if found.regressions:
        raise typer.Exit(1)


def trend(
    folders: Annotated[list[Path], typer.Argument(help="Trial folders of several releases, in any order.")],
    out: Annotated[Path, typer.Option(help="Folder for trend.html, .md and .json.")] = Path("trend"),
    statistic: Annotated[str, typer.Option(help="mean, p50, p90, p95, p99, max; of visits none.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Follow each class over releases and find the steps.

    Exit code 1 when the newest release no longer answers a class, or fewer of its queries, or fewer correctly.
    """
    found = _trend_of(folders, statistic)
    statistic = found.statistic
    page = trend_page.write_trend(found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
        raise typer.Exit(bool(found.regressions))
    rows = [
        [one.class_name, one.phase, len(one.points), seconds(one.points[-1].value),
         "; ".join(trend_page.sentence(step) for step in one.steps)]
        for one in found.series
    ]  # fmt: skip
    print_table(["class", "phase", "trials", f"last {statistic}", "steps"], rows)
    for line in (trend_page.not_comparable(found), *found.notes, trend_page.verdict(found)):
        typer.echo(line, nl=bool(line))
    typer.echo(f"report: {page}")
    raise typer.Exit(bool(found.regressions))


def _trend_of(folders: Sequence[Path], statistic: str) -> Trend:
    """Of trials of queries by a statistic, the median if none is given, of trials of visits by their levels."""
    if not bench_visits.are_of_visits(folders):
        return skyshard.bench.trend_of(skyshard.bench.read_trials(folders)[0], statistic or "p50")
    if statistic:
        what = f"--statistic {statistic}: a trend of visits is that of their levels with a full history"
        raise UserError(what, remedy="leave it out")
    return bench_visits.trend(folders)
