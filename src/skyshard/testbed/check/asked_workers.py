"""What the workers beside nodes said when they were asked. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skyshard.node.messages import Hello


@dataclass(frozen=True, slots=True)
class AskedWorkers:
    """What workers said."""

    hellos: Mapping[str, Hello] = field(default_factory=dict)
    unheard: Mapping[str, str] = field(default_factory=dict)
    """Why a worker that is there said nothing, by node."""
    joined: frozenset[str] | None = None
    """The nodes whose hosts belong to the Ray; None where there is none, or it was not joined."""
    ray_fault: str = ""
    """Why the Ray was not joined."""
    is_retryable: bool = False
    """Whether it may be joined later, as things are."""
