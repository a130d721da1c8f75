"""Computes a column way with DuckDB over Arrow tables: the one file that knows DuckDB's API.

Rules: one database in memory for the process, without files, network or extensions; each call computes in its caller's
thread alone, so that the scan lanes decide how many processors work. What the engine cannot do is ``NotByColumns``: the
same chunks are then read as rows. So is a result that is no number, or not of the type that MariaDB declares.
A plan knows the names and types of the columns, not their rows: it serves any tables of these (``_Session``).

Why DuckDB, Arrow's own kernels or NumPy: docs/explanation/columns-proof.md.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from skyshard.basics.lazy import lazy_module
from skyshard.czar.columns.column_way import ColumnWay
from skyshard.czar.columns.not_by_columns import NotByColumns

pc = lazy_module("pyarrow.compute")

_SETTINGS = (
    "threads = 1",
    "memory_limit = '2GB'",
    "temp_directory = ''",
    "autoload_known_extensions = false",
    "autoinstall_known_extensions = false",
    "enable_external_access = false",
    "lock_configuration = true",
)
COPY_WARNING = "Arrow output on a DB-API result makes an extra copy"
"""Of what the engine does for ``_Session._is_copied``."""
KEPT_SESSIONS = 64
"""So many wait at most; each takes some ten kilobytes."""
_PLAIN_TYPES = {
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UBIGINT": pa.uint64(),
    "HUGEINT": pa.decimal128(38, 0),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
}
"""The engine's types whose values, as Python's, say all that there is to say; DECIMALs are such, too."""
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_LOCK = threading.Lock()
_DATABASE: list[Any] = []
_Shape = tuple[str, tuple[str, ...], tuple[tuple[int, pa.Schema], ...]]
"""What a plan depends on: the way's statements, and the schemas of its tables."""


class _Source:
    """One table of a way under its name in the engine, which asks for its rows anew each time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.table: pa.Table | None = None

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table = self._schema.empty_table() if self.table is None else self.table
        return table.__arrow_c_stream__(requested_schema)


@lru_cache(maxsize=1)
def _asks_anew() -> bool:
    """Whether the engine asks a source for its rows at each call, as DuckDB does since 1.5; before, it keeps the first
    ones, or none. Then plans are made for each call."""
    import duckdb

    source = _Source(pa.schema({"n": pa.int64()}))
    with duckdb.connect(":memory:") as apart:  # an error may end a database
        try:
            apart.register("t", source)
            apart.execute("PREPARE w AS SELECT sum(n) FROM t")
            for value in (1, 2):
                source.table = pa.table({"n": [value]})
                if apart.execute("EXECUTE w").fetchall() != [(value,)]:
                    return False
        except duckdb.Error:
            return False
    return True


class _Session:
    """A cursor with the statements of one way over tables of one shape; ``c<number>`` and ``w`` are prepared."""

    def __init__(self, way: ColumnWay, shape: _Shape) -> None:
        self.shape = shape
        self.cursor = _database().cursor()
        self._way = way
        self._sources = {slot: _Source(schema) for slot, schema in shape[2]}
        try:
            if _asks_anew():
                self._prepare(self._sources)
        except BaseException:
            self.cursor.close()
            raise

    def _prepare(self, sources: Mapping[int, object]) -> None:
        for slot, source in sources.items():
            self.cursor.register(f"t{slot}", source)
        for number, check in enumerate(self._way.checks):
            self.cursor.execute(f"PREPARE c{number} AS {check}")
        if self._way.is_one_row or self._is_copied:
            self.cursor.execute(f"PREPARE w AS {self._way.text}")

    @property
    def _is_copied(self) -> bool:
        """Whether the rows of a prepared statement are copied once more: that takes less than to plan, as they are few,
        and a text is planned twice, when it is read and when it is carried out."""
        return self._way.is_condensed and hasattr(self.cursor, "to_arrow_table")

    def compute(self, tables: Mapping[int, pa.Table]) -> pa.Table:
        """Raises what the engine raises, and NotByColumns."""
        if not _asks_anew():
            self._prepare(tables)
        for slot, source in self._sources.items():
            source.table = tables[slot]
        try:
            for number in range(len(self._way.checks)):
                if self.cursor.execute(f"EXECUTE c{number}").fetchall():
                    raise NotByColumns("columns: a number beyond DOUBLE")
            if self._way.is_one_row:
                return self._one_row()
            if self._is_copied:
                with contextlib.suppress(UserWarning):  # a program of ours or others may make it an error
                    return self.cursor.execute("EXECUTE w").to_arrow_table()
            return self.cursor.sql(self._way.text).to_arrow_table()
        finally:
            for source in self._sources.values():
                source.table = None

    def _one_row(self) -> pa.Table:
        rows = self.cursor.execute("EXECUTE w").fetchall()
        names = [column[0] for column in self.cursor.description]
        kinds = [_plain_type(str(column[1])) for column in self.cursor.description]
        if None in kinds:
            return self.cursor.sql(self._way.text).to_arrow_table()
        arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
        return pa.Table.from_arrays(arrays, names=names)


def _plain_type(kind: str) -> pa.DataType | None:
    """The type of a column whose values come as Python's; None where they come as Arrow's.

    >>> _plain_type("DECIMAL(38,2)"), _plain_type("VARCHAR")
    (Decimal128Type(decimal128(38, 2)), None)
    """
    digits = _DECIMAL.fullmatch(kind)
    return pa.decimal128(int(digits[1]), int(digits[2])) if digits else _PLAIN_TYPES.get(kind)


class _Kept:
    """Sessions that wait for another call of their shape; those that were used last are kept longest."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[_Shape, list[_Session]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def take(self, shape: _Shape) -> _Session | None:
        with self._lock:
            found = self._waiting.get(shape)
            if not found:
                return None
            self._count -= 1
            session = found.pop()
            if not found:
                del self._waiting[shape]
            return session

    def give(self, session: _Session) -> None:
        gone = []
        with self._lock:
            self._waiting.setdefault(session.shape, []).append(session)
            self._waiting.move_to_end(session.shape)
            self._count += 1
            while self._count > KEPT_SESSIONS:
                shape, oldest = next(iter(self._waiting.items()))
                gone.append(oldest.pop())
                self._count -= 1
                if not oldest:
                    del self._waiting[shape]
        for one in gone:
            one.cursor.close()

    def clear(self) -> None:
        with self._lock:
            sessions = [session for some in self._waiting.values() for session in some]
            self._waiting.clear()
            self._count = 0
        for one in sessions:
            one.cursor.close()


