"""Processes by name: the living are never taken for gone, the gone are known."""

from __future__ import annotations

import os
import subprocess
import sys

from skyshard.host.processes import began, is_left, is_there, own_name

HOST, PROCESS, BEGAN = own_name().split()


def test_a_process_knows_itself() -> None:
    """The name holds number and start of this process, which is there."""
    assert int(PROCESS) == os.getpid()
    assert is_there(os.getpid(), int(BEGAN))
    assert not is_left(own_name())


def test_a_number_that_was_given_again_is_somebody_elses() -> None:
    """Only number and start together are a process."""
    assert is_left(f"{HOST} {PROCESS} {int(BEGAN) - 1}")
    assert not is_there(os.getpid(), 0)


def test_an_ended_process_is_gone_before_it_is_collected() -> None:
    """Its parent may take its time: it runs nothing any more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = f"{HOST} {child.pid} {began(child.pid)}"
        assert not is_left(name)
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_left(name)
    assert is_left(name)


def test_processes_of_other_hosts_are_left_alone() -> None:
    """Nobody here knows whether they are there; neither are names that are none."""
    for name in ("ffffffff 1 1", f"{HOST} x 1", f"{HOST} 1", "", f"{HOST} 1 1 1", f"{HOST} -1 1"):
        assert not is_left(name)
