"""The settings of Ray, for driver, head and nodes alike. Values only: nothing here imports Ray.

Ray reads its variables while it is imported and when its processes start, so that a process sets them before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUIET: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM": "0",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
}
"""Of every Ray: nothing is reported or shown that nobody asked for."""

PATIENT: Mapping[str, str] = {
    "RAY_gcs_server_port_wait_time_s": "180",
    "RAY_raylet_start_wait_time_s": "180",
    "RAY_agent_register_timeout_ms": "180000",
}
"""How long Ray waits for its own processes to start: with its own 30 s it gives up on a busy machine. Not in
Kubernetes, which starts pods again."""

LOOPBACK_ONLY: Mapping[str, str] = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Of a private Ray: on Linux this makes it listen on loopback only."""

ACROSS_HOSTS: Mapping[str, str] = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_grpc_client_keepalive_time_ms": "5000",
    "RAY_grpc_client_keepalive_timeout_ms": "5000",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
}
"""Of a Ray on several hosts: a host whose cable is pulled is known as gone in about 8 s, one that is frozen in 12 (with
Ray's own settings 62 s for an actor's call, never for a task); a blip of 4 s is outlived. Ray on a node ends when the
head was silent for 20 s, or is another one than before: then its supervisor starts it again."""

HEAD_SILENCE_S = 13.0
"""A head that gives no answer for so long is taken for gone."""
ASK_EVERY_S = 2.0
"""How often a driver asks the head which nodes there are."""
CONNECT_TIMEOUT_S = 3.0
"""How long opening a connection to the head may take."""

ACTOR_CPUS = 0
"""A share of a core would keep a task off that whole core."""
NODE_SHARE = 0.001
OBJECT_STORE_BYTES = 1 << 30
LEAST_OBJECT_STORE_BYTES = 80 << 20
SHARE_OF_MEMORY = 0.2

TOKEN_MODE = "RAY_AUTH_MODE"
TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
TOKEN_ITSELF = "RAY_AUTH_TOKEN"
"""Would win over the path; a token in the environment can be read by more processes than one in a file."""


def token_environment(token: Path | str) -> dict[str, str]:
    """Demands tokens, with the one in this file: never Ray's own choice, a file in the user's home."""
    return {TOKEN_MODE: "token", TOKEN_PATH: str(token)}


@dataclass(frozen=True, slots=True)
class RayPorts:
    """The ports of Ray on one host, the same on each; the head's own port is in the cluster file."""

    node_manager: int = 7601
    object_manager: int = 7602
    runtime_env_agent: int = 7603
    agent_rpc: int = 7604
    agent_http: int = 7605
    metrics: int = 7606
    first_worker: int = 7610
    last_worker: int = 7659

    @property
    def open_to_hosts(self) -> str:
        """What a firewall has to let through between hosts, beside the head's port."""
        return f"{self.node_manager},{self.object_manager},{self.first_worker}-{self.last_worker}"

    @property
    def options(self) -> list[str]:
        """Options of ``ray start``."""
        return [
            f"--node-manager-port={self.node_manager}",
            f"--object-manager-port={self.object_manager}",
            f"--runtime-env-agent-port={self.runtime_env_agent}",
            f"--dashboard-agent-grpc-port={self.agent_rpc}",
            f"--dashboard-agent-listen-port={self.agent_http}",
            f"--metrics-export-port={self.metrics}",
            f"--min-worker-port={self.first_worker}",
            f"--max-worker-port={self.last_worker}",
        ]


def joining_environment(own: Mapping[str, str], token: Path | str) -> dict[str, str]:
    """Of a process of a Ray on several hosts, from the environment of who starts it."""
    left_out = (*LOOPBACK_ONLY, TOKEN_ITSELF, "RAY_ADDRESS")
    kept = {name: value for name, value in own.items() if name not in left_out}
    return {**kept, **QUIET, **PATIENT, **ACROSS_HOSTS, **token_environment(token)}


def share_of(node: str) -> dict[str, float]:
    """What work on a node's host takes of its resource; nothing for work that may be done anywhere."""
    return {resource_of(node): NODE_SHARE} if node else {}


def resource_of(node: str) -> str:
    """The resource that a node's host has, and nobody else.

    >>> resource_of("node1")
    'node:node1'
    """
    return f"node:{node}"


def object_store_bytes() -> int:
    """Of Ray on this host: 1 GiB, or a fifth of the free shared memory where that is less."""
    free_bytes = OBJECT_STORE_BYTES
    with contextlib.suppress(OSError):
        free_bytes = int(shutil.disk_usage("/dev/shm").free * SHARE_OF_MEMORY)
    return max(LEAST_OBJECT_STORE_BYTES, min(OBJECT_STORE_BYTES, free_bytes))


def put(settings: Mapping[str, str]) -> None:
    """Set variables of this process, and of those that it starts."""
    os.environ.update(settings)
