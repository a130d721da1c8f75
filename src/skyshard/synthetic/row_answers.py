"""Answers worked out from a sky's rows, which are made again: by SQLite, an engine that shares nothing with ours.

Only statements that every engine answers alike are answered (`skyshard.synthetic.plain_statement`), over rows whose
digests are those that were ingested, and not over too many. No I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from skyshard.catalog.layout import Role
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN
from skyshard.ingest.transaction.kept_truth import KnownAnswer
from skyshard.synth.rows.kpm_columns import SERIAL_BITS
from skyshard.synthetic.placed_rows import PlacedRows, Placement
from skyshard.synthetic.plain_statement import PlainStatement, is_tied, named_keys, read_plain
from skyshard.synthetic.row_engine import RowEngine, row_engine
from skyshard.synthetic.spread_digests import digest_of

MOST_PAIRED_ROWS = 100_000
"""Most rows of a table that is joined with itself."""
_CACHE_BYTES = 1 << 29
_ROWS_KEPT = 4_000_000
"""Rows in engines that are kept: statements of one template often differ in a constant only."""


@dataclass(slots=True)
class RowAnswers:
    """Works out the rows that a statement must return; None for those that it does not know.

    ``digests``: table → the generator's chunk → digest of its rows as they were ingested.
    """

    placement: Placement
    digests: Mapping[str, Mapping[int, str]]
    _cache: OrderedDict[tuple[str, int], PlacedRows | None] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _engines: OrderedDict[tuple[object, ...], RowEngine] = field(default_factory=OrderedDict)

    def __call__(self, sql: str, most_rows: int) -> KnownAnswer | None:
        """The answer, if no more than ``most_rows`` of the statement's tables have to be made for it."""
        statement = read_plain(sql, self._known_tables)
        if statement is None or not self._is_decided(statement):
            return None
        chunks = self._chunks(statement, most_rows)
        if chunks is None:
            return None
        columns: dict[str, list[str]] = {}
        for name in sorted({table for table, _ in statement.references}):
            named = self._columns(statement, name)
            if named is None:
                return None
            columns[name] = named
        engine = self._engine(statement, chunks, columns)
        return None if engine is None else engine.answer(sql, statement.sql)

    def _engine(
        self, statement: PlainStatement, chunks: Sequence[int], columns: Mapping[str, list[str]]
    ) -> RowEngine | None:
        """The rows that a statement can ask of; None where the generator now makes others, or SQLite refuses them."""
        indexes = self._indexes(statement)
        place = (*chunks, *((name, *named, None, *indexes.get(name, ())) for name, named in columns.items()))
        is_whole = statement.region is None
        if is_whole and place in self._engines:
            self._engines.move_to_end(place)
            return self._engines[place]
        tables = {}
        for name, named in columns.items():
            rows = self._rows(statement, name, chunks, named)
            if rows is None:
                return None
            tables[name] = (named, rows)
        engine = row_engine(tables, indexes)
        if engine is not None and is_whole:
            self._engines[place] = engine
            while len(self._engines) > 1 and sum(one.rows for one in self._engines.values()) > _ROWS_KEPT:
                self._engines.popitem(last=False)
        return engine

    @property
    def _known_tables(self) -> Mapping[str, Any]:
        layouts = self.placement.layouts
        kept = [name for name in self.placement.tables if name in self.digests]
        return {name: layouts[name] for name in kept if layouts[name].role is not Role.REF_MATCH}

    def _is_decided(self, statement: PlainStatement) -> bool:
        """True when a LIMIT is over an order that leaves no choice."""
        if statement.limit_order is None:
            return True
        keys = [self._primary(table) for table, _ in statement.references]
        return all(key and all(column in statement.limit_order for column in key) for key in keys)

    def _primary(self, table: str) -> Sequence[str]:
        return self.placement.sky.specs[table].table.primary_key

    def _key(self, table: str) -> str:
        return self.placement.layouts[table].key

    def _indexes(self, statement: PlainStatement) -> dict[str, list[str]]:
        """Columns by which joins find rows, by table."""
        names = [table for table, _ in statement.references]
        if len(names) == 1:
            return {}
        found = {name: [self._key(name)] for name in names}
        for name in {name for name in names if names.count(name) > 1}:
            found[name].append((self.placement.layouts[name].position or ("", ""))[1])
        return found

    def _chunks(self, statement: PlainStatement, most_rows: int) -> list[int] | None:
        """The generator's chunks that can have rows of the answer; None where they have too many."""
        tables = {table for table, _ in statement.references}
        chunks = set.union(*(set(self.digests[table]) for table in tables))
        if statement.region is not None:
            chunks &= set(self.placement.sky.chunker.chunks_in(statement.region).tolist())
        keys = {table: self._key(table) for table in tables}
        if statement.is_conjunction and is_tied(statement, keys):
            for key in set(keys.values()):
                named = named_keys(statement, key)
                chunks &= chunks if named is None else {one >> SERIAL_BITS for one in named}
        rows = {table: sum(_rows_of(self.digests[table].get(chunk)) for chunk in chunks) for table in tables}
        names = [table for table, _ in statement.references]
        is_paired = statement.region is None and len(set(names)) < len(names)
        too_many = sum(rows.values()) > most_rows or (is_paired and max(rows.values()) > MOST_PAIRED_ROWS)
        return None if too_many else sorted(chunks)

    def _columns(self, statement: PlainStatement, name: str) -> list[str] | None:
        """The columns of a table that a statement names, or all; None where one holds no numbers."""
        table = self.placement.sky.specs[name].table
        own = [column.name for column in table]
        every = [*own, CHUNK_COLUMN, SUB_CHUNK_COLUMN]
        columns = every if statement.has_star else [one for one in every if one.lower() in statement.words]
        kinds = {column.name: column.type.arrow for column in table}
        plain = all(pt.is_integer(kinds[one]) or pt.is_floating(kinds[one]) for one in columns if one in kinds)
        averaged = "avg" in statement.words and any(pt.is_integer(kinds.get(one, pa.int32())) for one in columns)
        is_sure = not averaged or _averages_floats(
            statement.sql, {n for n, kind in kinds.items() if pt.is_floating(kind)}
        )
        return (columns or [own[0]]) if plain and is_sure else None

    def _rows(
        self, statement: PlainStatement, name: str, chunks: Sequence[int], columns: Sequence[str]
    ) -> list[list[Any]] | None:
        """By column, the values of the rows in a statement's area; None where the generator now makes others."""
        parts: list[pa.Table] = []
        for chunk in chunks:
            placed = self._placed(name, chunk)
            if placed is None:
                return None
            placed = _within(statement, placed, self.placement.layouts[name].position)
            numbers = {CHUNK_COLUMN: placed.chunks, SUB_CHUNK_COLUMN: placed.sub_chunks}
            made = [pa.array(numbers[one]) if one in numbers else placed.rows[one] for one in columns]
            parts.append(pa.table(made, names=list(columns)))
        rows = pa.concat_tables(parts) if parts else None
        return [[] for _ in columns] if rows is None else [column.to_pylist() for column in rows.columns]

    def _placed(self, name: str, chunk: int) -> PlacedRows | None:
        """The rows of one table and chunk, kept for the next statement; None where they are not those ingested."""
        place = (name, chunk)
        if place not in self._cache:
            self._cache[place] = self._make(name, chunk)
            self._bytes += _bytes_of(self._cache[place])
            while self._bytes > _CACHE_BYTES and len(self._cache) > 1:
                self._bytes -= _bytes_of(self._cache.popitem(last=False)[1])
        self._cache.move_to_end(place)
        return self._cache[place]

    def _make(self, name: str, chunk: int) -> PlacedRows | None:
        runs = [placed for _, placed in self.placement.rows(chunk, {name})]
        rows = pa.concat_tables([one.rows for one in runs])
        wanted = self.digests[name].get(chunk)
        if wanted is None or str(digest_of(rows, self.placement.sky.specs[name].table)) != wanted:
            return None if wanted is not None else PlacedRows(rows.slice(0, 0), *_nowhere())
        chunks, sub_chunks = (np.concatenate([getattr(one, what) for one in runs]) for what in ("chunks", "sub_chunks"))
        return PlacedRows(rows, chunks, sub_chunks)


def _nowhere() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return np.empty(0, np.int32), np.empty(0, np.int32)


def _rows_of(digest: str | None) -> int:
    return int(digest.partition(":")[0]) if digest else 0


def _bytes_of(placed: PlacedRows | None) -> int:
    return 0 if placed is None else placed.rows.nbytes


def _averages_floats(sql: str, floats: set[str]) -> bool:
    """True when every AVG is of one column of floats: of whole numbers it is a decimal, rounded."""
    upper = sql.upper()
    found = [part.partition(")")[0].strip() for part in sql.replace("avg(", "AVG(").split("AVG(")[1:]]
    return upper.count("AVG") == len(found) and all(one.rpartition(".")[2] in floats for one in found)


def _within(statement: PlainStatement, placed: PlacedRows, position: tuple[str, str] | None) -> PlacedRows:
    if statement.region is None or position is None:
        return placed
    ra, dec = (np.asarray(placed.rows[name].to_numpy(), np.float64) for name in position)
    return placed.take(np.asarray(statement.region.contains(ra, dec)))
