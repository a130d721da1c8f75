"""Settings and token of Ray in this process, put into the environment and taken back at the end.

Ray of its own accord writes ``~/.ray/auth_token``, readable by others, and takes a token that it finds there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import ray

from skyshard.runtime.ray_settings import ACROSS_HOSTS, LOOPBACK_ONLY, TOKEN_ITSELF, token_environment

VARIABLES = (*ACROSS_HOSTS, *LOOPBACK_ONLY, *token_environment(""), TOKEN_ITSELF)


class SettingsInForce:
    """While they are in force, this process and those that it starts have these settings and the token of one file."""

    def __init__(self, settings: Mapping[str, str], token: Path | str) -> None:
        self._before = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        _replace({**settings, **token_environment(token)})
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = settings.keys().isdisjoint(LOOPBACK_ONLY)
        ray._raylet.Config.initialize("")  # Ray reads settings and token once in a process
        ray._raylet.AuthenticationTokenLoader.instance().reset_cache()

    def end(self) -> None:
        """The environment as it was. Ray keeps the token that it has read: threads of its own may still ask for it."""
        _replace(self._before)


def make_token(file: Path) -> Path:
    """Write a new token that only this user can read."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as writer:
        writer.write(secrets.token_hex(32))
    return file


def _replace(settings: Mapping[str, str]) -> None:
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(settings)
