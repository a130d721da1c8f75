"""Wrong command lines as errors of Skyshard: one line that says what is wrong and where help is."""

from __future__ import annotations

import re
from typing import Any

import typer

from skyshard.basics.errors import UserError

_SUGGESTED = re.compile(r"\.? (?:Did you mean (?P<words>.*)\?|\(Possible options: (?P<options>.*)\))$")
_CHECKER = re.compile(r"Value error, |, unable to parse .*$")
"""Words that pydantic adds to a message about itself."""


def usage_error(error: typer.TyperException, command: str) -> UserError:
    """Typer's complaint about an option, an argument or a command, as an error that says where help is.

    ``command`` is the command in use, for complaints that do not name it.

    >>> str(usage_error(typer.BadParameter("no number.", param_hint="'--nodes'"), "cluster start"))
    "cluster start: invalid value for '--nodes': no number; run skyshard cluster start --help"
    """
    text = _CHECKER.sub("", " ".join(error.format_message().split()))
    found = _SUGGESTED.search(text)
    what = _lowered(text[: found.start()] if found else text.removesuffix("."))
    context: Any = getattr(error, "ctx", None)
    if context is not None:
        command = context.command_path.removeprefix("skyshard").strip()
    remedy = f"run {' '.join(['skyshard', *command.split()])} --help"
    if found:
        remedy = f"did you mean {found['words'] or found['options'].replace(', ', ' or ')}? {remedy}"
    return UserError(f"{command}: {what}" if command else what, remedy=remedy)


def _lowered(text: str) -> str:
    """A sentence as it reads within a line: no capital, no full stop.

    >>> _lowered("No such option: --nod"), _lowered("SQL")
    ('no such option: --nod', 'SQL')
    """
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
