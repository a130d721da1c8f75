"""The shape of a step, and of a change that several steps have."""

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


_OPTIONS = "ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


def new_tables(tables: Mapping[str, str]) -> Change:
    """Tables that the registry has not had: name → what follows it in ``CREATE TABLE``."""

    def missing(place: UpgradePlace) -> list[str]:
        there = {str(name) for (name,) in place.admin.rows("SHOW TABLES FROM skyshard_registry")}
        return [name for name in tables if name not in there]

    def make(place: UpgradePlace) -> None:
        for name in missing(place):
            place.admin.execute(f"CREATE TABLE IF NOT EXISTS skyshard_registry.{name} {tables[name]} {_OPTIONS}")

    return Change("make {n} tables", lambda place: len(missing(place)), make)
