"""Writes the reference of the commands from the commands themselves, as Markdown for the site."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Any

import typer

from skyshard.cli.app import app


def markdown() -> str:
    """Every command in the order of `skyshard --help`: what it does, its usage, arguments and options."""
    return "\n\n".join(_command(path, command) for path, command in walk(typer.main.get_command(app), "skyshard"))


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below one that is not hidden, loaded, with the words that call it; a group comes before its own."""
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            loaded = getattr(child, "loaded", child)
            yield f"{path} {name}", loaded
            yield from walk(loaded, f"{path} {name}")


def _command(path: str, command: Any) -> str:
    words = path.split()
    heading = f"(command-{'-'.join(words[1:])})=\n{'#' * len(words)} `{path}`"
    if getattr(command, "commands", None):
        return f"{heading}\n\n{_prose(command.help)}"
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name == "option" and "--help" not in one.opts]
    usage = " ".join([path, *(_in_usage(one) for one in arguments), *(["[OPTIONS]"] if options else [])])
    texts = [heading, _prose(command.help), f"```text\n{usage}\n```"]
    texts += [_list("Arguments", [_argument(one) for one in arguments])] if arguments else []
    texts += [_list("Options", [_option(one) for one in options])] if options else []
    return "\n\n".join(texts)


def _list(heading: str, items: list[str]) -> str:
    return f"**{heading}**\n\n" + "\n".join(f"- {item}" for item in items)


def _argument(parameter: Any) -> str:
    return f"`{_metavar(parameter)}`{_default(parameter)}: {_prose(parameter.help)}"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    value = "" if _is_flag(parameter) else f" *{_metavar(parameter)}*"
    again = " May be given several times." if parameter.multiple else ""
    return f"{names}{value}{_default(parameter)}: {_prose(parameter.help)}{again}"


def _is_flag(parameter: Any) -> bool:
    return bool(parameter.is_flag or _kind(parameter) is bool)


def _in_usage(parameter: Any) -> str:
    more = "..." if parameter.nargs == -1 else ""
    name = _metavar(parameter) + more
    return name if parameter.required else f"[{name}]"


def _metavar(parameter: Any) -> str:
    kind = _kind(parameter)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " | ".join(str(one.value) for one in kind)
    return parameter.metavar or str(parameter.name).upper()


def _kind(parameter: Any) -> Any:
    """The type of a value, as its annotation has it."""
    return getattr(getattr(parameter, "type_descriptor", None), "annotation", None)


def _default(parameter: Any) -> str:
    """What holds where nothing is given; nothing where the help says so itself."""
    notes = []
    value = parameter.default
    if parameter.envvar:
        notes.append(f"or `${parameter.envvar}`")
    if not callable(value) and value not in (None, "", False, True, (), []) and parameter.show_default:
        notes.append(f"default `{value.value if isinstance(value, enum.Enum) else value}`")
    return f" ({', '.join(notes)})" if notes else ""


def _prose(text: str | None) -> str:
    """A help text as Markdown: one paragraph a line, without Rich's marks, literal where Markdown would read one."""
    plain = re.sub(r"\[/?(?:bold|italic|dim|cyan|green|yellow)\]", "", text or "")
    escaped = re.sub(r"([*_<>])", r"\\\1", plain)
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in escaped.split("\n\n"))
