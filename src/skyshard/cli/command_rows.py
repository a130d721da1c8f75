"""What the table of commands is made of. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command: ``path`` is what a user types after ``skyshard``, ``target`` is ``module:function``.

    ``kind`` is the ``module:class`` of a command that parses its arguments itself.
    """

    path: str
    target: str
    help: str
    kind: str = ""
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of commands; ``target`` is a function that runs when no command of the group is named."""

    path: str
    help: str
    target: str = ""
