"""Moves chunks of one family, a few at a time: makes them where they are to be, checks them, then shows them there.

Rules: the databases of the family are held meanwhile, so that no ingest or compaction changes their tables. A chunk has
come when all of its tables were built, counted and digested as the registry has them, and are on the disk. One SQL
transaction then shows it there, and no longer where it was; what was there stays for a time of grace. No row is ever
good on fewer nodes than before, or than its database asks for. What an interrupted move has made is looked at, and kept
if it is right.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from skyshard.basics.errors import ClusterError, NoRoom, SkyshardError, UserError
from skyshard.log.events import CHUNKS_CAME, CHUNKS_LEFT
from skyshard.node.shown_tables import expected_tables
from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.jobs.moved_chunks import ChunksStay, MovedTables
from skyshard.registry.stored.job_rows import EndedStep, JobStep, OpenJob, StepState
from skyshard.registry.stored.lifecycle import DatabaseState, ReplicaState
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.replicate.look import Look
from skyshard.replicate.place import ReplicaPlace
from skyshard.replicate.placed_chunks import level_of
from skyshard.replicate.shared_rate import SharedRate
from skyshard.replicate.tables_on_node import TablesOnNode

SameRows = tuple[str, str, bool, int]
"""Database, table, overlap, transaction: the rows of one part of a chunk."""


class Unmoved(ClusterError):
    """A chunk that stays where it is: the others are gone on with."""


@dataclass(slots=True)
class ChunkWork:
    """One chunk: what is known of it, what is to be made where, and what comes of it."""

    step: JobStep
    known: dict[SameRows, list[KnownReplica]] = field(default_factory=lambda: defaultdict(list))
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Database → the nodes that are to have its tables."""
    made: list[tuple[str, KnownReplica]] = field(default_factory=list)
    """Database and replica."""
    copied_bytes: int = 0
    error: str = ""

    def missing(self, node: str) -> Iterator[tuple[SameRows, list[KnownReplica]]]:
        """The rows that a node is to have and has not."""
        for rows, replicas in self.known.items():
            if node in self.wanted[rows[0]] and all(one.replica.node != node for one in replicas):
                yield rows, replicas

    def leaving(self) -> Iterator[tuple[str, KnownReplica]]:
        """The replicas on nodes that are not to have them any more."""
        for (database, *_), replicas in self.known.items():
            for one in replicas:
                if one.replica.node not in self.wanted[database]:
                    yield database, one


def _rows(one: KnownReplica) -> tuple[str, bool, int]:
    return one.replica.table, one.replica.is_overlap, one.transaction


