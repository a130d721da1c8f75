"""What nodes really hold, held against the registry: tables that are gone, that moved, or that nobody knows.

Rules: nothing is dropped here. A recorded table that is not there becomes a bad replica; one that is on another node
than recorded counts there when it has the recorded rows; what no record accounts for is a stray, which is listed. Of
nodes that the cluster has no more, nothing stays but bad replicas of rows that no other node has.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from skyshard.backup.place import BackupPlace
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.folder_mark import MARK_DATABASE
from skyshard.db.connection import Connection
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.node.kept_records import RECORDS_DATABASE, held_records
from skyshard.node.messages import DigestOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.node.record_keeper import ask_nodes
from skyshard.node.shown_tables import dummy_tables, expected_tables
from skyshard.registry.backup.records import STATE
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.jobs.moved_chunks import MovedTables
from skyshard.registry.stored.lifecycle import NodeEvent, NodeState, ReplicaState
from skyshard.registry.stored.records import WHOLE

_OTHERS = (
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "test",
    SCRATCH_DATABASE,
    RECORDS_DATABASE,
    MARK_DATABASE,
)
_NAMES = (
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
    f"WHERE TABLE_SCHEMA NOT IN ({', '.join(['%s'] * len(_OTHERS))})"
)
_NUMBERED = re.compile(r"_[pg](\d+)$")
DIGESTED_AT_ONCE = 64


@dataclass(slots=True)
class FoundTables:
    """What differs, of one database, whose shown name it has; of one that the registry does not know, the stored."""

    database: str
    gone: dict[str, int] = field(default_factory=dict)
    """Node → recorded tables that are not there: bad replicas now."""
    moved: dict[str, int] = field(default_factory=dict)
    """Node → tables that were recorded for other nodes, and have the recorded rows: replicas now."""
    strays: dict[str, list[str]] = field(default_factory=dict)
    """Node → tables that no record accounts for."""

    @property
    def is_nothing(self) -> bool:
        return not (self.gone or self.moved or self.strays)


@dataclass(frozen=True, slots=True)
class SeenTables:
    """The names of tables on the nodes that answer: node → stored database → tables; and the nodes that do not."""

    by_node: Mapping[str, Mapping[str, frozenset[str]]]
    unanswered: Mapping[str, str]
    last_transaction: int
    """The highest number that a table's name or a record has."""
    generation: int
    """The highest that a record has."""
    records: Mapping[str, Mapping[tuple[str, int], int]]
    """Node → the records that it keeps: database and number, with their sequence."""

    def are_records_even(self, database: str) -> bool:
        """Whether every node has the same records of a database, and any."""
        held = [{number for name, number in one if name == database} for one in self.records.values()]
        return all(held) and all(one == held[0] for one in held)

    def since(self, generation: int) -> dict[str, list[int]]:
        """The databases of which nodes have records that are newer, with the newer transactions."""
        newer = [key for one in self.records.values() for key, sequence in one.items() if sequence > generation]
        return {
            database: sorted({number for name, number in newer if name == database and number != STATE})
            for database in sorted({name for name, _ in newer})
        }


def look_at_nodes(place: BackupPlace) -> SeenTables:
    """Ask every node for its tables, and for the numbers of its records."""
    found, failed = ask_nodes(place.nodes, _names)
    held, _ = ask_nodes({name: place.nodes[name] for name in found}, held_records)
    names = (name for tables in found.values() for listed in tables.values() for name in listed)
    numbers = [int(match.group(1)) for name in names if (match := _NUMBERED.search(name))]
    records = [(number, sequence) for one in held.values() for (_, number), sequence in one.items()]
    last = max((*numbers, *(number for number, _ in records)), default=0)
    newest = max((sequence for _, sequence in records), default=0)
    return SeenTables(found, failed, min(last, 2**31 - 2), newest, held)


def _names(admin: Connection) -> dict[str, frozenset[str]]:
    by_database: dict[str, set[str]] = defaultdict(set)
    for database, table in admin.rows(_NAMES, _OTHERS):
        by_database[str(database)].add(str(table))
    return {name: frozenset(tables) for name, tables in by_database.items()}


def reconcile(place: BackupPlace, site: Site, tables: SeenTables) -> list[FoundTables]:
    """Hold every database against the nodes; returns what differs. Done again, it finds what is still so."""
    names = place.registry.published.names()
    known = {stored: _reconciled(place, site, tables, stored, names.shown(stored)) for stored in names.all_stored}
    place.registry.moved_chunks.forget_places(place.nodes)
    unknown: dict[str, FoundTables] = {}
    for node, by_database in tables.by_node.items():
        for database in by_database.keys() - known.keys():
            one = unknown.setdefault(database, FoundTables(database))
            one.strays[node] = sorted(by_database[database])
    return [one for one in (*known.values(), *unknown.values()) if not one.is_nothing]


