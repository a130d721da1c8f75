"""Stands in for an agent that Ray starts beside a raylet and that nobody asks. Standard library only: it runs alone.

    python stand_in.py PORT=NUMBER... AGENT --session-dir=FOLDER --node-id=ID ...

A raylet waits until its agents have written which ports they listen on, and ends when one of them ends. So this writes
the ports that it is told, and lives as long as the raylet.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LOOK_EVERY_S = 0.5


def port_file(name: str, node_id: str) -> str:
    """Ray's name of the file, in the folder of a session, that says where a node's agent listens.

    >>> port_file("metrics_agent_port", "ab12")
    'metrics_agent_port_ab12'
    """
    return f"{name}_{node_id}"


def write_ports(words: Sequence[str]) -> None:
    """Write the ports that a command line names first, into the session and for the node that its options name."""
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    session, node_id = Path(options["session-dir"]), options["node-id"]
    for word in words:
        name, is_port, port = word.partition("=")
        if name.startswith("--") or not is_port:
            continue
        draft = session / f"{port_file(name, node_id)}.draft"
        draft.write_text(port)
        draft.rename(session / port_file(name, node_id))  # it is read as soon as it is there


def main() -> None:
    raylet = int(os.environ["RAY_RAYLET_PID"])  # it may have ended before this was read
    write_ports(sys.argv[1:])
    while os.getppid() == raylet:
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
