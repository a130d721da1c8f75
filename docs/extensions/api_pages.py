"""Writes the reference of the Python API from the names that the package exports, for autodoc to fill."""

from __future__ import annotations

import inspect

import skyshard

_FORM = {
    "class": "   :members:\n   :undoc-members:",
    "exception": "   :members:\n   :show-inheritance:",
    "function": "",
    "data": "",
}
FIRST = "Testbed"
"""The class that a program begins with; the others follow by name."""
_HEADINGS = {"class": "Classes", "function": "Functions", "exception": "Errors", "data": "Values"}


def markdown() -> str:
    """A section for each kind of public name, each name with its docstring, fields and methods."""
    names: dict[str, list[str]] = {}
    for name in sorted(skyshard.__all__, key=lambda name: (name != FIRST, name)):
        if not name.startswith("__"):
            names.setdefault(_kind(getattr(skyshard, name)), []).append(name)
    return "\n\n".join(_section(kind, names[kind]) for kind in _HEADINGS if kind in names)


def _kind(value: object) -> str:
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(value) else "data"


def _form(kind: str, name: str) -> str:
    """With all methods of the first class, whose parts have modules of their own."""
    return f"{_FORM[kind]}\n   :inherited-members:" if name == FIRST else _FORM[kind]


def _section(kind: str, names: list[str]) -> str:
    entries = "\n\n".join(f".. auto{kind}:: skyshard.{name}\n{_form(kind, name)}" for name in names)
    return f"## {_HEADINGS[kind]}\n\n```{{eval-rst}}\n{entries}\n```"
