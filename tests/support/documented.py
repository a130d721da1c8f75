"""Commands as README, docs and help texts show them: extracted, never retyped."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from skyshard.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "examples" not in page.parts),
]


def name_of(page: Path) -> str:
    """A page as a test calls it: its path from the root."""
    return page.relative_to(ROOT).as_posix()


_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<kind>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_INLINE = re.compile(r"`(skyshard [^`]+)`")
_OTHERS = ("make", "cp", "echo", "python", "pytest", "docker", "kubectl", ".")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page: its commands, or a program in Python."""

    kind: str
    text: str
    why_not: str
    """Why it is not run; empty when it is."""

    @property
    def commands(self) -> list[str]:
        """Lines that a shell is given, without the words after them."""
        lines = [re.sub(r"\s+#.*", "", line).strip() for line in self.text.splitlines()]
        is_shell = any(line.startswith("skyshard ") for line in lines)
        return [line for line in lines if line and (is_shell or line.split()[0] in _OTHERS)] if not self.kind else []


def blocks(page: Path) -> list[Block]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["kind"], one["text"], one["why"] or "") for one in found]


def mentioned(page: Path) -> list[str]:
    """Commands in the running text, and in blocks that are not run."""
    text = page.read_text(encoding="utf-8")
    inline = _INLINE.findall(_BLOCK.sub("", text))
    return inline + [line for block in blocks(page) for line in block.commands if line.startswith("skyshard ")]


@cache
def commands() -> Any:
    """The tree of commands; Typer keeps its copy of Click to itself, so that its classes have no public name."""
    return typer.main.get_command(app)


def helps() -> Iterator[tuple[str, str]]:
    """Every command by name, with its help text."""

    def walk(command: Any, path: str) -> Iterator[tuple[str, str]]:
        yield path, command.help or ""
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(getattr(child, "loaded", child), f"{path} {name}")

    yield from walk(commands(), "skyshard")


def fault(command: str) -> str:
    """What of a command line does not exist: the command, or an option of it; empty where all do."""
    words = shlex.split(re.sub(r"[\[\]…]|\s\|.*", " ", command))[1:]
    place = commands()
    while words and (child := getattr(place, "commands", {}).get(words[0])) is not None:
        place, words = getattr(child, "loaded", child), words[1:]
    if getattr(place, "commands", {}):
        return f"no command {words[0]}" if words and not words[0].startswith("-") else ""
    known = {name for one in place.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    unknown = [word for word in words if word.startswith("-") and len(word) > 1 and word.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else ""
