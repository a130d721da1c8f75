"""Computes a column way with DuckDB over Arrow tables: the one file that knows DuckDB's API.

Rules: one database in memory for the process, without files, network or extensions; each call computes in its caller's
thread alone, so that the scan lanes decide how many processors work. What the engine cannot do is ``NotByColumns``: the
same chunks are then read as rows. So is a result that is no number, or not of the type that MariaDB declares.

Why DuckDB, Arrow's own kernels or NumPy: docs/explanation/columns-proof.md.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
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
_LOCK = threading.Lock()
_DATABASE: list[Any] = []


class Calls:
    """Calls of the engine that are under way, to be stopped from another thread."""

    def __init__(self) -> None:
        self._cursors: set[Any] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of the engine's database for one call."""
        found = _database().cursor()
        with self._lock:
            self._cursors.add(found)
        try:
            yield found
        finally:
            with self._lock:
                self._cursors.discard(found)
            found.close()

    def stop(self) -> None:
        """End what is computed now, with an error; what has not begun is not stopped."""
        with self._lock:
            for one in self._cursors:
                one.interrupt()


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

    try:
        with calls.cursor() as cursor:
            for slot, table in tables.items():
                cursor.register(f"t{slot}", table)
            for check in way.checks:
                if cursor.sql(check).fetchall():
                    raise NotByColumns("columns: a number beyond DOUBLE")
            return cursor.sql(way.text).to_arrow_table()
    except duckdb.Error as error:
        raise NotByColumns(f"columns: {str(error).splitlines()[0]}") from error


def _database() -> Any:
    with _LOCK:
        if not _DATABASE:
            import duckdb

            made = duckdb.connect(":memory:")
            for setting in _SETTINGS:
                made.execute(f"SET {setting}")
            _DATABASE.append(made)
        return _DATABASE[0]


def in_types(found: pa.Table, names: Sequence[str], types: Sequence[pa.DataType]) -> pa.Table:
    """A result with the types that MariaDB declares for its columns.

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
        return values.cast(kind)
    except pa.ArrowInvalid as error:
        raise NotByColumns(f"columns: {error}") from error


def _floating(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    made = values.cast(kind) if pa.types.is_floating(kind) else None
    if made is None or (kind != values.type and not made.cast(values.type).equals(values)):
        raise NotByColumns(f"columns: a value of type {values.type} where MariaDB has one of type {kind}")
    if not pc.all(pc.is_finite(made), skip_nulls=True).as_py() and made.null_count < len(made):
        raise NotByColumns("columns: a number beyond DOUBLE")
    return made
