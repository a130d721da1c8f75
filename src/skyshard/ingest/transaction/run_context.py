"""What the stages of one transaction share; nothing in it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.progress import Watcher
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.log.event_log import EventLog


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run of one transaction."""

    plan: IngestPlan
    """What is new, in the order of its ingest."""
    site: Site
    transaction: int
    replayed: Mapping[str, int]
    """Table → input slices that earlier transactions took in."""
    watch: Watcher

    @property
    def database(self) -> str:
        return self.plan.database

    @property
    def staging(self) -> Path:
        """The folder of the transaction's bundles on this host."""
        return self.staging_on("")

    @property
    def folder(self) -> Path:
        """The transaction's folder, below the staging folder of each host."""
        return Path(self.plan.database) / str(self.transaction)

    def staging_on(self, host: str) -> Path:
        """The folder of the transaction's bundles on a host (``Site.host_of``)."""
        return self.site.staging_on(host) / self.folder

    @property
    def events(self) -> EventLog:
        return self.site.events.about(transaction=self.transaction, database=self.plan.called)