def _reconciled(place: BackupPlace, site: Site, tables: SeenTables, database: str, shown: str) -> FoundTables:
    registry, done = place.registry, FoundTables(shown)
    index = registry.replication
    on_node = {node: index.of_node(database, node) for node in tables.by_node}
    elsewhere = [one for node in tables.unanswered for one in index.of_node(database, node)]
    absent = {node: index.of_node(database, node) for node in sorted(index.nodes(database) - place.nodes.keys())}
    by_name: dict[str, KnownReplica] = {}
    for one in (*elsewhere, *(one for held in (*on_node.values(), *absent.values()) for one in held)):
        by_name.setdefault(one.replica.name, one)
    open_ones = registry.transactions.find_open(database)
    recorded = registry.replicas.all(database, transaction=open_ones.id) if open_ones else []
    definitions = registry.databases.table_definitions(database)
    dummies = dummy_tables((name, layout.role) for name, (_, layout) in definitions.items())
    retired = registry.transactions.retired_tables(database)
    gone: dict[str, list[KnownReplica]] = dict(absent)
    moved: dict[str, list[KnownReplica]] = {}
    for node, held in on_node.items():
        there = tables.by_node[node].get(database, frozenset())
        gone[node] = [one for one in held if one.replica.name not in there]
    missed = {one.replica.name for some in gone.values() for one in some}
    for node in on_node.keys() & site.nodes.keys():
        there = tables.by_node[node].get(database, frozenset())
        own = {one.replica.name for one in on_node[node]}
        candidates = candidates_of(by_name, there - own, retired.get(node, set()), missed)
        moved[node] = _with_their_rows(site, node, database, definitions, candidates)
    left = _note_moves(place, database, moved, gone)
    _have_hold(place, [node for node, came in moved.items() if came])
    done.gone |= place.registry.moved_chunks.forget_nodes(database, absent)
    for node, held in on_node.items():
        there = tables.by_node[node].get(database, frozenset())
        if lost := [one for one in gone[node] if one not in left]:
            registry.replication.mark(database, [], dict.fromkeys(lost, "no table of its name is on the node"))
            done.gone[node] = len(lost)
        came = moved.get(node, [])
        if came:
            done.moved[node] = len(came)
        of_node = [one.replica for one in (*held, *came)] + [one for one in recorded if one.node == node]
        expected = expected_tables(of_node) | dummies | retired.get(node, set())
        if strays := sorted(there - expected):
            done.strays[node] = strays
    return done


def candidates_of(
    by_name: Mapping[str, KnownReplica], there: Set[str], retired: Set[str], missed: Set[str]
) -> list[KnownReplica]:
    """The tables on a node that may be what the registry has of others. What moved away from it, and is still there for
    the time of grace, is none, unless it is missed elsewhere: then it came back, and regular tables with it."""
    known = [by_name[name] for name in sorted(there) if name in by_name]
    has_chunks = any(one.replica.name not in retired - missed and one.replica.chunk != WHOLE for one in known)
    return [
        one for one in known if one.replica.name not in retired - missed or (has_chunks and one.replica.chunk == WHOLE)
    ]


def _have_hold(place: BackupPlace, nodes: Sequence[str]) -> None:
    """Nodes on which chunks were found are none that are drained: ingests come to them, with no new chunks."""
    for node in nodes:
        if place.registry.nodes.state(node) is NodeState.DRAINED:
            place.registry.nodes.set(node, NodeEvent.READ_ONLY)


def _note_moves(
    place: BackupPlace,
    database: str,
    moved: Mapping[str, Sequence[KnownReplica]],
    gone: Mapping[str, Sequence[KnownReplica]],
) -> set[KnownReplica]:
    """Show tables where they were found; returns the replicas whose place they took: of chunks that are elsewhere now.

    The chunk is to be there from now on, too: what comes to it later has to lie beside what is there.
    """
    came = [one for some in moved.values() for one in some]
    if not came:
        return set()
    nodes_now: dict[int, list[str]] = defaultdict(list)
    for one in came:
        if one.replica.node not in nodes_now[one.replica.chunk]:
            nodes_now[one.replica.chunk].append(one.replica.node)
    nodes_before: dict[int, list[str]] = defaultdict(list)
    left = {one for some in gone.values() for one in some if one.replica.chunk in nodes_now and one.replica.chunk >= 0}
    for one in sorted(left, key=lambda one: one.replica.node):
        if one.replica.node not in nodes_before[one.replica.chunk]:
            nodes_before[one.replica.chunk].append(one.replica.node)
    layout = place.registry.databases.layout(database)
    family = layout.striping.family if layout else ""
    moves = place.registry.moved_chunks
    placed = {
        chunk: placed_now(nodes, nodes_before[chunk], nodes_now[chunk])
        for chunk, nodes in moves.placed(family, [chunk for chunk in nodes_now if chunk >= 0]).items()
    }
    moves.note_found(family, placed, [MovedTables(database, came, sorted(left, key=repr), {})])
    return left


def placed_now(placed: Sequence[str], left: Sequence[str], came: Sequence[str]) -> tuple[str, ...]:
    """The nodes of a chunk by rank, with those that it came to in the places of those that it left.

    >>> placed_now(["a", "b"], ["a"], ["c"]), placed_now(["a", "b"], [], ["c"]), placed_now(["a"], ["a"], ["a", "b"])
    (('c', 'b'), ('a', 'b'), ('b',))
    """
    new = [node for node in came if node not in placed]
    return tuple(new.pop(0) if node in left and new else node for node in placed)


def _with_their_rows(
    site: Site,
    node: str,
    database: str,
    definitions: Mapping[str, tuple[Table, TableLayout]],
    candidates: Sequence[KnownReplica],
) -> list[KnownReplica]:
    """Those of the tables on a node that have the rows that the registry has of others of their names, as there."""
    kinds: dict[tuple[str, bool], list[KnownReplica]] = defaultdict(list)
    for one in candidates:
        kinds[one.replica.table, one.replica.is_overlap].append(one)
    right: list[KnownReplica] = []
    for (table, is_overlap), some in kinds.items():
        stored = stored_table(*definitions[table], overlap=is_overlap)
        for start in range(0, len(some), DIGESTED_AT_ONCE):
            batch = some[start : start + DIGESTED_AT_ONCE]
            order = DigestOrder(database, stored, tuple(one.replica.name for one in batch))
            digests = answer(node, site.nodes[node].call(NodeLoader.digests, order))
            right += [one for one, has in zip(batch, digests, strict=True) if has.digest == one.replica.digest]
    return [replace(one, replica=replace(one.replica, node=node, state=ReplicaState.GOOD)) for one in right]
