"""What stands in for Ray's agents: the ports that it writes, and how long it lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from skyshard.runtime.on_ray import stand_in


def test_ports_are_written_for_the_node_into_the_session(tmp_path: Path) -> None:
    """One file for each port that is named before the agent's own words; nothing else is left there."""
    agent = [
        "agent.py",
        "--node-id=ab12",
        "--grpc-port=0",
        f"--session-dir={tmp_path}",
        "--minimal",
        "--log-format=a=b",
    ]
    stand_in.write_ports(["metrics_agent_port=-1", "metrics_export_port=-1", *agent])
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written == {"metrics_agent_port_ab12": "-1", "metrics_export_port_ab12": "-1"}


@pytest.mark.timeout(60)
def test_it_lives_as_long_as_the_process_that_started_it(tmp_path: Path) -> None:
    """A raylet that is killed leaves it not behind."""
    command = [sys.executable, "-I", "-S", stand_in.__file__, "port=1", f"--session-dir={tmp_path}", "--node-id=ab"]
    raylet = f"""
import os, subprocess
print(subprocess.Popen({command!r}, env={{"RAY_RAYLET_PID": str(os.getpid())}}).pid, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", raylet], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert psutil.pid_exists(int(parent.stdout.readline()))
        parent.kill()
        assert parent.stdout.read() == ""  # it has ended, too: nobody writes there any more
