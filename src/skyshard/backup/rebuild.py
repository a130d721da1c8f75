"""Makes the registry anew of the records that nodes keep, where there is no dump of it.

Rules: records are read from every node that answers; of each the newest counts. The registry's rows are written in one
transaction, then held against the tables that nodes have; director indexes are made of the rows. Killed anywhere, the
same command goes on.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field

from skyshard.backup.brought_back import BroughtBack, bring_back
from skyshard.backup.found_tables import SeenTables, look_at_nodes
from skyshard.backup.place import BackupPlace
from skyshard.backup.unfinished import noted, require_nothing_known
from skyshard.backup.whole_registry import replaced_rows
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.host.disk_space import writing
from skyshard.node.kept_records import read_record
from skyshard.node.record_keeper import opened
from skyshard.registry.backup.records import KeptRecord
from skyshard.registry.backup.registry_rows import KEPT, OF_NO_DATABASE, insert_batch
from skyshard.registry.backup.replayed_records import newest, replay

STAGE = "rebuild registry"
_WHAT = "records of nodes"


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    rows: dict[str, int] = field(default_factory=dict)
    records: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    """Databases that records do not tell enough of, and why."""
    after: BroughtBack = field(default_factory=BroughtBack)
    unverified: int = 0
    """Replicas that count again once they were read: records do not say what queries found bad."""
    elapsed_s: float = 0.0


def rebuild_registry(place: BackupPlace, *, force: bool = False, watcher: Watcher = unwatched) -> Rebuilt:
    """Have the registry be what the nodes' records say, and hold it against what they hold.

    Args:
        force: also where the registry knows databases, which are forgotten.

    Raises:
        UserError: no node has a record; a registry that knows databases.
        ClusterError: no node answers; an ingest is under way (retryable).
    """
    started, done = time.monotonic(), Rebuilt()
    require_nothing_known(place.registry.published.names().all_stored, place.folder, _WHAT, force=force)
    tables = look_at_nodes(place)
    if not tables.by_node:
        why = next(iter(tables.unanswered.values()), "it has none")
        raise ClusterError(f"no node of {place.folder} answers: {why}", remedy="start the nodes", retryable=True)
    records = _read(place, tables, watcher)
    if not records:
        raise UserError(
            f"the nodes of {place.folder} keep no records, from which a registry could be made",
            remedy="restore a dump, or ingest again: nodes keep records of what this release ingests",
        )
    with writing(place.folder), noted(place.folder, _WHAT):
        replayed = replay(records)
        done.records, done.left_out = len(records), replayed.left_out
        with replaced_rows(
            place, last_transaction=tables.last_transaction, generation=tables.generation, but=OF_NO_DATABASE
        ) as admin:
            for table in KEPT:
                for rows in replayed.rows.get(table.name, []):
                    insert_batch(admin, table, rows)
                    done.rows[table.name] = done.rows.get(table.name, 0) + len(rows)
        done.after = bring_back(place, tables, watcher)
        done.unverified = place.registry.replication.unverified()
    done.elapsed_s = time.monotonic() - started
    return done


def _read(place: BackupPlace, tables: SeenTables, watcher: Watcher) -> dict[tuple[str, int], KeptRecord]:
    """The newest whole record of each database and number."""
    started = time.monotonic()
    holders: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for node, held in tables.records.items():
        for key, sequence in held.items():
            holders[key].append((sequence, node))
    found: list[KeptRecord] = []
    with ExitStack() as stack:
        sessions = {node: stack.enter_context(opened(place.nodes[node])) for node in tables.records}
        for number, (key, those) in enumerate(sorted(holders.items()), 1):
            whole = (read_record(sessions[node], *key) for _, node in sorted(those, reverse=True))
            if record := next((one for one in whole if one is not None), None):
                found.append(record)
            watcher(Progress(STAGE, number, len(holders), elapsed_s=time.monotonic() - started))
    return newest(found)
