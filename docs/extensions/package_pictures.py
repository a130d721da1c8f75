"""Draws a package from its import contract and from the imports that are there.

Rows are the contract's layers; in a package without a contract, a module stands below all that import it. Nothing is
typed by hand: a new room, or a new arrow, shows at the next build.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
from layered_drawing import Arrow, Box, draw, reduced

ROOT = Path(__file__).resolve().parents[2]
HOUSE = "skyshard"


@dataclass(frozen=True, slots=True)
class Package:
    """A package as a picture shows it."""

    name: str
    rows: list[list[str]]
    """Names of its children, top row first."""
    imports: dict[tuple[str, str], int]
    """Import statements between two children."""
    sizes: dict[str, int]
    """Modules of each child."""
    has_contract: bool

    @property
    def short(self) -> str:
        return self.name.removeprefix(f"{HOUSE}.")


@cache
def graph() -> grimp.ImportGraph:
    """All imports within the house, those of functions and for types included."""
    return grimp.build_graph(HOUSE, cache_dir=None)


@cache
def contracts() -> Mapping[str, list[list[str]]]:
    """The layers of each package with a contract of its own, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return {
        contract["containers"][0]: [layer.split(" | ") for layer in contract["layers"]]
        for contract in settings["contracts"]
        if contract["type"] == "layers"
    }


def packages() -> list[str]:
    """Every package with two modules or more, the house first, then in the order of its floors."""
    floors = [f"{HOUSE}.{name}" for row in contracts()[HOUSE] for name in row]
    return [HOUSE, *(name for name in floors if len(graph().find_children(name)) > 1)]


def package(name: str) -> Package:
    """A package with its rows, as its contract has them, and its imports."""
    modules = graph().modules
    children = {child.rpartition(".")[2] for child in graph().find_children(name)}
    imports: dict[tuple[str, str], int] = {}
    for module in sorted(graph().find_descendants(name)):
        start = _child(module, name)
        for other in graph().find_modules_directly_imported_by(module):
            end = _child(other, name) if other.startswith(f"{name}.") else start
            if end != start:
                details = graph().get_import_details(importer=module, imported=other)
                imports[start, end] = imports.get((start, end), 0) + max(1, len(details))
    rows = contracts().get(name)
    sizes = {
        child: sum(one == f"{name}.{child}" or one.startswith(f"{name}.{child}.") for one in modules)
        for child in children
    }
    return Package(name, rows or _levels(children, imports), imports, sizes, rows is not None)


def _child(module: str, name: str) -> str:
    """Which child of a package a module is, or is in."""
    return module.removeprefix(f"{name}.").partition(".")[0]


def _levels(children: set[str], imports: Mapping[tuple[str, str], int]) -> list[list[str]]:
    """Rows in which every import leads downwards: a child's row is the longest way on which it is reached."""
    levels = dict.fromkeys(sorted(children), 0)
    for _ in children:
        for start, end in imports:
            levels[end] = max(levels[end], levels[start] + 1)
    if any(levels[start] >= levels[end] for start, end in imports):
        raise ValueError("these modules import one another in a circle")
    return [[child for child in levels if levels[child] == row] for row in range(max(levels.values()) + 1)]


def picture(name: str) -> str:
    """The SVG of a package: an arrow that follows from others is left out, as in any drawing of floors."""
    shown = package(name)
    arrows = reduced(
        Arrow(start, end, f"{start} → {end}: {_count(number, 'import')}")
        for (start, end), number in sorted(shown.imports.items())
    )
    rows = [[Box(child, _note(shown, child), _link(name, child)) for child in row] for row in shown.rows]
    return draw(rows, arrows, f"Imports within {name}")


def _note(shown: Package, child: str) -> str:
    return _count(shown.sizes[child], "module") if shown.sizes[child] > 1 else ""


def _link(name: str, child: str) -> str:
    return f"packages.html#package-{child}" if name == HOUSE and f"{HOUSE}.{child}" in packages() else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def caption(name: str) -> str:
    """What the picture of a package shows, in a sentence."""
    shown = package(name)
    drawn = len(reduced(Arrow(start, end) for start, end in shown.imports))
    rule = (
        "Rows are the layers of its import contract"
        if shown.has_contract
        else "It has no contract of its own: rows follow from its imports"
    )
    return (
        f"`{name}`: {_count(len(shown.sizes), 'part')}, {_count(len(shown.imports), 'arrow')}, none upwards. {rule}; "
        f"{_count(len(shown.imports) - drawn, 'arrow')} implied by the others left out."
    )


def module_lists(name: str) -> str:
    """Every module below a package with the first sentence of its docstring, as Markdown."""
    lines = []
    for module in sorted(graph().find_descendants(name)):
        path = ROOT / "src" / Path(*module.split("."))
        is_package = path.is_dir()
        sentence = _first_sentence(path / "__init__.py" if is_package else path.with_suffix(".py"))
        depth = module.count(".") - name.count(".") - 1
        label = module.rpartition(".")[2]
        lines.append(f"{'  ' * depth}- {'**' if is_package else ''}`{label}`{'**' if is_package else ''}: {sentence}")
    return "\n".join(lines)


def _first_sentence(path: Path) -> str:
    """The first paragraph of a module's docstring on one line, code marks as Markdown has them."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def pages() -> str:
    """Pictures and lists of modules of all packages but the house, as Markdown for the site."""
    texts = []
    for name in packages()[1:]:
        short = name.removeprefix(f"{HOUSE}.")
        texts.append(f"(package-{short})=\n## `{short}`\n\n{framed(name)}\n\n{module_lists(name)}")
    return "\n\n".join(texts)


def framed(name: str) -> str:
    """The picture of a package with its caption, as Markdown for the site."""
    return f'```{{raw}} html\n<div class="picture">{picture(name)}</div>\n```\n\n{caption(name)}'
