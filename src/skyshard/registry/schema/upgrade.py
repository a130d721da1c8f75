"""Brings the registry of a running cluster, and what its folder holds, to this release's version.

Rules: nothing is changed before all locks are held, so that no ingest is under way; versions are written last, step by
step, so that an upgrade which was killed is gone on with by running it again; a dry run only counts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.schema.migrations import STEPS, Change, Step, UpgradePlace
from skyshard.registry.schema.registry_lock import REGISTRY_LOCK, exclusive
from skyshard.registry.schema.schema_version import (
    REGISTRY,
    SCHEMA_VERSION,
    Versions,
    read_versions,
    require_current,
    write_versions,
)

_DATABASES = "SELECT name FROM skyshard_registry.`databases`"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """One change of an upgrade: done, or what a dry run would do."""

    version: int
    """The version that the registry has after the change's step."""
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade did; equal versions: nothing."""

    before: int
    after: int
    is_dry_run: bool
    changes: tuple[Upgraded, ...]


def upgrade(czar: Endpoint, folder: Path, *, dry_run: bool = False, report: Callable[[str], None]) -> UpgradeReport:
    """Take the steps that the registry lacks.

    Raises:
        UserError: there is no registry, or a newer release wrote it.
        ClusterError: an ingest is under way (retryable).
    """
    with connect(czar, Account.ADMIN) as admin, ExitStack() as locks:
        if not dry_run:
            locks.enter_context(exclusive(czar, REGISTRY_LOCK))
        found = read_versions(admin)
        before = _upgradable(found, folder)
        steps = [step for step in STEPS if step.version > before]
        if steps and not dry_run:
            for (name,) in admin.rows(_DATABASES):
                locks.enter_context(exclusive(czar, f"ingest of {name}"))
        place = UpgradePlace(admin, folder)
        changes = [one for step in steps for one in _take(step, place, dry_run=dry_run, report=report)]
        return UpgradeReport(before, SCHEMA_VERSION, dry_run, tuple(changes))


def _upgradable(found: Versions, folder: Path) -> int:
    """The version to go on from."""
    if not found.is_whole or found.registry is None:
        raise UserError(f"cluster {folder} holds no registry yet", remedy="ingest something; nothing is to upgrade")
    if found.registry >= SCHEMA_VERSION:
        require_current(found, folder)
    return found.registry


def _take(step: Step, place: UpgradePlace, *, dry_run: bool, report: Callable[[str], None]) -> list[Upgraded]:
    done = [_change(change, step.version, place, dry_run=dry_run, report=report) for change in step.changes]
    if not dry_run:
        write_versions(place.admin, {REGISTRY: step.version, **step.versions})
    return done


def _change(
    change: Change, version: int, place: UpgradePlace, *, dry_run: bool, report: Callable[[str], None]
) -> Upgraded:
    count = change.count(place)
    found = Upgraded(version, change.what.format(n=count), count)
    report(f"version {version}: {'would ' if dry_run else ''}{found.what}")
    if count and not dry_run:
        change.apply(place)
    return found
