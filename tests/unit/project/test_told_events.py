"""Every event is told with the fields of its kind, wherever in the package that is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyshard
from skyshard.log import events
from skyshard.log.events import KINDS, EventKind

SUBJECT_FIELDS = {"query", "transaction", "database", "node", "elapsed_s"}
PACKAGE = Path(skyshard.__file__).parent


@pytest.fixture(scope="module")
def tellings() -> list[tuple[str, str, set[str]]]:
    """Place, name of the constant, and fields of every call of ``tell`` in the package."""
    return list(found_tellings())


def found_tellings() -> Iterator[tuple[str, str, set[str]]]:
    """See ``tellings``; a file without the word is not parsed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ".tell(" in text else ():
            is_tell = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "tell"
            if is_tell and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name):
                fields = {keyword.arg or "**" for keyword in node.keywords} - {"keep"}
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.args[0].id, fields


def test_every_telling_has_the_fields_of_its_kind(tellings: list[tuple[str, str, set[str]]]) -> None:
    """A call of ``tell`` names a kind of the table and gives its fields; ``about`` may have its subject's."""
    wrong = []
    for place, name, fields in tellings:
        kind = getattr(events, name, None)
        if name == "kind":  # the log's own
            continue
        if not isinstance(kind, EventKind) or not set(kind.fields) - SUBJECT_FIELDS <= fields <= set(kind.fields):
            wrong.append((place, name, fields))
    assert wrong == []


def test_every_kind_is_told_somewhere(tellings: list[tuple[str, str, set[str]]]) -> None:
    """The table has no event that nothing tells of."""
    told = {name for _, name, _ in tellings}
    constants = {name for name, value in vars(events).items() if isinstance(value, EventKind)}
    assert constants - told == set()
    assert len(constants) == len(KINDS)
