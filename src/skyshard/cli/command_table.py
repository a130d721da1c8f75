"""The commands as data: all that help, version and completion need before a command is chosen.

Rules: no command is imported here. A row names where a command's function is, below ``skyshard.cli.commands``; its
help is the first paragraph of that function's docstring, which a test compares.
"""

from __future__ import annotations

from skyshard.cli.command_rows import CommandRow, GroupRow
from skyshard.cli.grouped_commands import GROUPED_COMMANDS, GROUPS
from skyshard.cli.single_commands import SINGLE_COMMANDS

__all__ = ["COMMANDS", "GROUPS", "CommandRow", "GroupRow"]

COMMANDS = (*SINGLE_COMMANDS, *GROUPED_COMMANDS)
