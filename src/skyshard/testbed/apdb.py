"""What is done about mutable databases: part of the testbed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skyshard.apdb.beside.upkeep import Upkeep, UpkeepDone, run_upkeep
from skyshard.apdb.mutable.create_mutable import create_mutable
from skyshard.apdb.mutable.months import drop_month
from skyshard.apdb.mutable.mutable_database import MutableDatabase, open_mutable
from skyshard.apdb.mutable.sizes import ApdbStatus, status_of
from skyshard.apdb.replica.publish_chunks import Published, publish_chunks
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, read_layout
from skyshard.host.shipped_data import data_file
from skyshard.wiring import Wiring


class Apdb:
    """The mutable databases of a running cluster: tables of an alert production database, which visits change."""

    def __init__(self, wiring: Wiring, ingest: Callable[[Path, str], None]) -> None:
        self._wiring = wiring
        self._ingest = ingest

    def create(self, name: str, layout: Layout | None = None) -> MutableDatabase:
        """Make one, or go on with making it.

        Args:
            layout: a mutable one; the one that ships (``ingest/layouts/apdb-85-48.yaml``) if None.

        Raises:
            UserError: the name is taken, the layout is no mutable one, or a node lacks the engine or the account.
            ClusterError: a node does not answer; run it again to go on.
        """
        chosen = layout or read_layout(data_file("ingest", "layouts", "apdb-85-48.yaml"))
        return create_mutable(self._wiring.cluster, self._wiring.registry, name, chosen)

    def open(self, name: str) -> MutableDatabase:
        """One by its name, for those who write to it. UserError: there is none, or it is not mutable."""
        return open_mutable(self._wiring.cluster, name, self._wiring.registry)

    def status(self, name: str) -> ApdbStatus:
        """Rows, bytes and months of its tables on each node, and its stores. Errors as of ``open``."""
        return status_of(self.open(name))

    def publish(
        self,
        name: str,
        into: str,
        *,
        at_once: int = 1,
        is_all: bool = False,
        report: Callable[[Published], None] = lambda _: None,
    ) -> list[Published]:
        """Copy replica chunks in order into a published database, each exactly once; run again, it goes on.

        Args:
            into: its name; made with the first chunk.
            at_once: chunks in one ingest transaction.
            is_all: also the chunk of the newest store, which may still get more.
            report: is told of each chunk.

        Raises:
            UserError: an earlier run published into another database.
            ClusterError: a node does not answer, or another process publishes.
        """
        return publish_chunks(self.open(name), into, self._ingest, at_once=at_once, is_all=is_all, report=report)

    def upkeep(
        self, name: str, action: Upkeep | str, *, now: float | None = None, is_rehearsed: bool = False
    ) -> UpkeepDone:
        """Do to it what is done while visits run: scans, daytime changes, dropped months, compaction.

        Args:
            now: the survey's time, MJD TAI; a moment after the newest store if None.
            is_rehearsed: changes of rows are made and rolled back, so that nobody sees them.

        Raises:
            UserError: no such action, or one that cannot be rehearsed.
            ClusterError: a node does not answer.
        """
        database = self.open(name)
        if action not in list(Upkeep):
            raise UserError(f"there is no action '{action}'", remedy=f"there are {', '.join(Upkeep)}")
        moment = now if now is not None else (status_of(database).newest or 0.0) + 1e-6
        return run_upkeep(database, Upkeep(action), moment, is_rehearsed=is_rehearsed)

    def drop_month(self, name: str, month: int, *, force: bool = False) -> int:
        """Drop a month of sources and forced sources on every node; returns the rows that went.

        Raises:
            UserError: visits still read it, or it holds rows that are not published where some are.
        """
        return drop_month(self.open(name), month, force=force)
