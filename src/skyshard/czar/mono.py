"""The oracle: the same statements, the same native functions, one unsharded server.

Rule: it answers from the rows that are published, all of them, or not at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.ref_match import single_rows
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.cache.first_of_shape import FirstOfShape
from skyshard.czar.cache.overtaken import planned
from skyshard.czar.plan.planner import loose_columns, result_names
from skyshard.czar.plan.query_plan import Kind, Lane
from skyshard.czar.result.answer import QueryResult, QueryStats
from skyshard.czar.result.typed_results import loosened, read_types
from skyshard.czar.run.scratch_tables import drop_query, query_name, scratch_table, sweep
from skyshard.czar.run.stored_result import in_words, store_result
from skyshard.czar.run.syntax_check import enter_scratch, require_syntax
from skyshard.czar.show_catalog import show
from skyshard.czar.sql.deep_nesting import with_room
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import ShowStatement, parse_statement
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.registry.catalog.mono_state import Load, read_loads, require_present
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource
from skyshard.registry.catalog_cache import CatalogCache


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as the server gets it; ``loose`` and ``vague`` as in ``Plan``."""

    text: str
    columns: int
    loose: frozenset[int]
    vague: frozenset[int]


class MonoTarget:
    """Answers statements from whole tables on one server."""

    def __init__(self, source: CatalogSource | CatalogCache, endpoint: Endpoint, data_dir: Path | str) -> None:
        self._source = source
        self._sessions = Sessions(endpoint, opened=enter_scratch)
        self._syntax = FirstOfShape(partial(require_syntax, self._sessions))
        self._data_dir = Path(data_dir)
        self._is_swept = False

    def close(self) -> None:
        self._sessions.close()
        if isinstance(self._source, CatalogCache):
            self._source.close()

    def _now(self) -> CatalogSource:
        """What is published at this moment: a statement asks it for all of its names."""
        return self._source.now() if isinstance(self._source, CatalogCache) else self._source

    def execute(self, sql: str, database: str = "", *, query: str = "") -> QueryResult:
        """Answer a statement; ``query`` is a name to cancel it by. Errors as of ``Czar.execute``."""
        begun = time.perf_counter()
        read = planned(lambda: with_room(lambda: self._read(sql, database)))
        planned_s = time.perf_counter() - begun
        if isinstance(read, ShowStatement):
            columns, table = show(read, self._now(), database)
        else:
            columns, asked, catalogs = read
            table = self._answer(asked, query or query_name(), catalogs)
        ended = time.perf_counter()
        stats = QueryStats(Kind.REGULAR, Lane.NONE, 0, 0, table.num_rows, ended - begun, planned_s)
        return QueryResult(columns, table, stats)

    def _read(self, sql: str, database: str) -> ShowStatement | tuple[tuple[str, ...], Asked, list[Catalog]]:
        """SHOW as it is; of another statement the names of its columns, its text and the databases it asks."""
        statement = parse_statement(sql)
        if isinstance(statement, ShowStatement):
            return statement
        self._syntax.require(sql)
        bound = rewrite(bind(statement, self._now().catalog, database))
        columns, text = result_names(bound), render(single_rows(bound).tree)
        asked = Asked(text, len(columns), *loose_columns(bound, len(columns)))
        return columns, asked, [catalog for catalog in bound.catalogs.values() if catalog.transaction]

    def cancel(self, query: str) -> bool:
        """Stop a statement by its name; False if the server is not at it."""
        return self._sessions.cancel(query) > 0

    def _sweep(self) -> None:
        """Drop what killed processes left, once."""
        if not self._is_swept:
            self._is_swept = True
            with self._sessions.lease("sweep") as connection:
                sweep(connection)

    def holds(self, catalog: Catalog) -> bool:
        """True when a database was loaded.

        Raises:
            UserError: the loaded copy is missing or out of date.
        """
        loads = self._loads([catalog])
        if loads:
            require_present(loads, [catalog])
        return bool(loads)

    def _loads(self, catalogs: Sequence[Catalog]) -> dict[str, Load]:
        with self._sessions.lease(CLEANING) as connection:
            return read_loads(connection, [catalog.database for catalog in catalogs])

    def _answer(self, asked: Asked, query: str, catalogs: Sequence[Catalog]) -> pa.Table:
        """The answer of whole databases, if they were not loaded again meanwhile."""
        if not catalogs:
            return self._run(asked, query)
        loads = self._loads(catalogs)
        require_present(loads, catalogs)
        try:
            table = self._run(asked, query)
        except UserError:  # of tables that are gone, perhaps
            self._require_same(loads, catalogs)
            raise
        self._require_same(loads, catalogs)
        return table

    def _require_same(self, loads: dict[str, Load], catalogs: Sequence[Catalog]) -> None:
        if self._loads(catalogs) != loads:
            raise ClusterError("the oracle was loaded again meanwhile", remedy="ask again", retryable=True)

    def _run(self, asked: Asked, query: str) -> pa.Table:
        names = [f"c{index}" for index in range(asked.columns)]
        try:
            self._sweep()
            with self._sessions.lease(query) as connection:
                types = read_types(connection, asked.text, scratch_table(query, "t"), names)
                types = loosened(types, asked.loose, asked.vague)
                return store_result(connection, query, asked.text, types, self._data_dir)
        except BaseException as error:
            with contextlib.suppress(SkyshardError), self._sessions.lease(CLEANING) as connection:
                drop_query(connection, query)  # one that was stopped could not
            if not isinstance(error, SkyshardError):
                raise
            raise in_words(error, query) from error.__cause__
