"""Runtimes: the same work in this process (``inline``) or on Ray (``on_ray``), behind ``base``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from skyshard.runtime.base import Handle, Runtime
from skyshard.runtime.ray_address import RayAddress

__all__ = ["Handle", "RayAddress", "Runtime", "RuntimeKind", "open_runtime"]

RuntimeKind = Literal["ray", "inline"]


def open_runtime(
    kind: RuntimeKind, nodes: Sequence[str] = (), *, cpus: int | None = None, join: RayAddress | None = None
) -> Runtime:
    """A runtime whose actors may live beside ``nodes``, with ``cpus`` tasks at a time (default: one for each core).

    Ray takes some seconds to start and is imported only when it is asked for. With ``join`` it is the Ray that runs
    there, which decides itself how many tasks run at a time.

    Raises:
        ClusterError: Ray does not start, or there is none to join.
        UserError: a token that cannot be used; a Ray of another version.
    """
    if kind == "inline":
        from skyshard.runtime.inline import InlineRuntime

        return InlineRuntime(nodes, cpus=cpus)
    if join is not None:
        from skyshard.runtime.joined_ray import JoinedRay

        return JoinedRay(nodes, join)
    from skyshard.runtime import ray_settings

    ray_settings.put({**ray_settings.QUIET, **ray_settings.PATIENT})  # Ray reads some of these while it is imported
    from skyshard.runtime.on_ray.private_ray import PrivateRay

    return PrivateRay(nodes, cpus=cpus)
