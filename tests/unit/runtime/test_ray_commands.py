"""The commands that start Ray on hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.runtime.ray_commands import start_head, start_node
from skyshard.runtime.ray_settings import ACROSS_HOSTS


def test_head_and_nodes_have_the_same_settings_and_never_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and token are ours whatever the environment says, and the token itself is in no environment."""
    for name, value in {"RAY_AUTH_TOKEN": "secret", "RAY_AUTH_MODE": "disabled", "RAY_ADDRESS": "other:1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_health_check_period_ms", "99")
    token = Path("/etc/skyshard/ray_token")
    head = start_head(Path("/tmp/r"), "10.0.0.1", 6379, token)
    node = start_node("node1", 16, "10.0.0.1:6379", Path("/tmp/r"), "10.0.0.2", token)
    for start in (head, node):
        assert start.environment.items() >= ACROSS_HOSTS.items()
        assert start.environment["RAY_AUTH_MODE"] == "token"
        assert start.environment["RAY_AUTH_TOKEN_PATH"] == str(token)
        assert "RAY_AUTH_TOKEN" not in start.environment
        assert "RAY_ADDRESS" not in start.environment


def test_tasks_run_on_nodes_only() -> None:
    """The head offers no processor; a node's host offers its cores, and itself by name."""
    head = start_head(Path("/tmp/r"), "10.0.0.1", 6379, Path("/token"))
    node = start_node("node1", 16, "10.0.0.1:6379", Path("/tmp/r"), "10.0.0.2", Path("/token"))
    assert "--num-cpus=0" in head.command
    assert {"--num-cpus=16", '--resources={"node:node1": 1}', "--block"} <= set(node.command)


def test_a_head_starts_no_process_that_nobody_uses() -> None:
    """Ray calls our hook first, on the head alone."""
    head = start_head(Path("/tmp/r"), "10.0.0.1", 6379, Path("/token"))
    node = start_node("node1", 16, "10.0.0.1:6379", Path("/tmp/r"), "10.0.0.2", Path("/token"))
    assert head.environment["RAY_START_HOOK"] == "skyshard.runtime.on_ray.quiet.before_head"
    assert "RAY_START_HOOK" not in node.environment
