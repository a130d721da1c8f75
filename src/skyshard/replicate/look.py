"""Looks at tables beside their data: counts, digests and indexes against what the registry has. Marks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.db.server_errors import UnknownDatabase
from skyshard.node.messages import DigestOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.node.shown_tables import shown_tables
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.replicate.scrub_batches import ScrubBatch
from skyshard.runtime.base import Handle


@dataclass(frozen=True, slots=True)
class Look:
    """The tables of one database."""

    database: str
    definitions: Mapping[str, tuple[Table, TableLayout]]

    def faults(self, loader: Handle[NodeLoader], batch: ScrubBatch) -> dict[KnownReplica, str]:
        """What is wrong with tables of a batch, as they are now.

        Raises:
            ClusterError, UserError: the node does not answer, or lets nobody in: that says nothing of its tables.
        """
        stored = stored_table(*self.definitions[batch.table], overlap=batch.is_overlap)
        try:
            digests = loader.call(NodeLoader.digests, DigestOrder(self.database, stored, batch.names)).result()
            indexes = loader.call(NodeLoader.faults, self.database, batch.shown).result()
        except UnknownDatabase as error:
            return dict.fromkeys(batch.known, error.what)
        faults = {}
        for one, found in zip(batch.known, digests, strict=True):
            if found.error:
                faults[one] = found.error
            elif found.digest != one.replica.digest:
                faults[one] = f"its rows have digest {found.digest}, not {one.replica.digest}"
            elif found.name in indexes:
                faults[one] = indexes[found.name]
        return faults | dict(_list_faults(batch, indexes, faults))

    def alone(self, loader: Handle[NodeLoader], known: KnownReplica) -> str:
        """What is wrong with one table, whatever lists show it; empty for nothing."""
        replica = known.replica
        batch = ScrubBatch(replica.table, replica.is_overlap, (known,), tuple(shown_tables([replica])))
        return self.faults(loader, batch).get(known, "")


def _list_faults(
    batch: ScrubBatch, indexes: Mapping[str, str], faults: Mapping[KnownReplica, str]
) -> Iterator[tuple[KnownReplica, str]]:
    """The last part of a chunk table stands for the list of its parts, which came with it.

    A list over parts that are bad themselves says nothing more.
    """
    by_name = {one.replica.name: one for one in batch.known}
    for shown in batch.shown:
        parts = [by_name[name] for name in shown.parts]
        if len(parts) > 1 and shown.name in indexes and not faults.keys() & set(parts):
            yield parts[-1], f"{shown.name}: {indexes[shown.name]}"
