"""The shape of a step. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.db.connection import Connection


@dataclass(frozen=True, slots=True)
class UpgradePlace:
    """What a step works on: the czar's server, and the cluster's folder."""

    admin: Connection
    folder: Path


@dataclass(frozen=True, slots=True)
class Change:
    """One change: ``count`` looks how many things it would touch, ``apply`` touches those that still need it."""

    what: str
    """For people, with ``{n}`` for the number."""
    count: Callable[[UpgradePlace], int]
    apply: Callable[[UpgradePlace], None]


@dataclass(frozen=True, slots=True)
class Step:
    """From one version of the registry to the next."""

    version: int
    """The version that the registry has after it."""
    changes: tuple[Change, ...]
    versions: Mapping[str, int]
    """What ``versions`` holds after it, the registry's own version left out."""
