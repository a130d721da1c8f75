"""What ``skyshard bench`` does with folders of trials of visits: report, compare, trend, export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from skyshard.basics.errors import UserError
from skyshard.bench.compare.trend import Trend
from skyshard.bench.compare.visit_comparison import compare_visits
from skyshard.bench.compare.visit_trend import visit_trend
from skyshard.bench.pages.visit_comparison_page import HEADERS, rows, verdict, write_visit_comparison
from skyshard.bench.pages.visit_page import write_visit_report
from skyshard.bench.record.visit_csv import csv_text, visits_as_csv
from skyshard.bench.record.visit_times import phases_of
from skyshard.bench.record.visit_trial import is_visit_trial, read_visit_trial, read_visit_trials
from skyshard.cli.terminal.show import print_json, print_table
from skyshard.host.atomic_files import write_atomically
from skyshard.host.output_folder import writing_to

VISITS_ONLY = "name a folder that a workload of visits left, such as that of `skyshard bench run apdb-quick`"


def are_of_visits(folders: Sequence[Path]) -> bool:
    """Whether all folders hold trials of visits.

    Raises:
        UserError: some do, others not.
    """
    known = [is_visit_trial(folder) for folder in folders]
    if any(known) and not all(known):
        other = folders[known.index(False)]
        raise UserError(f"'{other}' is no trial of visits, and others are", remedy="name trials of one workload")
    return bool(known) and all(known)


def report(folder: Path) -> None:
    typer.echo(f"report: {write_visit_report(folder)}")


def compare(
    new: Sequence[Path],
    against: Sequence[Path],
    out: Path,
    *,
    threshold: float,
    margin: float,
    anyway: bool,
    labels: tuple[str, str],
    as_json: bool,
) -> None:
    """Compare two sides; exit code 1 on a regression."""
    sides = read_visit_trials(list(new), list(against))
    found = compare_visits(sides[0], sides[1], threshold=threshold, margin=margin - 1, anyway=anyway, labels=labels)
    page = write_visit_comparison(found, out, sides[0], sides[1])
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for one in found.differences:
            typer.echo(f"{one.weight.value}: {one.what}: {'; '.join(one.new)} (new), {'; '.join(one.old)} (old)")
        print_table(HEADERS, rows(found))
        for line in (*found.not_compared, *found.cautions, verdict(found), f"report: {page}"):
            typer.echo(line)
    if found.regressions:
        raise typer.Exit(1)


def trend(folders: Sequence[Path]) -> Trend:
    return visit_trend(read_visit_trials(list(folders))[0])


def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a trial of visits.")],
    csv: Annotated[Path | None, typer.Option(help="The file; standard output if not given.")] = None,
    phase: Annotated[str, typer.Option(help="The phase; the only one if not given.")] = "",
) -> None:
    """Write a trial of visits as CSV, a line a visit, in the form that l1dbproto's log2csv has.

    Times are means over the tiles of a visit, in seconds; what is not known is NULL.
    """
    if not is_visit_trial(folder):
        raise UserError(f"'{folder}' is no trial of visits", remedy=VISITS_ONLY)
    samples = read_visit_trial(folder).samples
    text = csv_text(visits_as_csv(samples, _phase(phases_of(samples), phase, folder)))
    if csv is None:
        typer.echo(text, nl=False)
        return
    with writing_to(csv):
        write_atomically(csv, text)
    typer.echo(f"{csv}: {text.count(chr(10)) - 1:,} visits")


def _phase(known: Sequence[str], asked: str, folder: Path) -> str:
    if asked in known:
        return asked
    names = ", ".join(known)
    if asked or not known:
        raise UserError(f"'{folder}' has no phase '{asked}'", remedy=f"name one of: {names}" if known else VISITS_ONLY)
    if len(known) > 1:
        raise UserError(f"'{folder}' has {len(known)} phases of visits", remedy=f"give --phase, one of: {names}")
    return known[0]
