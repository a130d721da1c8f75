"""Takes rows out of a database that no node has any more and no input brings again.

A transaction like any other: every chunk table that lost rows is made whole of the parts that are left; overlap tables
are made again from the own rows around, without copies of rows that are gone; the keys of directors are written anew;
chunks whose dependents lost their director are noted as those of strays. One registry transaction shows it all, with
what was dropped, whose contributions count no more. Killed on the way, it is taken back by the next run, or ingest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.lazy import locked_property
from skyshard.catalog.ddl import create_table, part_suffix, physical_name, stored_table
from skyshard.catalog.layout import Role, split_director
from skyshard.catalog.schema import CHUNK_COLUMN, FILE_COLUMN, SUB_CHUNK_COLUMN
from skyshard.ingest.on_nodes.bounded_futures import answer, drain
from skyshard.ingest.on_nodes.build_orders import EMPTY, Target, built_replicas, in_orders, index_build
from skyshard.ingest.on_nodes.earlier_rows import EarlierRows
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.order_sender import OrderSender
from skyshard.ingest.on_nodes.part_tables import outdated_tables, right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys
from skyshard.ingest.partition.kept_keys import keys_elsewhere
from skyshard.ingest.partition.key_files import WHOLE_MARK
from skyshard.ingest.partition.stored_keys import save_stored_keys
from skyshard.ingest.plan.ingest_plan import loader_of
from skyshard.ingest.transaction.ending import settle
from skyshard.ingest.transaction.recovery import sweep, sweep_kept
from skyshard.ingest.upkeep.compaction import require_nothing_open
from skyshard.ingest.upkeep.overlap_again import OverlapAgain, chunks_around, lost_chunks, overlap_again
from skyshard.ingest.upkeep.replay_origins import Origins
from skyshard.log.events import TRANSACTION_BEGUN, TRANSACTION_PUBLISHED
from skyshard.node.messages import BuildOrder, TableBuild
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import ContributionState, Event, ReplicaState
from skyshard.registry.stored.records import (
    DROPPED_ROWS,
    Contribution,
    ContributionKey,
    IndexPart,
    OpenTransaction,
    Replica,
)
from skyshard.registry.stored.stray_rows import Stray
from skyshard.registry.transactions.transaction_report import DroppedTable, TransactionReport
from skyshard.rowimage.digest import RowDigest

STAYED = "what stayed when rows were dropped"
"""The part of a contribution that stands for copies that are left."""
RowsOf = tuple[str, int, bool, int]
"""Table, chunk, overlap, transaction: the rows of one part of a chunk table."""


@dataclass(slots=True)
class DroppedRows:
    """What was dropped of a database; transaction 0 means that nothing was lost any more."""

    database: str
    transaction: int = 0
    tables: list[DroppedTable] = field(default_factory=list)
    overlap_tables: int = 0
    """Overlap tables that were made again from the rows around."""

    @property
    def rows(self) -> int:
        """Copies in overlap tables not counted."""
        return sum(one.rows for one in self.tables if not one.is_overlap)


def drop_lost(site: Site, database: str, lost: Iterable[RowsOf]) -> DroppedRows:
    """Take out rows that a repair has found lost; what a node has again meanwhile stays.

    Args:
        database: its stored name.

    Raises:
        UserError: an unfinished ingest.
        ClusterError: a node is down, or something else is to be repaired first; nothing is changed then.
    """
    registry = site.registry
    called = registry.published.stored_catalog(database).called
    with registry.ingesting(database), site.held(database):
        require_nothing_open(site, database, called)
        work = _Drop(site, database, called, frozenset(lost))
        done = work.run() if work.is_needed else DroppedRows(called)
        site.keep_records(database, over_later=True)
        sweep(site, database, done.transaction, is_over=True)
        site.clear_staging(database)
    return done


class _Drop:
    """One run: which chunk tables are made whole of what, the making, the switch."""

    def __init__(self, site: Site, database: str, called: str, lost: frozenset[RowsOf]) -> None:
        registry = site.registry
        layout = registry.databases.layout(database)
        assert layout is not None
        self._site, self._database, self._called, self._layout = site, database, called, layout
        self._definitions = registry.databases.table_definitions(database)
        self._parts: dict[Target, dict[int, list[KnownReplica]]] = defaultdict(lambda: defaultdict(list))
        for node in site.nodes:
            for one in registry.replication.of_node(database, node):
                self._parts[one.replica.target][one.transaction].append(one)
        self._lost = self._still_lost(lost)
        contributions = registry.contributions.all(database)
        self._origins = Origins(contributions)
        self._loaded: dict[Target, list[dict[str, Any]]] = defaultdict(list)  # what was contributed, and stands
        for row in contributions:
            if row["state"] == ContributionState.LOADED:
                self._loaded[str(row["table"]), int(row["chunk"]), bool(row["is_overlap"])].append(row)

    @property
    def is_needed(self) -> bool:
        return bool(self._lost)

    def run(self) -> DroppedRows:
        site, database = self._site, self._database
        self._require_rest_good()
        mine = site.registry.transactions.begin(database, self._layout, DROPPED_ROWS, DROPPED_ROWS, site.started_s())
        site.events.tell(
            TRANSACTION_BEGUN, transaction=mine.id, database=self._called, slices=0,
            tables=", ".join(sorted({target[0] for target in self._lost})),
        )  # fmt: skip
        try:
            return self._transact(mine)
        except BaseException as error:
            settle(site, database, mine, error)
            raise

    def _still_lost(self, lost: frozenset[RowsOf]) -> dict[Target, set[int]]:
        """Chunk table → transactions whose rows no node has."""
        found: dict[Target, set[int]] = defaultdict(set)
        for table, chunk, is_overlap, transaction in lost:
            held = self._parts.get((table, chunk, is_overlap), {}).get(transaction, ())
            if held and all(one.replica.state is not ReplicaState.GOOD for one in held):
                found[table, chunk, is_overlap].add(transaction)
        return dict(found)

    def _left(self, target: Target) -> list[Replica]:
        """The parts of a chunk table that are not lost, oldest first, on all nodes."""
        parts = self._parts[target]
        return [
            one.replica for number in sorted(parts) if number not in self._lost.get(target, ()) for one in parts[number]
        ]

    def _overlap_chunks(self, director: str) -> set[int]:
        """The chunks whose overlap table of a director is lost, or may have copies of rows that are."""
        own = lost_chunks(self._lost, director, is_overlap=False)
        near = chunks_around(self._layout.striping, own)
        there = {chunk for table, chunk, is_overlap in self._parts if is_overlap and table == director}
        return (near | lost_chunks(self._lost, director, is_overlap=True)) & there

    def _directors(self) -> list[str]:
        """Those with lost rows, own or copies."""
        names = sorted({table for table, _, _ in self._lost})
        return [name for name in names if self._definitions[name][1].role is Role.DIRECTOR]

    def _require_rest_good(self) -> None:
        """What is left must be good on each node: else a repair comes first.

        Raises:
            ClusterError: names the first table that is not.
        """
        targets = set(self._lost)
        for director in self._directors():
            near = self._overlap_chunks(director)
            targets |= {(director, chunk, False) for chunk in chunks_around(self._layout.striping, near)}
        for target in sorted(targets & self._parts.keys()):
            bad = next((one for one in self._left(target) if one.state is not ReplicaState.GOOD), None)
            if bad is not None:
                raise ClusterError(
                    f"'{self._called}': {bad.name} on {bad.node} is {bad.state}, and has rows that are not lost",
                    remedy="run skyshard replicas repair first",
                )

    # making

    def _transact(self, mine: OpenTransaction) -> DroppedRows:
        site, database = self._site, self._database
        site.prepare_hosts()
        site.prepare_database(database)
        sweep(site, database, mine.id)
        staging = site.folders.staging / database / str(mine.id)
        staging.mkdir(parents=True, exist_ok=True)
        overlaps = {
            director: overlap_again(
                site, database, self._definitions[director], self._layout.striping, self._own_left(director),
                self._overlap_chunks(director), staging,
            )
            for director in self._directors()
        }  # fmt: skip
        made = self._make_tables(mine.id, overlaps)
        indexes = [self._make_index(mine.id, director, staging) for director in self._indexed()]
        site.registry.contributions.add_strays(mine.id, self._followers())
        gone, left = self._contributions(mine.id, overlaps)
        done = DroppedRows(self._called, mine.id, list(self._dropped()), sum(map(len, self._again(overlaps).values())))
        site.write_logs(database, self._layout.engine)
        site.settle(database)
        report = TransactionReport(dropped=tuple(done.tables))
        names = outdated_tables(site, database, made, indexes)
        site.registry.transactions.move(mine, Event.COMMIT)
        site.registry.transactions.publish_dropped(database, mine, report, names, gone, left)
        sweep_kept(site, database)
        site.events.tell(TRANSACTION_PUBLISHED, transaction=mine.id, database=self._called, rows=0)
        return done

    def _own_left(self, director: str) -> list[Replica]:
        targets = [target for target in self._parts if target[0] == director and not target[2]]
        return [replica for target in targets for replica in self._left(target)]

    def _again(self, overlaps: Mapping[str, OverlapAgain]) -> dict[str, set[int]]:
        """The overlap tables that are made: those that are lost, and those that have other rows than before."""
        found: dict[str, set[int]] = {}
        for director, again in overlaps.items():
            lost = lost_chunks(self._lost, director, is_overlap=True)
            found[director] = {
                chunk
                for chunk in self._overlap_chunks(director)
                if chunk in lost or again.of(chunk)[1] != self._digest((director, chunk, True))
            }
        return found

    def _digest(self, target: Target) -> RowDigest:
        """Of all rows of a chunk table, lost ones too."""
        return sum((RowDigest.parse(one[0].replica.digest) for one in self._parts[target].values()), EMPTY)

    def _make_tables(self, transaction: int, overlaps: Mapping[str, OverlapAgain]) -> list[Replica]:
        """Whole tables in place of those that lost rows, on every node that held them; recorded."""
        site, queues = self._site, defaultdict[str, list[BuildOrder]](list)
        again = self._again(overlaps)
        targets = {*self._lost, *((name, chunk, True) for name, chunks in again.items() for chunk in chunks)}
        for (table, is_overlap), chunks in _by_kind(targets).items():
            stored = stored_table(*self._definitions[table], overlap=is_overlap)
            loader = loader_of(stored)[0]
            for node in site.nodes:
                builds = [
                    self._build(transaction, (table, chunk, is_overlap), overlaps)
                    for chunk in sorted(chunks)
                    if self._is_on(node, (table, chunk, is_overlap))
                ]
                queues[node] += in_orders(self._database, stored, loader, builds, self._layout.engine)
        made: list[Replica] = []
        with closing(OrderSender(site, Path(self._database) / str(transaction))) as sender:
            for node, order, tables in drain(queues, sender.build):
                new = built_replicas(node, order, tables)
                site.registry.replicas.add(self._database, transaction, new)
                made += new
        return made

    def _is_on(self, node: str, target: Target) -> bool:
        return any(one.replica.node == node for part in self._parts[target].values() for one in part)

    def _build(self, transaction: int, target: Target, overlaps: Mapping[str, OverlapAgain]) -> TableBuild:
        table, chunk, is_overlap = target
        stored = stored_table(*self._definitions[table], overlap=is_overlap)
        name = physical_name(table, chunk, is_overlap=is_overlap, suffix=part_suffix(transaction))
        create = create_table(stored, name, engine=self._layout.table_engine, unique=False)
        if is_overlap:
            slices, total = overlaps[table].of(chunk)
            return TableBuild(name, table, chunk, is_overlap, transaction, create, slices, total.rows, str(total))
        left = {replica.name: RowDigest.parse(replica.digest) for replica in self._left(target)}
        total = sum(left.values(), EMPTY)
        return TableBuild(name, table, chunk, is_overlap, transaction, create, (), total.rows, str(total), tuple(left))

    # directors

    def _indexed(self) -> list[str]:
        """Directors with keys, own rows of which are lost."""
        return [
            name
            for name in self._directors()
            if self._definitions[name][1].key and lost_chunks(self._lost, name, is_overlap=False)
        ]

    def _make_index(self, transaction: int, director: str, staging: Path) -> IndexPart:
        """All keys that stay: as they were of other chunks, read back from the nodes of those that lost rows."""
        site, database = self._site, self._database
        table, layout = self._definitions[director]
        stored, kind = stored_table(table, layout), KeyKind.of(table, layout)
        chunks = lost_chunks(self._lost, director, is_overlap=False)
        known = EarlierRows(site.registry, site.folders.keys, database).keys(director)
        files = keys_elsewhere(staging / f"kept-{director}", known, chunks, kind)
        left = [replica for chunk in sorted(chunks) for replica in self._left((director, chunk, False))]
        for replica in right_of_each(site, database, director, stored, left):
            columns = (layout.key, CHUNK_COLUMN, SUB_CHUNK_COLUMN)
            rows = read_columns(site, database, stored, replica, columns)
            files.append(save_stored_keys(staging / f"left-{replica.name}.npy", rows, kind))
        folder = site.folders.keys / database / director / str(transaction)
        build_keys(folder, files, director, [file.name for file in files], DirectorKeys([]), kind)
        (folder / WHOLE_MARK).touch()
        order = index_build(database, director, kind, transaction, folder, staging)
        (built,) = answer("czar", site.czar_loader.call(NodeLoader.build, order))
        part = IndexPart(director, transaction, built.rows)
        site.registry.index_parts.add(database, transaction, part)
        return part

    def _followers(self) -> Iterator[Stray]:
        """Chunks of tables, of any database, whose director may be gone: queries look there whatever a key says."""
        registry = self._site.registry
        gone = {(self._database, name): lost_chunks(self._lost, name, is_overlap=False) for name in self._directors()}
        for database in registry.published.names().published_stored:
            catalog = registry.published.stored_catalog(database)
            for name, entry in catalog.tables.items():
                layout = entry.layout
                for director in filter(None, (layout.director, layout.director2)):
                    chunks = gone.get(split_director(director, database), set())
                    yield from ((database, name, chunk) for chunk in chunks if chunk in entry.chunks)

    # what is said of it

    def _dropped(self) -> Iterator[DroppedTable]:
        for (table, chunk, is_overlap), transactions in sorted(self._lost.items()):
            for number in sorted(transactions):
                rows = self._parts[table, chunk, is_overlap][number][0].replica.rows
                sources = self._site.registry.contributions.parts_of(self._database, number, table, chunk, is_overlap)
                yield DroppedTable(
                    table=table, chunk=chunk, is_overlap=is_overlap, rows=rows, transaction=number,
                    sources=tuple(sources),
                )  # fmt: skip

    def _contributions(
        self, transaction: int, overlaps: Mapping[str, OverlapAgain]
    ) -> tuple[list[ContributionKey], dict[ContributionKey, RowDigest]]:
        """The contributions that count no more, and those of which less is left."""
        gone: list[ContributionKey] = []
        left: dict[ContributionKey, RowDigest] = {}
        for target, transactions in self._lost.items():
            for number in transactions if not target[2] else ():
                gone += self._brought(self._parts[target][number][0])
        for director, chunks in self._again(overlaps).items():
            for chunk in chunks:
                again = overlaps[director]
                if again.of(chunk)[1] == self._digest((director, chunk, True)):
                    continue
                if self._definitions[director][0].find(FILE_COLUMN):
                    left |= self._left_of_files((director, chunk, True), again.by_file.get(chunk, {}))
                else:
                    gone += self._collapsed(transaction, (director, chunk, True), again.of(chunk)[1])
        return gone, left

    def _brought(self, known: KnownReplica) -> list[ContributionKey]:
        brought = self._origins.of(known)
        if not brought and known.replica.rows:
            raise UserError(
                f"'{self._called}': the registry does not say which input brought the rows of {known.replica.name}",
                remedy="run skyshard verify, and tell us",
            )
        return [ContributionKey(one.transaction, *one.target, one.part_digest) for one in brought]

    @locked_property
    def _file_numbers(self) -> Mapping[str, Mapping[tuple[int, str], int]]:
        """Table → transaction and path of each of its input files → its number."""
        found: dict[str, dict[tuple[int, str], int]] = defaultdict(dict)
        for file in self._site.registry.input_files.all(self._database):
            found[file.table][file.transaction, file.path] = file.number
        return found

    def _left_of_files(self, target: Target, by_file: Mapping[int, RowDigest]) -> dict[ContributionKey, RowDigest]:
        """Of contributions to a table with provenance, what is left: all slices of a file count as its first one."""
        rest, numbers = dict(by_file), self._file_numbers[target[0]]
        return {
            ContributionKey(int(row["transaction_id"]), *target, str(row["part_digest"])): rest.pop(
                numbers.get((int(row["transaction_id"]), str(row["part"])), 0), EMPTY
            )
            for row in self._loaded.get(target, ())
        }

    def _collapsed(self, transaction: int, target: Target, left: RowDigest) -> list[ContributionKey]:
        """Nothing says whose rows went: what is left counts as this transaction's, and what was brought no more."""
        table, chunk, is_overlap = target
        stayed = Contribution(table, STAYED, f"stayed {transaction}", chunk, is_overlap, left.rows, str(left))
        self._site.registry.contributions.add(transaction, [stayed])
        return [
            ContributionKey(int(row["transaction_id"]), *target, str(row["part_digest"]))
            for row in self._loaded.get(target, ())
        ]


def _by_kind(targets: Iterable[Target]) -> dict[tuple[str, bool], set[int]]:
    found: dict[tuple[str, bool], set[int]] = defaultdict(set)
    for table, chunk, is_overlap in targets:
        found[table, is_overlap].add(chunk)
    return found
