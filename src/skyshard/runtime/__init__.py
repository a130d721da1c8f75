"""Runtimes: the same work in this process (``inline``) or on Ray (``ray_cluster``), behind ``base``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from skyshard.runtime.base import Handle, Runtime

__all__ = ["Handle", "Runtime", "RuntimeKind", "open_runtime"]

RuntimeKind = Literal["ray", "inline"]


def open_runtime(kind: RuntimeKind, nodes: Sequence[str] = (), *, cpus: int | None = None) -> Runtime:
    """A runtime whose actors may live beside ``nodes``, with ``cpus`` tasks at a time (default: one for each core).

    Ray takes some seconds to start and is imported only when it is asked for.
    """
    if kind == "inline":
        from skyshard.runtime.inline import InlineRuntime

        return InlineRuntime(nodes, cpus=cpus)
    from skyshard.runtime.ray_cluster import RayRuntime

    return RayRuntime(nodes, cpus=cpus)
