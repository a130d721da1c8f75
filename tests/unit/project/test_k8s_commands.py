"""The program takes every command line that pods run, and those that pages have them run."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.support.documented import ROOT, commands
from tests.support.manifests import CONTAINERS, K8S

PAGES = (K8S / "README.md", ROOT / "docs" / "how-to" / "kubernetes.md")


def parse(line: list[str]) -> list[str]:
    """The words of the command that a command line names, after the program itself has parsed all of the line.

    Whatever it does not take is an error of the program.
    """
    command, words, names = commands(), line[1:], line[:1]
    context = None
    while True:
        context = command.make_context(names[-1], words, parent=context)
        group: Any = context.command
        if not getattr(group, "commands", {}):
            return names
        name, command, words = group.resolve_command(context, [*context._protected_args, *context.args])
        names = [*names, name]


VARIABLES = {"$(POD_NAME)": "skyshard-node-0", "$(POD_IP)": "10.0.0.1"}


def filled(word: str) -> str:
    """A word as Kubernetes gives it."""
    for name, value in VARIABLES.items():
        word = word.replace(name, value)
    assert "$" not in word
    return word


LINES = {
    name: [filled(word) for word in container["command"]]
    for name, container, _ in CONTAINERS
    if container.get("command", [""])[0] == "skyshard"
}
"""The command lines of containers."""


@pytest.mark.parametrize("name", LINES)
def test_the_program_takes_the_command_line_of_a_container(name: str) -> None:
    """Its commands, its options and their values."""
    named = parse(LINES[name])
    assert named == LINES[name][: len(named)]


def test_a_wrong_command_line_is_found() -> None:
    """The check is seen to fail: an option, a command, a value."""
    for wrong in ("skyshard head run --fil x", "skyshard head walk", "skyshard ingest x --replicas two"):
        with pytest.raises(Exception, match=r"(?i)no such|should be a valid"):
            parse(wrong.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_program_takes_what_a_page_has_a_pod_run(page: Path) -> None:
    """Whatever stands after `kubectl exec ... --`, and what is applied or built from."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r" -- (skyshard [^\n#`]+)", text)
    assert shown
    for line in shown:
        assert len(parse(shlex.split(line))) > 1
    for path in re.findall(r"\b(k8s/[\w./-]+)", text):
        assert (ROOT / path.rstrip(".")).exists(), path
