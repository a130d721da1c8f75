"""Every command that README, docs and help texts show exists, with its options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.documented import PAGES, ROOT, blocks, fault, helps, mentioned, name_of

MAKE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_a_page_exist(page: Path) -> None:
    """In blocks and in the text; programs, tests and targets of other tools are there, too."""
    assert {command: found for command in mentioned(page) if (found := fault(command))} == {}
    for command in (line for block in blocks(page) for line in block.commands):
        for target in re.findall(r"^make (\w+)", command):
            assert re.search(rf"^{target}:", MAKE, re.MULTILINE), command
        for file in re.findall(r"\b(?:tests|benchmarks|synth|ingest|queries|k8s)/[\w/.-]+", command):
            assert (ROOT / file).exists(), command


def test_examples_in_help_texts_exist() -> None:
    """Whatever a help text shows of other commands."""
    shown = [line for _, text in helps() for line in re.findall(r"skyshard [a-z][^.;`\n]*", text)]
    assert shown
    assert {command: found for command in shown if (found := fault(command))} == {}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("skyshard bench run quick --out trial", ""),
        ("skyshard bench runn quick", "no command runn"),
        ("skyshard bench run quick --nope 1", "no option --nope"),
        ("skyshard cluster start [--nodes N]", ""),
        ("skyshard nope", "no command nope"),
    ],
)
def test_what_does_not_exist_is_found(command: str, found: str) -> None:
    """The check of the commands is seen to fail."""
    assert fault(command) == found
