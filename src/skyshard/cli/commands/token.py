"""``skyshard token create``, ``list`` and ``revoke``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.registry.access.quotas import QUOTAS, Quota
from skyshard.registry.access.tokens import Scope

NameArgument = Annotated[str, typer.Argument(help="What it is called, for those who revoke it.", show_default=False)]
QuotaOption = Annotated[
    list[str] | None,
    typer.Option("--quota", metavar="NAME=NUMBER", help=f"What it may have at most: {', '.join(QUOTAS)}; 0: no limit."),
]


def create(
    name: NameArgument,
    scope: Annotated[
        Literal["query", "ingest", "admin"],
        typer.Option(help="What it allows; ingest includes query, admin includes both."),
    ] = "query",
    quota: QuotaOption = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Make a token for the doors of `skyshard serve`; it is shown once, and kept as a digest."""
    wanted = Quota.of(quota or ())
    with skyshard.Testbed(cluster) as testbed:
        token = testbed.registry.tokens.create(name, Scope(scope), wanted)
    if json:
        print_json({"name": name, "scope": scope, "quota": _said(wanted), "token": token})
    else:
        typer.echo(token)


def list_tokens(json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """List tokens: name, scope, quota, when they were made."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.registry.tokens.all()
    if json:
        print_json(
            [
                {"name": one.name, "scope": str(one.scope), "quota": _said(one.quota), "made_s": one.made_s}
                for one in found
            ]
        )
        return
    rows = [[one.name, str(one.scope), one.quota.text, _time(one.made_s)] for one in found]
    print_table(["token", "scope", "quota", "made"], rows)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")[:19]


def _said(quota: Quota) -> dict[str, float]:
    """What a token says itself."""
    return {name: value for name in QUOTAS if (value := getattr(quota, name)) is not None}


def change_quota(
    name: NameArgument,
    quota: QuotaOption = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Give a token another quota, in place of the one that it has; without options that of the doors."""
    wanted = Quota.of(quota or ())
    with skyshard.Testbed(cluster) as testbed:
        testbed.registry.tokens.set_quota(name, wanted)
    if json:
        print_json({"name": name, "quota": _said(wanted)})
    else:
        typer.echo(f"token {name}: {wanted.text or 'as the doors say'}")


def revoke(name: NameArgument, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Forget a token; doors refuse it within a second."""
    with skyshard.Testbed(cluster) as testbed:
        testbed.registry.tokens.revoke(name)
    if json:
        print_json({"name": name, "revoked": True})
    else:
        typer.echo(f"token {name} is revoked")
