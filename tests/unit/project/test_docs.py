"""Documents hold what the code says."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.support.documented import PAGES, ROOT, name_of

from skyshard.basics.release import VERSION
from skyshard.cli.command_table import COMMANDS, GROUPS
from skyshard.log.event_files import level_name
from skyshard.log.events import KINDS
from skyshard.registry.stored.lifecycle import (
    ContributionState,
    DatabaseState,
    NodeState,
    QueryState,
    ReplicaState,
    State,
    TransactionState,
    diagram,
)

WIDTH = 125
TEXTS = [*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize(
    "kind", [DatabaseState, TransactionState, ContributionState, ReplicaState, NodeState, QueryState]
)
def test_lifecycles_are_drawn_from_the_tables(kind: type[State]) -> None:
    """docs/reference/lifecycles.md shows each lifecycle as its table says."""
    assert diagram(kind) in (ROOT / "docs" / "reference" / "lifecycles.md").read_text()


def test_events_are_listed_as_their_table_says() -> None:
    """docs/reference/log.md has every event with its subject, level and sentence."""
    rows = [f"| `{kind.name}` | {kind.subject} | {level_name(kind.level)} | {kind.text} |" for kind in KINDS.values()]
    assert "\n".join(rows) in (ROOT / "docs" / "reference" / "log.md").read_text()


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Every document and picture that a page names is there."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_lines_of_a_page_are_short(page: Path) -> None:
    """Of at most 125 characters, so that differences and terminals can show them; a row of a table is one line."""
    assert [line for line in page.read_text().splitlines() if len(line) > WIDTH and not line.startswith("|")] == []


def test_the_release_is_the_same_everywhere() -> None:
    """The citation and the changelog name the release that the code tells."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.findall(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert citation["version"] == newest == VERSION
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["license"] == project["license"]


def test_readme_commands_exist() -> None:
    """Every command that the README shows is a command."""
    known = {row.path.partition(" ")[0] for row in COMMANDS}
    shown = set(re.findall(r"^skyshard ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert shown
    assert shown <= known


def test_every_command_explains_itself() -> None:
    """Each command has a help text of its own."""
    for row in (*COMMANDS, *GROUPS):
        assert row.help, row.path


def _contracts() -> dict[str, list[list[str]]]:
    """Layers of each import contract by its package, top first; ``|`` parts a layer."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {
        contract["containers"][0]: [sorted(layer.split(" | ")) for layer in contract["layers"]]
        for contract in settings
        if contract["type"] == "layers"
    }


def _rows(page: str, heading: str) -> list[list[str]]:
    """The names in backticks in a column of names, row by row, of the table whose heading starts with this text."""
    lines = page[page.index(heading) :].splitlines()[2:]
    table = [line.strip("|").split("|") for line in itertools.takewhile(lambda line: line.startswith("|"), lines)]
    return [sorted(re.findall(r"`(\w+)`", row[1 if heading.startswith("| floor") else 0])) for row in table]


@pytest.mark.parametrize("package", sorted(_contracts()))
def test_the_drawn_floors_and_rooms_are_those_of_the_contracts(package: str) -> None:
    """docs/explanation/design.md draws exactly the layers that import-linter holds, in their order."""
    heading = "| floor |" if package == "skyshard" else f"| rooms of `{package.removeprefix('skyshard.')}` |"
    assert _rows((ROOT / "docs" / "explanation" / "design.md").read_text(), heading) == _contracts()[package]


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_modules_and_files_that_a_page_names_exist(page: Path) -> None:
    """Dotted names below ``skyshard``, and paths of the repository or of the package."""
    text = page.read_text()
    for dotted in re.findall(r"`(skyshard(?:\.[a-z_]+){2,})`", text):
        place = ROOT / "src" / Path(*dotted.split("."))
        assert place.is_dir() or place.with_suffix(".py").exists(), dotted
    for path in re.findall(r"`((?:src|tests|tools|docs|benchmarks|synth|ingest|queries|k8s)/[\w./-]*\w)`", text):
        assert (ROOT / path).exists() or (ROOT / "src" / "skyshard" / path).exists(), path
    for path in re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", text):
        assert (ROOT / "src" / "skyshard" / path).exists() or (ROOT / path).exists(), path
