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
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread, answer
from skyshard.ingest.on_nodes.build_orders import index_build
from skyshard.ingest.on_nodes.earlier_rows import EarlierRows
from skyshard.ingest.on_nodes.part_tables import MergeTables
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.director_keys import (
    DirectorKeys,
    DoubledKey,
    KeyKind,
    build_keys,
    doubled_key,
    known_key,
)
from skyshard.ingest.partition.doubled_input import where_rows_stand
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.source import SourceTable
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.ingest.transaction.staying_keys import StayingKeys
from skyshard.log.events import INDEX_BUILT
from skyshard.node.messages import BuiltTable
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import IndexPart


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
        self.earlier = EarlierRows(run.site.registry, run.site.folders.keys, run.database)
        self._thread = thread
        self._merges: list[Future[None]] = []
        self._started: list[_Started] = []
        sources = [table.source for table in run.plan.tables if run.plan.replaced]
        self._rewritten = {source.name: source for source in sources if self._changes(source)}
        self._staying: dict[str, StayingKeys] = {}

    def earlier_keys(self, director: str) -> DirectorKeys:
        """The keys that earlier transactions brought, as far as their rows stay.

        Raises:
            UserError: some are missing or damaged.
        """
        if director in self._rewritten and director not in self._staying:
            known = self.earlier.keys(director)
            self._staying[director] = StayingKeys.of(self._run, self._rewritten[director], known)
        return self._staying[director].keys if director in self._staying else self.earlier.keys(director)

    def start(self, table: PlannedTable, reports: Sequence[SliceReport]) -> None:
        """Merge the keys of a director's slices, then have the czar's server make its copy like any other table."""
        merged = self._thread.do(self._merge, table.source, list(reports))
        self._merges.append(merged)
        if self._changes(table.source):
            kind = KeyKind.of(table.source.table, table.source.layout)
            earlier = self._site.registry.index_parts.all(self._database, table.name)
            is_renewed = table.name in self._site.registry.transactions.dropped_tables(self._database)
            part = self._transaction if earlier or is_renewed else 0
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
            self.earlier.require_keys(director, self._own_keys(director))

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
        return self.earlier.keys_folder(director) / str(self._transaction)

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
        if error.earlier_chunk is None:
            return doubled_key(table.name, error.key, places)
        earlier = self.earlier.place(table, error.key, error.earlier_chunk, error.names)
        return known_key(table.name, error.key, places, earlier)

    def _build(self, merged: Future[None], director: str, kind: KeyKind, part: int) -> BuiltTable:
        merged.result()
        order = index_build(self._database, director, kind, part, self._own_keys(director), self._staging)
        (built,) = self._site.czar_loader.call(NodeLoader.build, order).result()
        return built
