"""Commands of Typer that are imported when they run: help and completion of names read the table alone.

Rules: this is the only module that makes a Typer command from a function. A row of the table becomes a placeholder
with its help; the placeholder imports its module as soon as its own words are parsed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from skyshard.basics.lazy import locked_property
from skyshard.cli.command_table import COMMANDS, GROUPS, CommandRow, GroupRow

PACKAGE = "skyshard.cli.commands"
LOG_FILE = "--log-file"
"""The one option before the commands that takes a value."""


class CommandGroup(TyperGroup):
    """A group whose help is shown, with exit code 2, when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), nl=False)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)


class RootGroup(CommandGroup):
    """The command ``skyshard``: every row of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = members("")


class LazyCommand(TyperCommand):
    """A placeholder with a name and a help text; the command itself is :attr:`loaded`."""

    def __init__(self, row: CommandRow | GroupRow, make: Callable[[], Any]) -> None:
        is_hidden = isinstance(row, CommandRow) and row.is_hidden
        super().__init__(row.path.rpartition(" ")[2], help=row.help, hidden=is_hidden)
        self._make = make

    @locked_property
    def loaded(self) -> Any:
        """The command from its module, which is imported now."""
        return self._make()

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        made = self.loaded.make_context(info_name, args, parent, **extra)
        _require_finite(made)
        return made


def _require_finite(context: Any) -> None:
    """Refuse infinities and NaN, which no number of any command may be, whatever its bounds are."""
    for option in context.command.params:
        value = context.params.get(option.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise typer.BadParameter(f"{value} is no finite number.", ctx=context, param=option)


def named_by(words: Sequence[str]) -> str:
    """The command named by the arguments of a command line; empty for none.

    >>> named_by(["bench", "run", "quick", "--out"]), named_by(["--version"]), named_by(["-v", "query", "SELECT 1"])
    ('bench run', '', 'query')
    """
    known = {row.path for row in (*COMMANDS, *GROUPS)}
    left = list(words)
    while left and left[0].startswith("-"):
        left = left[2 if left[0] == LOG_FILE else 1 :]
    paths = (" ".join(left[:count]) for count in (2, 1))
    return next((path for path in paths if path in known), "")


def members(group: str) -> dict[str, Any]:
    """The commands of a group by name; for ``""`` those of ``skyshard`` itself."""
    found: dict[str, Any] = {}
    for row in COMMANDS:
        above, _, name = row.path.rpartition(" ")
        if above == group:
            found[name] = LazyCommand(row, partial(_command, row))
    for inner in GROUPS if not group else ():
        found[inner.path] = _group(inner)
    return found


def _command(row: CommandRow) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    kind = _imported(row.kind) if row.kind else TyperCommand
    app.command(row.path.rpartition(" ")[2], cls=kind, hidden=row.is_hidden)(_imported(row.target))
    return typer.main.get_command(app)


def _group(row: GroupRow) -> Any:
    """A group; if it has its own function, and so options, it is a placeholder too."""
    if row.target:
        return LazyCommand(row, partial(_group_with_function, row))
    return CommandGroup(
        name=row.path, help=row.help, commands=members(row.path), no_args_is_help=True, rich_markup_mode="rich"
    )


def _group_with_function(row: GroupRow) -> Any:
    app = typer.Typer(
        name=row.path, cls=CommandGroup, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
    )
    app.callback(invoke_without_command=True)(_imported(row.target))
    made: Any = typer.main.get_command(app)
    made.commands = members(row.path)
    return made


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(f"{PACKAGE}.{module}"), name)
