"""``skyshard databases``, ``alias``, ``rename`` and ``drop``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import skyshard
from skyshard.basics.errors import UserError
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.host.interrupts import interruptible

NameArgument = Annotated[str, typer.Argument(help="The database.", show_default=False, metavar="DATABASE")]
_SIGNS = ("->", "=", "→")


class SignBetweenNames(TyperCommand):
    """``alias NAME -> DATABASE``: the sign between the names, as a word of its own or not, is left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, without_signs(args))


def without_signs(args: Sequence[str]) -> list[str]:
    """Words without the sign between two names; options keep theirs.

    >>> without_signs(["a", "->", "b"]), without_signs(["a=b", "--cluster=x"]), without_signs(["a", "→b"])
    (['a', 'b'], ['a', 'b', '--cluster=x'], ['a', 'b'])
    """
    given: list[str] = []
    for arg in args:
        sign = next((sign for sign in _SIGNS if sign in arg), "")
        if arg.startswith("--") or not sign:
            given.append(arg)
        else:
            given += [part.strip() for part in arg.split(sign) if part.strip()]
    return given


def databases(json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """List databases: rows, bytes, state, aliases, tables, when they were made and changed, and from what."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.databases()
    if json:
        print_json([asdict(one) for one in found])
        return
    heads = ["database", "aliases", "state", "rows", "stored", "tables", "family", "made", "changed", "transactions"]
    print_table(
        [*heads, "source"],
        [[one.database, " ".join(one.aliases), _state(one), one.rows, human_bytes(one.bytes), one.tables, one.family,
          _when(one.created_s), _when(one.changed_s), one.transactions, one.source] for one in found],
    )  # fmt: skip


def _state(one: skyshard.DatabaseFacts) -> str:
    state = one.state
    if one.dropped_rows:
        state += f", {one.dropped_rows} lost rows dropped {_when(one.dropped_s)}"
    return state if one.open_transaction is None else f"{state}, transaction {one.open_transaction} open"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def alias(
    name: Annotated[str, typer.Argument(help="The alias.", metavar="[NAME")] = "",
    database: Annotated[str, typer.Argument(help="The database that it is to name.", metavar="'->' DATABASE]")] = "",
    remove: Annotated[str, typer.Option(help="Forget this alias.", metavar="NAME")] = "",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Give a database a further name, move one to another database in one step, or list them.

    `skyshard alias hsc_latest = hsc_w24`: the sign may be `=`, `'->'` (quoted: the shell takes > for itself) or none.
    Every query sees the alias as it was before, or as it is after. An alias of an alias names that one's database.
    """
    if bool(name) != bool(database) or (remove and name):
        raise UserError("an alias needs a name and a database", remedy="skyshard alias NAME = DATABASE")
    with skyshard.Testbed(cluster) as testbed:
        if remove:
            told = f"{remove} is no name of {testbed.remove_alias(remove)} any more"
        elif name:
            told = f"{name} names {testbed.alias(name, database)}"
        else:
            told = ""
        aliases = testbed.aliases()
    if json:
        print_json([{"alias": one, "database": named} for one, named in aliases.items()])
    elif told:
        typer.echo(told)
    else:
        print_table(["alias", "database"], [[one, named] for one, named in aliases.items()])


def rename(
    database: NameArgument,
    name: Annotated[str, typer.Argument(help="Its new name.", show_default=False, metavar="NAME")],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Give a database another name, in one step and at any size; its aliases go on to name it."""
    with skyshard.Testbed(cluster) as testbed:
        testbed.rename(database, name)
    if json:
        print_json({"before": database, "database": name})
    else:
        typer.echo(f"{database} is now {name}")


def drop(
    database: Annotated[str, typer.Argument(help="The database; with --keep a prefix.", show_default=False)],
    keep: Annotated[
        int | None, typer.Option(help="Drop all databases of the prefix but the newest so many.", metavar="N")
    ] = None,
    with_alias: Annotated[bool, typer.Option("--with-alias", help="Drop the aliases that name it, too.")] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds for which its tables stay, for queries that began before.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; changes nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Drop a database from all servers, or the oldest releases of a prefix; asks first. Run it again to go on.

    Refused while tables of another database follow its directors, while it is ingested, and while an alias names it.
    With --keep, databases that are refused for this stay, and do not count among the newest.
    """
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        if keep is None:
            _require_known(testbed, database)
            names: tuple[str, ...] = (database,)
        else:
            chosen = testbed.old_releases(database, keep)
            names = chosen.drops
            for kept, reason in chosen.keeps.items():
                typer.echo(f"{kept} stays: {reason}", err=True)
        if dry_run or not names:
            _show_dropped([], names, as_json=json)
            return
        _require_agreement(names, yes=yes)
        done = [testbed.drop(name, with_aliases=with_alias, grace_s=grace) for name in names]
    _show_dropped(done, (), as_json=json)


def _require_known(testbed: skyshard.Testbed, database: str) -> None:
    """Refuse an unknown name before anybody is asked."""
    testbed.registry.published.names().known(database)


def _require_agreement(names: tuple[str, ...], *, yes: bool) -> None:
    """Ask on a terminal; elsewhere --yes has to say it.

    Raises:
        UserError: nobody agreed.
    """
    if yes:
        return
    listed = ", ".join(names)
    if not sys.stdin.isatty():
        raise UserError(f"nothing is dropped without being asked ({listed})", remedy="say --yes")
    if not typer.confirm(f"drop {listed}, with all rows?", err=True):
        raise UserError("nothing was dropped")


def _show_dropped(done: list[skyshard.Dropped], would: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"dropped": [asdict(one) for one in done], "would_drop": list(would)})
        return
    for name in would:
        typer.echo(f"would drop {name}")
    for one in done:
        end = "nothing of it is left" if one.is_gone else f"its tables stay until {_when(one.kept_until_s)}"
        gone = f", and its aliases {', '.join(one.aliases)}" if one.aliases else ""
        typer.echo(f"dropped {one.database}{gone}: {end}")
    if not done and not would:
        typer.echo("nothing to drop")
