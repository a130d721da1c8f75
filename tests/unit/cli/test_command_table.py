"""The table of commands says what their functions say."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from skyshard.cli.command_table import COMMANDS, GROUPS, CommandRow, GroupRow

ROWS = [row for row in (*COMMANDS, *GROUPS) if row.target]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_the_help_of_a_row_is_the_first_paragraph_of_its_function(row: CommandRow | GroupRow) -> None:
    """What ``skyshard --help`` prints without an import is what the command says of itself."""
    module, _, name = row.target.partition(":")
    function = getattr(import_module(f"skyshard.cli.commands.{module}"), name)
    paragraph = (inspect.getdoc(function) or "").split("\n\n")[0]
    assert row.help == " ".join(paragraph.split())


def test_no_two_rows_have_the_same_words() -> None:
    """A command is named by its words alone."""
    paths = [row.path for row in (*COMMANDS, *GROUPS)]
    assert len(set(paths)) == len(paths)


def test_every_command_of_two_words_is_in_a_group_of_the_table() -> None:
    """A group is shown by ``skyshard --help``, so that its commands can be found."""
    groups = {row.path for row in GROUPS}
    assert {row.path.split()[0] for row in COMMANDS if " " in row.path} == groups
