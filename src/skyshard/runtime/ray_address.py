"""Where a Ray cluster runs that this process may join. Nothing here imports Ray."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RayAddress:
    """The head of a running Ray cluster."""

    host: str
    port: int
    token: str
    """The file that holds the cluster's token; who reads it may run programs on every host of the cluster."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
