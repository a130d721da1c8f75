"""Documents hold what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from skyshard.cli.app import app
from skyshard.registry.lifecycle import ContributionState, DatabaseState, ReplicaState, TransactionState, diagram

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", [DatabaseState, TransactionState, ContributionState, ReplicaState])
def test_lifecycles_are_drawn_from_the_tables(kind: type) -> None:
    """docs/ingest.md shows each lifecycle as its table says."""
    assert diagram(kind) in (ROOT / "docs" / "ingest.md").read_text()


def test_readme_links_lead_somewhere() -> None:
    """Every document and picture that the README names is there."""
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_readme_commands_exist() -> None:
    """Every command that the README shows is a command."""
    known = {
        *(command.name or command.callback.__name__ for command in app.registered_commands if command.callback),
        *(group.name for group in app.registered_groups),
    }
    shown = set(re.findall(r"^skyshard ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert shown
    assert shown <= known


def test_every_command_explains_itself() -> None:
    """Each command has a help text of its own."""
    group = typer.main.get_command(app)
    for name in group.commands:  # type: ignore[attr-defined]
        command = group.commands[name]  # type: ignore[attr-defined]
        assert command.help or command.short_help, name
