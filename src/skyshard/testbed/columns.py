"""What is done about column images: part of the testbed."""

from __future__ import annotations

from collections.abc import Sequence

import skyshard.replicate
from skyshard.basics.progress import Watcher, unwatched
from skyshard.wiring import Wiring


class Columns:
    """The column images of a running cluster: rows once more, column by column, beside the nodes' data."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def status(self, database: str) -> skyshard.replicate.ColumnImages:
        """What images a database has on each node.

        Raises:
            UserError: an unknown database.
        """
        return skyshard.replicate.image_status(self._wiring.replica_place(), self._stored(database))

    def build(
        self,
        database: str,
        *,
        tables: Sequence[str] = (),
        columns: Sequence[str] = (),
        watcher: Watcher = unwatched,
    ) -> skyshard.replicate.ColumnImages:
        """Write the images that are missing, and remove stale ones; an interrupted build goes on. Without ``tables``,
        what comes to the database later has images, too.

        Args:
            tables: only these; all chunked ones if there are none.
            columns: only these, of the tables that have them; all that an image can hold if there are none.

        Raises:
            UserError: an unknown database, table or column.
            ClusterError: an ingest of it is under way (retryable), or a node's disk has not the room.
        """
        stored = self._stored(database)
        done = skyshard.replicate.build_images(
            self._wiring.replica_place(), stored, tables=tables, columns=columns, watcher=watcher
        )
        self._wiring.keep_records(stored)
        return done

    def drop(self, database: str) -> skyshard.replicate.ColumnImages:
        """Remove all images of a database; its rows stay as they are, and what comes later has no images.

        Raises:
            UserError: an unknown database.
            ClusterError: an ingest of it is under way (retryable).
        """
        stored = self._stored(database)
        done = skyshard.replicate.drop_images(self._wiring.replica_place(), stored)
        self._wiring.keep_records(stored)
        return done

    def _stored(self, database: str) -> str:
        return self._wiring.registry.published.names().fixed(database)