_KEPT = _Kept()
atexit.register(_KEPT.clear)  # at its end the library complains of cursors that are left


class Calls:
    """Calls of the engine that are under way, to be stopped from another thread."""

    def __init__(self) -> None:
        self._sessions: set[_Session] = set()
        self._stopped: set[_Session] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def session(self, way: ColumnWay, shape: _Shape) -> Iterator[_Session]:
        """A session for one call; one that was stopped, or that an error came out of, serves no other."""
        found = _KEPT.take(shape) or _Session(way, shape)
        with self._lock:
            self._sessions.add(found)
        is_whole = False
        try:
            yield found
            is_whole = True
        finally:
            with self._lock:
                self._sessions.discard(found)
                is_whole = is_whole and found not in self._stopped and _asks_anew()
                self._stopped.discard(found)
            if is_whole:
                _KEPT.give(found)
            else:
                found.cursor.close()

    def stop(self) -> None:
        """End what is computed now, with an error; what has not begun is not stopped."""
        with self._lock:
            for one in self._sessions:
                self._stopped.add(one)
                one.cursor.interrupt()


def compute(way: ColumnWay, tables: Mapping[int, pa.Table], calls: Calls) -> pa.Table:
    """What a way selects from these tables, by the numbers of their slots.

    Raises:
        NotByColumns: a value is beyond its type, the engine's memory is not enough, or it was stopped.

    >>> from skyshard.czar.columns.column_way import TableColumns
    >>> way = ColumnWay((TableColumns(0, ("n",)),), 'SELECT sum(t0."n") AS a0, count(t0."n") AS a1 FROM t0')
    >>> compute(way, {0: pa.table({"n": [1, None, 5]})}, Calls()).to_pylist()
    [{'a0': Decimal('6'), 'a1': 2}]
    """
    import duckdb

    shape = (way.text, way.checks, tuple((slot, table.schema) for slot, table in tables.items()))
    try:
        with calls.session(way, shape) as session:
            return session.compute(tables)
    except duckdb.Error as error:
        raise NotByColumns(f"columns: {str(error).splitlines()[0]}") from error


def _database() -> Any:
    with _LOCK:
        if not _DATABASE:
            import duckdb

            made = duckdb.connect(":memory:")
            for setting in _SETTINGS:
                made.execute(f"SET {setting}")
            warnings.filterwarnings("ignore", COPY_WARNING, UserWarning)
            _DATABASE.append(made)
        return _DATABASE[0]


def in_types(found: pa.Table, names: Sequence[str], types: Sequence[pa.DataType]) -> pa.Table:
    """A result with the types that MariaDB declares for its columns, without -0.

    Raises:
        NotByColumns: a value does not fit, or is of another kind than MariaDB's.

    >>> in_types(pa.table({"a": pa.array([7], pa.int32())}), ["a"], [pa.decimal128(12, 0)]).to_pylist()
    [{'a': Decimal('7')}]
    """
    arrays = [_in_type(found.column(name), kind) for name, kind in zip(names, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(names))


def _in_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_floating(values.type):
        return _floating(values, kind)
    is_exact = pa.types.is_integer(values.type) or pa.types.is_decimal(values.type)
    if not is_exact or not (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise NotByColumns(f"columns: a value of type {values.type} where MariaDB has one of type {kind}")
    try:
        return values if values.type == kind else values.cast(kind)
    except pa.ArrowInvalid as error:
        raise NotByColumns(f"columns: {error}") from error


def _floating(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    made = values.cast(kind) if pa.types.is_floating(kind) else None
    if made is None or (kind != values.type and not made.cast(values.type).equals(values)):
        raise NotByColumns(f"columns: a value of type {values.type} where MariaDB has one of type {kind}")
    if not pc.all(pc.is_finite(made), skip_nulls=True).as_py() and made.null_count < len(made):
        raise NotByColumns("columns: a number beyond DOUBLE")
    return pc.add(made, pa.scalar(0, made.type))  # -0 becomes 0, as wherever MariaDB stores a number
