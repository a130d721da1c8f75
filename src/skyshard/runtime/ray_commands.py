"""The commands that start Ray on a host of a cluster: the head, or a node. Nothing is started here.

Ray's processes listen on all addresses of a host: what keeps strangers out is the token, and a firewall
(``RayPorts.open_to_hosts``).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from skyshard.runtime.ray_settings import (
    RayPorts,
    joining_environment,
    object_store_bytes,
    resource_of,
)

HEAD_OBJECT_STORE_BYTES = 300_000_000
"""No work is done beside the head, but drivers hand over what they share through it: a few blocks of an ingest."""

HEAD_ALONE = {"RAY_START_HOOK": "skyshard.runtime.on_ray.quiet.before_head"}
"""What `ray start` calls first; there it is not to start processes that nobody uses."""


@dataclass(frozen=True, slots=True)
class RayStart:
    """How Ray is started on one host; ``command`` ends when Ray does."""

    command: list[str]
    environment: dict[str, str]


def start_head(folder: Path, ip: str, port: int, token: Path, ports: RayPorts | None = None) -> RayStart:
    """The head, on which no task runs.

    Args:
        folder: short and private; Ray's sockets and logs are below it.
        ip: this host's address, as the others reach it.
    """
    options = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"]
    options.append(f"--object-store-memory={HEAD_OBJECT_STORE_BYTES}")
    start = _start(options, folder, ip, token, ports)
    return RayStart(start.command, {**start.environment, **HEAD_ALONE})


def start_node(
    node: str, cores: int, head: str, folder: Path, ip: str, token: Path, ports: RayPorts | None = None
) -> RayStart:
    """The host of a node, which runs its actors and as many tasks at a time as it has ``cores``.

    Args:
        head: address and port of the head.
    """
    options = [f"--address={head}", f"--num-cpus={cores}", f"--resources={json.dumps({resource_of(node): 1})}"]
    return _start([*options, f"--object-store-memory={object_store_bytes()}"], folder, ip, token, ports)


def _start(options: list[str], folder: Path, ip: str, token: Path, ports: RayPorts | None) -> RayStart:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--log-style=record"]
    command += [f"--node-ip-address={ip}", f"--temp-dir={folder}", "--include-log-monitor=false", *options]
    return RayStart([*command, *(ports or RayPorts()).options], joining_environment(os.environ, token))