class FamilyMover:
    """Moves chunks of one family, all of whose databases are held."""

    def __init__(
        self,
        place: ReplicaPlace,
        mine: OpenJob,
        databases: Iterable[DatabaseRow],
        rate: SharedRate,
        answering: Collection[str],
        given: Counter[str],
    ) -> None:
        self._place = place
        self._mine = mine
        self._rows = [row for row in databases if row.state is DatabaseState.PUBLISHED]
        self._rate = rate
        self._answering = answering
        self._given = given
        self._lock = threading.Lock()

    def move(self, steps: Sequence[JobStep], placing: Callable[[], AbstractContextManager[None]]) -> list[EndedStep]:
        """Take steps, each of another chunk of the family; what became of them is in the registry, too.

        Args:
            placing: holds the placements of the family, and makes sure that all that is held still is.
        """
        works = list(self._works(steps))
        by_node: dict[str, list[ChunkWork]] = defaultdict(list)
        for work in works:
            for node in sorted({node for nodes in work.wanted.values() for node in nodes}):
                if any(True for _ in work.missing(node)):
                    by_node[node].append(work)
        with ThreadPoolExecutor(max(1, len(by_node)), "move") as pool:
            list(pool.map(self._make, by_node, by_node.values()))
        return self._shown(steps[0].family, works, placing)

    def _works(self, steps: Sequence[JobStep]) -> Iterator[ChunkWork]:
        """The chunks with what is known of them."""
        moved = self._place.registry.moved_chunks
        works = {step.chunk: ChunkWork(step) for step in steps}
        for row in self._rows:
            tables = list(self._place.registry.databases.table_definitions(row.stored))
            for one in moved.of_chunks(row.stored, tables, works):
                works[one.replica.chunk].known[row.stored, *_rows(one)].append(one)
            for work in works.values():
                is_whole = work.step.chunk == WHOLE
                work.wanted[row.stored] = work.step.after if is_whole else work.step.after[: level_of(row)]
                if is_whole:  # another node may have got them since
                    mine = [known for rows, known in work.known.items() if rows[0] == row.stored]
                    there = {one.replica.node for known in mine for one in known}
                    work.wanted[row.stored] += tuple(sorted(there - {*work.step.before, *work.step.after}))
        yield from works.values()

    def _make(self, node: str, works: Sequence[ChunkWork]) -> None:
        """What a node is to get, one database after the other; a node that is full or away leaves the rest undone."""
        for row in self._rows:
            mine = [work for work in works if any(rows[0] == row.stored for rows, _ in work.missing(node))]
            mine = [work for work in mine if not work.error]
            if not mine:
                continue
            try:
                if node not in self._answering:
                    raise ClusterError(f"node '{node}' does not answer", retryable=True)
                tables = TablesOnNode(self._place, row.stored, self._place.node(node), self._rate)
                with tables.held():
                    there = tables.prepare()
                    for work in mine:
                        self._bring(tables, there, work)
                    tables.settle()
            except (ClusterError, UserError) as error:
                for work in mine:
                    work.error = work.error or str(error)

    def _bring(self, tables: TablesOnNode, there: Collection[str], work: ChunkWork) -> None:
        """All tables of a chunk of one database; raises where the node itself can take no more."""
        node, database = tables.node.name, tables.database
        look = Look(database, tables.definitions)
        parts: dict[tuple[str, int, bool], set[int]] = defaultdict(set)
        try:
            for rows, replicas in list(work.missing(node)):
                if rows[0] != database:
                    continue
                wanted = replace(replicas[0].replica, node=node, state=ReplicaState.GOOD)
                known = KnownReplica(wanted, replicas[0].transaction, 0.0)
                if wanted.name not in there or look.alone(tables.node.loader, known):
                    known = replace(known, replica=self._copied(tables, work, wanted, replicas))
                with self._lock:
                    work.made.append((database, known))
                parts[wanted.target].add(wanted.part)
            for target in parts:
                numbers = {
                    known[0].replica.part
                    for rows, known in work.known.items()
                    if rows[0] == database and known[0].replica.target == target
                }
                example = Replica(*target, node, 0, 0, "")
                tables.show_parts(example, numbers)
        except NoRoom:
            raise
        except (ClusterError, UserError) as error:
            if not self._place.answers(node):
                raise
            work.error = work.error or str(error)

    def _copied(
        self, tables: TablesOnNode, work: ChunkWork, wanted: Replica, replicas: Sequence[KnownReplica]
    ) -> Replica:  # fmt: skip
        """A table of a chunk, from the good replica on the node that has given the fewest bytes so far."""
        sources = [
            one.replica.node
            for one in replicas
            if one.replica.state is ReplicaState.GOOD and one.replica.node in self._answering
        ]
        if not sources:
            raise Unmoved(f"no node that answers has {tables.database}.{wanted.name} good")
        errors: list[SkyshardError] = []
        while sources:
            with self._lock:
                source = min(sources, key=lambda name: (self._given[name], name))
                self._given[source] += wanted.bytes
            sources.remove(source)
            try:
                built = tables.copier.copy(tables.order(wanted), self._place.node(source))
            except NoRoom:
                raise
            except (ClusterError, UserError) as error:
                errors.append(error)
                continue
            with self._lock:
                work.copied_bytes += built.bytes
            return replace(wanted, bytes=built.bytes)
        raise errors[0]

    def _shown(
        self, family: str, works: Sequence[ChunkWork], placing: Callable[[], AbstractContextManager[None]]
    ) -> list[EndedStep]:
        """Show what has come; returns how each step has ended."""
        with placing():
            while True:
                good = [work for work in works if not work.error]
                ended = [
                    EndedStep(work.step.number, state, work.copied_bytes, work.error)
                    for work in works
                    for state in [StepState.FAILED if work.error else StepState.DONE]
                ]
                tables = [self._changes(row, good) for row in self._rows]
                moves = [work.step for work in good]
                try:
                    self._place.registry.moved_chunks.move_chunks(self._mine, family, moves, tables, ended)
                except ChunksStay as stay:  # the others are shown
                    for work in good:
                        work.error = stay.why.get(work.step.chunk, "")
                else:
                    break
        self._tell(good)
        return ended

    def _changes(self, row: DatabaseRow, works: Sequence[ChunkWork]) -> MovedTables:
        """What is changed of one database."""
        database = row.stored
        came = [known for work in works for name, known in work.made if name == database]
        left = [known for work in works for name, known in work.leaving() if name == database]
        by_node: dict[str, list[Replica]] = defaultdict(list)
        for known in left:
            by_node[known.replica.node].append(known.replica)
        retired = {node: expected_tables(replicas) for node, replicas in by_node.items()}
        return MovedTables(database, came, left, retired, level_of(row))

    def _tell(self, works: Sequence[ChunkWork]) -> None:
        came: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for work in works:
            came.update({known.replica.node for _, known in work.made})
            left.update({known.replica.node for _, known in work.leaving()})
        for node, count in came.items():
            self._place.events.tell(CHUNKS_CAME, node=node, chunks=count, job=self._mine.id)
        for node, count in left.items():
            self._place.events.tell(CHUNKS_LEFT, node=node, chunks=count, job=self._mine.id)
