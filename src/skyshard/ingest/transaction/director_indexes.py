"""Builds the director indexes of one transaction in a thread: merges keys, then loads them on the czar.

Partitioning and loading go on; only a table that looks keys up waits for the merging.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import split_director
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread, answer
from skyshard.ingest.on_nodes.build_orders import index_build
from skyshard.ingest.on_nodes.part_tables import MergeTables
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys, DoubledKey, KeyKind, build_keys
from skyshard.ingest.partition.doubled_input import row_in_file, where_rows_stand
from skyshard.ingest.partition.key_files import harmed, records
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.source import SourceTable
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.ingest.transaction.staying_keys import StayingKeys
from skyshard.log.events import INDEX_BUILT
from skyshard.node.messages import BuiltTable
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import IndexPart

MOST_READ = 32
"""Files of earlier transactions that are read for the row with a key at most."""
MOST_FILES = 3
"""Files of earlier transactions that an error names at most."""


@dataclass(frozen=True, slots=True)
class _Started:
    """One part of a director index under way on the czar's server."""

    director: str
    kind: KeyKind
    part: int
    earlier: Sequence[IndexPart]
    built: Future[BuiltTable]


class DirectorIndexes:
    """Those of one transaction; ``thread`` does the work, one call after the other."""

    def __init__(self, run: RunContext, thread: BackgroundThread) -> None:
        self._run = run
        self._site = run.site
        self._database = run.database
        self._transaction = run.transaction
        self._staging = run.staging
        self._thread = thread
        self._merges: list[Future[None]] = []
        self._started: list[_Started] = []
        sources = [table.source for table in run.plan.tables if run.plan.replaced]
        self._rewritten = {source.name: source for source in sources if self._changes(source)}
        self._staying: dict[str, StayingKeys] = {}

    def keys_folder(self, director: str) -> Path:
        """Keys of a director, a folder a transaction; they outlive the ingest, for the next one to check against."""
        database, table = split_director(director, self._database)
        return self._site.folders.keys / database / table

    def earlier_keys(self, director: str) -> DirectorKeys:
        """The keys that earlier transactions brought, as far as their rows stay.

        Raises:
            UserError: some are missing or damaged.
        """
        if director in self._rewritten and director not in self._staying:
            self._require_earlier(director)
            known = DirectorKeys.open(self.keys_folder(director))
            self._staying[director] = StayingKeys.of(self._run, self._rewritten[director], known)
        if director in self._staying:
            return self._staying[director].keys
        self._require_earlier(director)
        return DirectorKeys.open(self.keys_folder(director))

    def start(self, table: PlannedTable, reports: Sequence[SliceReport]) -> None:
        """Merge the keys of a director's slices, then have the czar's server make its copy like any other table."""
        merged = self._thread.do(self._merge, table.source, list(reports))
        self._merges.append(merged)
        if self._changes(table.source):
            kind = KeyKind.of(table.source.table, table.source.layout)
            earlier = self._site.registry.index_parts.all(self._database, table.name)
            part = self._transaction if earlier else 0
            built = self._thread.do(self._build, merged, table.name, kind, part)
            self._started.append(_Started(table.name, kind, part, earlier, built))

    def wait_for_keys(self, *directors: str) -> None:
        """Until the keys of all directors so far can be looked up.

        Args:
            directors: those that will be; what earlier transactions brought must be there.

        Raises:
            UserError: a key that occurs twice, or earlier keys that are missing or damaged.
        """
        for merged in self._merges:
            merged.result()
        for director in filter(None, directors):
            self._require_earlier(director)

    def finish(self) -> None:
        """Record the parts, once they are made, and show them with the earlier ones."""
        self.wait_for_keys()
        for index in self._started:
            mine = IndexPart(index.director, index.part, answer("czar", index.built).rows)
            self._site.registry.index_parts.add(self._database, self._transaction, mine)
            self._site.events.tell(
                INDEX_BUILT, transaction=self._transaction, database=self._database, director=index.director,
                keys=mine.rows,
            )  # fmt: skip
            if not self._run.plan.replaced:  # else it takes the place of the earlier ones
                MergeTables(self._site, self._database).make_index(index.director, index.kind, [*index.earlier, mine])

    def _changes(self, table: SourceTable) -> bool:
        return bool(table.slices or self._run.plan.left_out(table.name))

    def _own_keys(self, director: str) -> Path:
        return self.keys_folder(director) / str(self._transaction)

    def _require_earlier(self, director: str) -> None:
        """The keys of as many rows as the registry knows: a folder that is gone would make orphans of its followers."""
        database, table = split_director(director, self._database)
        folder = self.keys_folder(director)
        known = sum(part.rows for part in self._site.registry.index_parts.all(database, table))
        there = sum(record.rows for record in records(folder, apart_from=self._own_keys(director)).values())
        if there != known:
            raise harmed(folder / "*", f"'{folder}' holds {there} of {known}")

    def _merge(self, table: SourceTable, reports: Sequence[SliceReport]) -> None:
        director = table.name
        mine = self._own_keys(director)
        shutil.rmtree(mine, ignore_errors=True)
        earlier = self.earlier_keys(director)
        files = [Bundle(self._staging, director, report.digest).keys for report in reports]
        kind, paths = KeyKind.of(table.table, table.layout), [report.path for report in reports]
        try:
            if director in self._staying:
                is_spread = self._staying[director].write_with(mine, files, paths)
            else:
                is_spread = build_keys(mine, files, director, paths, earlier, kind)
        except DoubledKey as error:
            raise self._with_rows(table, error) from None
        if is_spread:
            self._site.registry.databases.mark_spread(self._database, director)

    def _with_rows(self, table: SourceTable, error: DoubledKey) -> UserError:
        """The error with the rows in the files, and the files of earlier transactions that the key may be from."""
        places = where_rows_stand(table, error.names, {table.layout.key: error.key})
        key = f"key {error.key} of director '{table.name}'"
        if error.earlier_chunk is None:
            return UserError(f"{key} occurs twice, in {places}; there may be more", remedy=error.remedy)
        contributions = self._site.registry.contributions.all(self._database)
        chunks = {(table.name, error.earlier_chunk, False)}
        files = [c["part"] for c in contributions if (c["table"], c["chunk"], bool(c["is_overlap"])) in chunks]
        earlier = sorted(set(files) - set(error.names))
        named = _earlier_place(table, earlier, error.key) or " or ".join(f"'{path}'" for path in earlier[:MOST_FILES])
        return UserError(
            f"{key} in {places} was ingested by an earlier transaction{f' ({named})' if named else ''}; there may be "
            f"more",
            remedy=error.remedy,
        )

    def _build(self, merged: Future[None], director: str, kind: KeyKind, part: int) -> BuiltTable:
        merged.result()
        order = index_build(self._database, director, kind, part, self._own_keys(director), self._staging)
        (built,) = self._site.czar_loader.call(NodeLoader.build, order).result()
        return built


def _earlier_place(table: SourceTable, files: Sequence[str], key: int) -> str:
    """The file and row that an earlier transaction had the key from, where it is there still; else nothing."""
    for path in files[:MOST_READ]:
        row = row_in_file(table, path, {table.layout.key: key})
        if row is not None:
            return f"'{path}', row {row}"
    return ""
