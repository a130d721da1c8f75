"""The director indexes of one transaction: keys merged, then loaded on the czar, in a thread beside everything else.

Partitioning and loading go on meanwhile; only a table that looks keys up waits, for the merging.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from skyshard.ingest.builds import index_build
from skyshard.ingest.bundle import Bundle, PartReport
from skyshard.ingest.director_keys import DirectorKeys, build_keys
from skyshard.ingest.flow import Beside, answer
from skyshard.ingest.generations import Generations
from skyshard.ingest.plan import PlannedTable
from skyshard.ingest.site import Site
from skyshard.layout import split_director
from skyshard.registry.values import IndexPart
from skyshard.worker.messages import BuiltTable


@dataclass(frozen=True, slots=True)
class _Started:
    """One part of a director index under way on the czar's server."""

    director: str
    part: int
    earlier: Sequence[IndexPart]
    built: Future[BuiltTable]


class DirectorIndexes:
    """One for a transaction; a context manager, which waits for what is under way."""

    def __init__(self, site: Site, database: str, transaction: int, staging: Path) -> None:
        self._site = site
        self._database = database
        self._transaction = transaction
        self._staging = staging
        self._thread = Beside("director-index")
        self._merges: list[Future[None]] = []
        self._started: list[_Started] = []

    def __enter__(self) -> DirectorIndexes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.close()

    def keys_folder(self, director: str) -> Path:
        """Keys of a director, a folder a transaction; they outlive the ingest, for the next one to check against."""
        database, table = split_director(director, self._database)
        return self._site.keys / database / table

    def start(self, table: PlannedTable, reports: Sequence[PartReport]) -> None:
        """Merge the keys of a director's parts, then have the czar's server make its copy like any other table."""
        merged = self._thread.do(self._merge, table.name, list(reports))
        self._merges.append(merged)
        if table.source.parts:
            earlier = self._site.registry.index_parts(self._database, table.name)
            part = self._transaction if earlier else 0
            built = self._thread.do(self._build, merged, table.name, part)
            self._started.append(_Started(table.name, part, earlier, built))

    def wait_for_keys(self) -> None:
        """Until the keys of all directors so far can be looked up.

        Raises:
            UserError: a key that stands twice.
        """
        for merged in self._merges:
            merged.result()

    def finish(self) -> None:
        """Record the parts, once they stand, and show them with the earlier ones."""
        self.wait_for_keys()
        for index in self._started:
            mine = IndexPart(index.director, index.part, answer("czar", index.built).rows)
            self._site.registry.add_index_part(self._database, self._transaction, mine)
            Generations(self._site, self._database).make_index(index.director, [*index.earlier, mine])

    def _own_keys(self, director: str) -> Path:
        return self.keys_folder(director) / str(self._transaction)

    def _merge(self, director: str, reports: Sequence[PartReport]) -> None:
        mine = self._own_keys(director)
        shutil.rmtree(mine, ignore_errors=True)
        earlier = DirectorKeys.open(self.keys_folder(director))
        files = [Bundle(self._staging, director, report.digest).keys for report in reports]
        build_keys(mine, files, director, [report.part for report in reports], earlier)

    def _build(self, merged: Future[None], director: str, part: int) -> BuiltTable:
        merged.result()
        order = index_build(self._database, director, part, self._own_keys(director), self._staging)
        built: list[BuiltTable] = self._site.czar_loader.call("build", order).result()
        return built[0]
