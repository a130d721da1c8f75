"""``skyshard token create``, ``list`` and ``revoke``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.registry.access.tokens import Scope

NameArgument = Annotated[str, typer.Argument(help="What it is called, for those who revoke it.", show_default=False)]


def create(
    name: NameArgument,
    scope: Annotated[
        Literal["query", "ingest", "admin"],
        typer.Option(help="What it allows; ingest includes query, admin includes both."),
    ] = "query",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make a token for the doors of `skyshard serve`; it is shown once, and kept as a digest."""
    with skyshard.Testbed(cluster) as testbed:
        token = testbed.registry.tokens.create(name, Scope(scope))
    if json:
        print_json({"name": name, "scope": scope, "token": token})
    else:
        typer.echo(token)


def list_tokens(json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """List tokens: name, scope, when they were made."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.registry.tokens.all()
    if json:
        print_json([{"name": one.name, "scope": str(one.scope), "made_s": one.made_s} for one in found])
        return
    print_table(
        ["token", "scope", "made"],
        [[one.name, str(one.scope), datetime.fromtimestamp(one.made_s, UTC).isoformat(" ", "seconds")[:19]]
         for one in found],
    )  # fmt: skip


def revoke(name: NameArgument, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Forget a token; doors refuse it within a second."""
    with skyshard.Testbed(cluster) as testbed:
        testbed.registry.tokens.revoke(name)
    if json:
        print_json({"name": name, "revoked": True})
    else:
        typer.echo(f"token {name} is revoked")
