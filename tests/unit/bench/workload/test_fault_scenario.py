"""Scenario files: every shipped one is read, and what is wrong in one is a line with file, key and remedy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.fault_scenario import KINDS, Do, FaultScenario, find_scenario, read_scenario
from skyshard.host.shipped_data import checkout, data_folder

SHIPPED = sorted(path.stem for path in data_folder("ingest", "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_is_read_by_its_name_and_survives_json(name: str) -> None:
    """It is called as its file, and a manifest that holds it is read again."""
    file = read_scenario(name).file
    assert file.name == name
    assert FaultScenario.model_validate_json(file.model_dump_json()) == file


@pytest.mark.parametrize("name", SHIPPED)
def test_commands_of_a_shipped_scenario_are_sound_and_say_where_they_do_not_belong(name: str) -> None:
    """The shell reads each; without a host of the node none does anything, and its last line says why."""
    for event in read_scenario(name).file.events:
        for line in filter(None, (event.command, event.undo)):
            assert subprocess.run(["sh", "-n", "-c", line]).returncode == 0
            if event.node:
                bare = {"PATH": "/nowhere", "SKYSHARD_HOST": "", "SKYSHARD_NODE": "node1"}
                done = subprocess.run(["/bin/sh", "-c", line], env=bare, capture_output=True, text=True)
                assert done.returncode != 0
                assert "this is for clusters on many machines" in done.stderr.splitlines()[-1]


def test_the_guide_names_every_shipped_scenario() -> None:
    """And no other."""
    root = checkout()
    assert root is not None
    lines = (root / "docs" / "how-to" / "faults.md").read_text(encoding="utf-8").splitlines()
    assert sorted(line.split("`")[1] for line in lines if line.startswith("| `")) == SHIPPED


def test_the_reference_names_every_kind_of_event() -> None:
    """Each word for ``do``, once."""
    root = checkout()
    assert root is not None
    page = (root / "docs" / "reference" / "scenarios.md").read_text(encoding="utf-8")
    rows = page[page.index("| `do` | what |") :].splitlines()[2:]
    found = [word.strip("` ") for row in rows if row.startswith("|") for word in row.split("|")[1].split(",")]
    assert sorted(found) == sorted(Do)
    assert set(KINDS) == set(Do)


def event(text: str) -> str:
    return f"version: 1\nname: s\ndescription: x\nevents:\n  - {{{text}}}\n"


WRONG = {
    "do: kil, node: node1": ("events.0.do", "Input should be 'kill'"),
    "do: kill, nod: node1": ("events.0.nod", "there is no such key; did you mean 'node'?"),
    "do: kill": ("events.0.node", "'kill' needs a node"),
    "do: repair, node: node1": ("events.0.node", "'repair' is about the whole cluster"),
    "do: kill, node: node1, damage: older": ("events.0.damage", "'kill' takes no 'damage'"),
    "do: restart, node: czar, for_s: 2": ("events.0.for_s", "'restart' happens and is over"),
    "do: kill, node: node1, at_s: 1, at_share: 0.5": ("events.0.at_share", "'at_s' and 'at_share' both say when"),
    "do: kill, node: node1, for_s: 1, for_share: 0.5": ("events.0.for_share", "'for_s' and 'for_share' both say when"),
    "do: kill, node: node1, at_share: 1": ("events.0.at_share", "Input should be less than 1"),
    "do: cable_out, node: node1, command: cut": ("events.0.command", "the command's fault 'cable_out' would stay"),
    "do: kill, node: node1, undo: join": ("events.0.undo", "'undo' takes back a command, and there is none"),
    "do: kill, node: node1, at_s: -1": ("events.0.at_s", "Input should be greater than or equal to 0"),
    "do: corrupt, node: node1, tables: 0": ("events.0.tables", "Input should be greater than or equal to 1"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_in_a_scenario_is_named_with_its_line(text: str, tmp_path: Path) -> None:
    """File, line, key and what is wrong."""
    path = tmp_path / "s.yaml"
    path.write_text(event(text))
    key, words = WRONG[text]
    with pytest.raises(UserError) as caught:
        read_scenario(str(path))
    said = str(caught.value)
    assert said.startswith(f"'{path}', line 5, key '{key}': {words}"), said
    assert "\n" not in said


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    """By name."""
    with pytest.raises(
        UserError,
        match=r"scenario 'one_node_dyes'; did you mean 'one_node_dies'\? Else name a file or one of: .*czar_restarts",
    ):
        find_scenario("one_node_dyes")
