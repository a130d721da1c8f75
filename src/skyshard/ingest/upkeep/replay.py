"""Makes lost tables again from the input that brought their rows: read, placed and packed as the ingest did it.

Rules: the registry says which slices of which sources brought the rows; a slice counts only if its bytes are those that
were taken in. Rows get the numbers of their files, the places that the keys of directors gave them then, and pass the
policies that the table has. Only rows of lost tables are kept. What comes out must have the digest that the registry
has, or it is not made. Bundles lie in the database's staging folder until the end, so that a run that was killed goes
on with them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import xxhash

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import in_order_of_end
from skyshard.ingest.on_nodes.build_orders import EMPTY
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.moved_blocks import HERE
from skyshard.ingest.on_nodes.order_sender import OrderSender
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.first_rows import KeySpec, leave_out_later, read_keys
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_slice
from skyshard.ingest.plan.ingest_plan import loader_of
from skyshard.ingest.plan.kept_columns import with_kept_columns
from skyshard.ingest.source import InputSlice, Source, SourceTable
from skyshard.ingest.upkeep.replay_keys import KeysThen
from skyshard.ingest.upkeep.replay_origins import Brought, Origins
from skyshard.node.known_table import make_known_table
from skyshard.node.messages import BundleSlice
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.rowimage.digest import RowDigest

FOLDER = Path(".replicas") / "replay"
"""Below a database's staging folder, which the next ingest and the drop of the database clear."""

Open = Callable[[str], Source]
"""A source by its path."""
Counted = Callable[[int], None]
"""Is told of the bytes of each slice that was read, and waits where a rate is to be kept to."""
Slice = tuple[int, str, str, str]
"""Transaction, table, path and digest of an input slice."""


@contextmanager
def replayed(
    site: Site,
    database: str,
    lost: Sequence[KnownReplica],
    *,
    open_source: Open,
    elsewhere: Sequence[str] = (),
    counted: Counted = lambda _: None,
) -> Iterator[Replay]:
    """Inside, the rows of lost replicas can be had again, as far as their input is there.

    Args:
        elsewhere: sources to look into, too: where the input of the transactions is now.
    """
    replay = Replay(site, database, open_source, elsewhere, counted)
    replay.read(lost)
    try:
        yield replay
    finally:
        replay.close()
    replay.clear()


@dataclass(slots=True)
class _Input:
    """What is to be read of one table for one transaction."""

    transaction: int
    table: SourceTable
    slices: dict[tuple[str, str], InputSlice] = field(default_factory=dict)
    """Path and digest, as the registry has them, → the slice as it is found."""


