"""Commands for units of systemd: sound for the shell, about the unit of the node, with a way back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from skyshard.bench.workload.fault_scenario import KINDS, Do, FaultEvent
from skyshard.scenarios.faults.host_commands import host_command

OURS = (Do.KILL, Do.STOP, Do.RESTART, Do.CLOCK)


@pytest.mark.parametrize("do", OURS)
@pytest.mark.parametrize(("node", "unit"), [("db1", "skyshard-node@db1"), ("czar", "skyshard-head")])
def test_a_host_gets_the_script_and_the_unit(tmp_path: Path, do: Do, node: str, unit: str) -> None:
    """What ``ssh`` is given: a shell of root on the host, the unit, the seconds; and a script that a shell reads."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\necho "$@"\nsh -n || echo unsound\n')
    shell.chmod(0o755)
    found = host_command(FaultEvent(do=do, node=node), node)
    assert found is not None
    assert bool(found.undo) == KINDS[do].lasts
    for line in filter(None, found):
        environment = {**os.environ, "SKYSHARD_SSH": str(shell), "SKYSHARD_HOST": "10.0.0.7"}
        done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [f"root@10.0.0.7 sh -s {unit} +3600"]


def test_a_command_of_the_event_s_own_goes_first() -> None:
    """Also where there would be one of its kind."""
    event = FaultEvent(do=Do.KILL, node="db1", command="strike", undo="mend")
    assert host_command(event, "db1") == ("strike", "mend")


@pytest.mark.parametrize("do", sorted({one for one, kind in KINDS.items() if "command" in kind.takes} - set(OURS)))
def test_other_kinds_have_none(do: Do) -> None:
    """Networks and disks differ from host to host: shipped scenarios bring commands."""
    node = "db1" if KINDS[do].has_node else ""
    assert host_command(FaultEvent(do=do, node=node), node) is None
