"""``skyshard obscore``: the table of observations of one or several releases."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import skyshard
from skyshard.basics.errors import UserError
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.host.interrupts import interruptible
from skyshard.testbed.obscore import BadRegions, ObsCoreReport

_POLICIES = ("refuse", "skip")


def obscore(
    databases: Annotated[list[str], typer.Argument(help="The releases, by their databases.", metavar="DATABASE...")],
    into: Annotated[str, typer.Option(help="The database that gets the table.")] = "ivoa",
    constants: Annotated[
        list[str] | None,
        typer.Option(
            help="What is constant for a camera: a shipped name or a YAML file; of one of the databases, or of all.",
            metavar="[DATABASE=]NAME|FILE",
        ),
    ] = None,
    bad_regions: Annotated[
        str,
        typer.Option(
            help="Rows whose polygon is none, or whose image is there already: refuse, or skip and count them.",
            metavar="refuse|skip",
        ),
    ] = "refuse",
    grace: Annotated[float, typer.Option(help="Seconds for which a replaced table stays.", min=0)] = 3600.0,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be made; change nothing.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make ivoa.ObsCore of the visit tables of releases; what it was before is replaced in one step."""
    if bad_regions not in _POLICIES:
        raise UserError(f"--bad-regions {bad_regions}", remedy=f"give one of {', '.join(_POLICIES)}")
    policy: BadRegions = "skip" if bad_regions == "skip" else "refuse"
    chosen = _by_database(constants or [], databases)
    with skyshard.Testbed(cluster) as testbed, interruptible():
        report = testbed.obscore(
            *dict.fromkeys(databases), into=into, constants=chosen, bad_regions=policy, grace_s=grace, is_plan=plan
        )
    if json:
        print_json(asdict(report) | {"rows": report.rows})
        return
    _show(report)


def _by_database(given: list[str], databases: list[str]) -> dict[str, str]:
    """Constants of each database.

    Raises:
        UserError: of a database that is none of them, or twice of the same.

    >>> _by_database(["hsc", "b=/tmp/mine.yaml"], ["a", "b"])
    {'a': 'hsc', 'b': '/tmp/mine.yaml'}
    """
    found: dict[str, str] = {}
    for word in given:
        head, sign, name = word.partition("=")
        database = head if sign and "/" not in head else ""
        if database and database not in databases:
            raise UserError(f"--constants {word}: '{database}' is none of the databases", remedy="name one of them")
        if database in found:
            raise UserError(f"--constants {word}: there are constants already", remedy="give one for each database")
        found[database] = name if database else word
    return {one: found.get(one, found.get("", "")) for one in databases}


def _show(report: ObsCoreReport) -> None:
    print_table(
        ["release", "constants", "images", "rows"],
        [[one.database, one.constants, name, count] for one in report.releases for name, count in one.images.items()],
    )
    for one in report.releases:
        if one.turned:
            typer.echo(f"{one.database}: {one.turned} polygons came clockwise and were turned round")
        for reason, count in one.left_out.items():
            typer.echo(f"{one.database}: {count} rows left out: {reason}")
    typer.echo(f"{report.database}.ObsCore: {report.rows} rows, {_ending(report)}")


def _ending(report: ObsCoreReport) -> str:
    if not report.source:
        return "to be made"
    if not report.transaction and not report.is_replaced:
        return "published already"
    return "published" + ", in place of those before" * report.is_replaced