class Replay:
    """The rows of lost replicas of one database; see ``replayed``."""

    def __init__(
        self, site: Site, database: str, open_source: Open, elsewhere: Sequence[str], counted: Counted
    ) -> None:
        self._site = site
        self._database = database
        self._open = open_source
        self._elsewhere = elsewhere
        self._counted = counted
        layout = site.registry.databases.layout(database)
        assert layout is not None
        self._layout = layout
        self._definitions = site.registry.databases.table_definitions(database)
        self._origins = Origins(site.registry.contributions.all(database))
        self._folder = site.folders.staging / database / FOLDER
        self._keys = KeysThen(site, database, self._origins, self._folder / "keys")
        self._sender = OrderSender(site, Path(database) / FOLDER)
        self._opened: dict[str, Source | UserError] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._reports: dict[Slice, SliceReport] = {}
        self._why: dict[tuple[int, str], str] = {}
        self._why_slice: dict[Slice, str] = {}

    def close(self) -> None:
        self._sender.close()

    def clear(self) -> None:
        """Nothing is on the way any more."""
        HERE.remove([str(self._folder)])
        for folder in (self._folder.parent, self._folder.parent.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def read(self, lost: Sequence[KnownReplica]) -> None:
        """Read the input of lost replicas, and keep the rows of these tables."""
        wanted: dict[tuple[int, str], set[Brought]] = defaultdict(set)
        for known in lost:
            for one in self._origins.of(known):
                wanted[one.transaction, one.table].add(one)
        for (transaction, table), brought in sorted(wanted.items(), key=lambda item: item[0]):
            try:
                self._read(transaction, table, brought)
            except UserError as error:
                self._why[transaction, table] = str(error)

    def why_not(self, known: KnownReplica) -> str:
        """Why the rows of a replica cannot be had again; empty where they can."""
        brought = self._origins.of(known)
        if not brought and known.replica.rows:
            return "the registry does not say which input brought its rows"
        for one in brought:
            why = self._why.get((one.transaction, one.table)) or self._why_slice.get(_slice(one), "")
            if why:
                return why
            found = self._found(one)
            if str(found) != one.digest:
                return (
                    f"'{one.part}' has the same bytes, but gives other rows than transaction {one.transaction} took in "
                    f"({found} for {one.digest}): the mapping, a policy or a director's keys have changed"
                )
        return ""

    def build(self, known: KnownReplica) -> None:
        """Make the table of a replica on its node, of rows that can be had; it is counted and digested there.

        Raises:
            ClusterError, UserError: it did not work out.
        """
        table, layout = self._definitions[known.replica.table]
        stored = stored_table(table, layout, overlap=known.replica.is_overlap)
        pieces = tuple(piece for one in self._origins.of(known) for piece in self._pieces(one))
        place = (self._database, stored, known.replica, self._layout.table_engine, loader_of(stored)[0])
        make_known_table(lambda order: self._sender.build(known.replica.node, order).result(), *place, pieces)

    def _segments(self, one: Brought) -> Iterator[tuple[SliceReport, int]]:
        report = self._reports.get(_slice(one))
        for number, segment in enumerate(report.segments if report is not None else ()):
            if (segment.chunk, segment.is_overlap) == one.target[1:] and report is not None:
                yield report, number

    def _found(self, one: Brought) -> RowDigest:
        found = EMPTY
        for report, number in self._segments(one):
            found += RowDigest.parse(report.segments[number].digest)
        return found

    def _pieces(self, one: Brought) -> Iterator[BundleSlice]:
        for report, number in self._segments(one):
            segment = report.segments[number]
            path = Bundle(self._staging(one.transaction, one.table), one.table, report.digest).path
            place = str(path.with_name(segment.file) if segment.file else path)
            yield BundleSlice(place, segment.offset, segment.rows)

    # reading

    def _read(self, transaction: int, table: str, brought: set[Brought]) -> None:
        """The slices of one table that a transaction took in, as far as rows of lost tables are of them.

        Raises:
            UserError: the source cannot be read.
        """
        source = self._source_table(transaction, table)
        input_ = _Input(transaction, source)
        self._look_for(input_, {(one.part, one.part_digest) for one in brought})
        targets = frozenset(one.target[1:] for one in brought)
        name = xxhash.xxh3_64_hexdigest(json.dumps(sorted(targets)).encode())
        self._names[transaction, table] = f"{transaction}-{table}-{name}"
        later = self._later(input_) if source.layout.duplicates == "keep-first" else ""
        runtime, layout = self._site.tasks_here, source.layout
        spec = PartitionSpec(
            source.table, layout, self._layout.striping, source.reader, loader_of(_stored(source))[0],
            str(self._staging(transaction, table)), self._keys.of(layout.director, transaction),
            self._keys.of(layout.director2, transaction), later, only=targets,
        )  # fmt: skip
        shared = runtime.share(spec)
        keys = list(input_.slices)
        calls = (partial(runtime.submit, _partitioned, shared, input_.slices[key]) for key in keys)
        for report, (part, digest) in in_order_of_end(calls, keys, runtime.cpus):
            if isinstance(report, str):
                self._why_slice[transaction, table, part, digest] = report
            else:
                self._reports[transaction, table, part, digest] = report
            self._counted(input_.slices[part, digest].bytes)

    def _staging(self, transaction: int, table: str) -> Path:
        """Bundles of the same lost tables are gone on with."""
        return self._folder / self._names[transaction, table]

    def _later(self, input_: _Input) -> str:
        """The folder that says which rows are not the first of their key: all slices of the transaction are read."""
        table, transaction = input_.table, input_.transaction
        every = _Input(transaction, table)
        self._look_for(every, self._origins.slices(transaction, table.name))
        folder = self._folder / f"later-{transaction}-{table.name}"
        spec = KeySpec.of(table, folder)
        known = {id(piece): number for number, piece in enumerate(table.slices)}
        pieces = sorted(every.slices.values(), key=lambda piece: known.get(id(piece), len(known)))
        files = [read_keys(spec, piece) for piece in pieces]
        earlier = self._keys.of(table.name, transaction, with_own=False)
        leave_out_later(spec, pieces, files, DirectorKeys.open(Path(earlier)))
        return str(folder)

    def _look_for(self, input_: _Input, wanted: set[tuple[str, str]]) -> None:
        """Find slices by their paths and bytes, else by their bytes alone."""
        numbers = {
            file.path: file.number
            for file in self._site.registry.input_files.all(self._database, transaction=input_.transaction)
            if file.table == input_.table.name
        }
        by_path: dict[str, list[InputSlice]] = defaultdict(list)
        for piece in input_.table.slices:
            by_path[piece.path].append(piece)
        missing: dict[str, str] = {}
        for part, digest in sorted(wanted):
            readings = (reading for piece in by_path.get(part, ()) for reading in piece.readings())
            found = next((piece for piece in readings if piece.fingerprint() == digest), None)
            if found is None:
                missing[digest] = part
            else:
                input_.slices[part, digest] = replace(found, number=numbers.get(part, 0))
        if missing:
            elsewhere = [piece for piece in input_.table.slices if piece.path not in missing.values()]
            others = {reading.fingerprint(): reading for piece in elsewhere for reading in piece.readings()}
            for digest, part in missing.items():
                if digest in others:
                    input_.slices[part, digest] = replace(others[digest], number=numbers.get(part, 0))
                else:
                    why = "has changed since" if part in by_path else "is not there any more"
                    self._why_slice[input_.transaction, input_.table.name, part, digest] = (
                        f"'{part}', which transaction {input_.transaction} took in, {why}"
                    )

    def _source_table(self, transaction: int, table: str) -> SourceTable:
        """The table as a source has it now, which must be as the registry has it.

        Raises:
            UserError: no source has it, or with other columns.
        """
        definition, layout = self._definitions[table]
        row = self._site.registry.transactions.get(transaction)
        paths = [*self._elsewhere, *([str(row["source"])] if row is not None else [])]
        why: list[str] = []
        for path in paths:
            source = self._source(path)
            if isinstance(source, UserError):
                why.append(source.what)
            elif table not in source.tables:
                why.append(f"'{path}' has no table '{table}'")
            elif source.tables[table].table != definition:
                why.append(f"table '{table}' of '{path}' has other columns than it had")
            else:
                return replace(source.tables[table], layout=layout)
        raise UserError("; ".join(why), remedy="name where the input is now with --source")

    def _source(self, path: str) -> Source | UserError:
        if path not in self._opened:
            try:
                self._opened[path] = with_kept_columns(self._open(path), self._database, self._definitions)
            except UserError as error:
                self._opened[path] = error
        return self._opened[path]


def _partitioned(spec: PartitionSpec, piece: InputSlice) -> SliceReport | str:
    """The report of a slice, or why its rows cannot be had: wrong input is no reason to give others up."""
    try:
        return partition_slice(spec, piece)
    except UserError as error:
        return str(error)


def _slice(one: Brought) -> Slice:
    return one.transaction, one.table, one.part, one.part_digest


def _stored(source: SourceTable) -> Table:
    return stored_table(source.table, source.layout)
