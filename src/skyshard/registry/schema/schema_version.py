"""Versions of what a cluster keeps: read before anything else of a registry, and written when it is whole.

The table ``versions`` has one row a format. Release 0.1.0 had no such table, so a registry without one is of version 1.
The table appears by a rename, with its rows, and the registry's own version is written last: 0 means that the registry
was being made when its process ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.release import VERSION
from skyshard.db.connection import Connection, quote_name
from skyshard.registry.stored.database_names import REGISTRY_DATABASE
from skyshard.rowimage.digest_version import DIGEST_VERSION

SCHEMA_VERSION = 9
"""Of the registry; whoever changes ``sql_tables`` raises it, and adds a step to ``migrations``."""
REGISTRY, ROW_DIGEST = "registry", "row digest"
BEING_MADE, UNVERSIONED = 0, 1
CURRENT: Mapping[str, int] = {REGISTRY: SCHEMA_VERSION, ROW_DIGEST: DIGEST_VERSION}

_VERSIONS = f"{quote_name(REGISTRY_DATABASE)}.{quote_name('versions')}"
_COLUMNS = (
    "(name VARCHAR(64) NOT NULL PRIMARY KEY, version INTEGER NOT NULL, `release` VARCHAR(64) NOT NULL, "
    "changed_s DOUBLE NOT NULL) ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
)
"""As ``sql_tables.versions`` says it; a test compares the two."""
_DRAFT = f"{quote_name(REGISTRY_DATABASE)}.{quote_name('versions_draft')}"


@dataclass(frozen=True, slots=True)
class Versions:
    """What a registry says of itself: format → version, and the release that wrote it last; empty without registry."""

    by_format: Mapping[str, int]
    release: str = ""

    @property
    def registry(self) -> int | None:
        """None where there is no registry, ``BEING_MADE`` where its making was interrupted."""
        return self.by_format.get(REGISTRY)

    @property
    def is_whole(self) -> bool:
        return bool(self.registry)


def read_versions(admin: Connection) -> Versions:
    """The versions of a server's registry: one statement where it has any."""
    try:
        rows = admin.rows(f"SELECT name, version, `release` FROM {_VERSIONS}")
    except UserError:  # no such table, or no such database
        if not _has_table(admin, "databases"):
            return Versions({})
        return Versions(dict.fromkeys(CURRENT, UNVERSIONED), "0.1.0")
    found = {str(name): int(version) for name, version, _ in rows}
    return Versions(found, next((str(release) for name, _, release in rows if name == REGISTRY), ""))


def require_current(found: Versions, folder: Path) -> None:
    """Refuse a registry of another version than this release's.

    Raises:
        UserError: an older one, which the upgrade brings up to date; a newer one, which only a newer release reads.
    """
    for name, known in CURRENT.items():
        version = found.by_format.get(name, UNVERSIONED)
        what = f"the {name} of cluster {folder} has version {version}, this release reads version {known}"
        if version > known:
            raise UserError(what, remedy=f"install Skyshard {found.release} or a newer release")
        if version < known:
            raise UserError(what, remedy=f"run `skyshard cluster upgrade --cluster {folder}`")


def write_versions(admin: Connection, versions: Mapping[str, int]) -> None:
    """Write versions, all or none; a table of versions that is missing appears with them."""
    rows = [(name, version, VERSION, time.time()) for name, version in versions.items()]
    marks = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    values = [value for row in rows for value in row]
    if _has_table(admin, "versions"):
        admin.execute(f"REPLACE INTO {_VERSIONS} VALUES {marks}", values)
        return
    admin.execute(f"DROP TABLE IF EXISTS {_DRAFT}")
    admin.execute(f"CREATE TABLE {_DRAFT} {_COLUMNS}")
    admin.execute(f"INSERT INTO {_DRAFT} VALUES {marks}", values)
    admin.execute(f"RENAME TABLE {_DRAFT} TO {_VERSIONS}")


def _has_table(admin: Connection, name: str) -> bool:
    count = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
    return bool(admin.value(count, [REGISTRY_DATABASE, name]))
