"""Backups of the registry: part of the testbed."""

from __future__ import annotations

from pathlib import Path

import skyshard.backup
from skyshard.basics.progress import Watcher, unwatched
from skyshard.wiring import Wiring


class Backup:
    """What only the czar's server knows, kept and brought back."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def dump(
        self, path: Path | str, *, with_indexes: bool = True, watcher: Watcher = unwatched
    ) -> skyshard.backup.Dumped:
        """Write all that only the czar's server holds into one file, beside ingests and queries.

        Args:
            with_indexes: director indexes and keys too; a restore makes those that are missing of the nodes' rows.

        Raises:
            UserError: the file cannot be written.
        """
        place = self._wiring.backup_place()
        return skyshard.backup.dump_registry(place, Path(path), with_indexes=with_indexes, watcher=watcher)

    def restore(
        self, path: Path | str, *, force: bool = False, watcher: Watcher = unwatched
    ) -> skyshard.backup.Restored:
        """Have the registry be what a dump says, and hold it against what the nodes hold; after a kill, again.

        Args:
            force: also where the registry knows databases, which are forgotten.

        Raises:
            UserError: no dump, a damaged one, of another cluster or another version; a registry that knows databases.
            ClusterError: an ingest is under way (retryable).
        """
        return skyshard.backup.restore_registry(self._wiring.backup_place(), Path(path), force=force, watcher=watcher)

    def rebuild(self, *, force: bool = False, watcher: Watcher = unwatched) -> skyshard.backup.Rebuilt:
        """Have the registry be what the records of the nodes say, and hold it against what they hold; after a kill,
        again.

        Args:
            force: also where the registry knows databases, which are forgotten.

        Raises:
            UserError: no node has a record; a registry that knows databases.
            ClusterError: no node answers, or an ingest is under way (retryable).
        """
        return skyshard.backup.rebuild_registry(self._wiring.backup_place(), force=force, watcher=watcher)
