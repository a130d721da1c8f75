"""Sessions on one MariaDB server: a writing one, and where its files can be read a reading one with packed answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pyarrow as pa

from skyshard.apdb.stores.scratch_images import ScratchImages
from skyshard.apdb.stores.session_transaction import SessionTransaction
from skyshard.apdb.stores.sql_dialect import TEXT_CHARACTERS, Dialect
from skyshard.apdb.stores.sql_server import Deadlock, Duplicate, Keep, NoMonth, Spent, kept
from skyshard.apdb.stores.store_settings import Upsert
from skyshard.apdb.stores.stored_tables import StoredTable
from skyshard.basics.errors import SkyshardError
from skyshard.db.arrow_literals import RowLiterals, one_batch
from skyshard.db.bulk_rows import BulkRows
from skyshard.db.connection import Connection

T = TypeVar("T")

WAITED_IN_A_CIRCLE = {1213, 1205}
DUPLICATE, NO_PARTITION = 1062, 1526
LITERAL_ROWS = 2_000
"""In one statement."""
MARIADB = Dialect(
    "MariaDB", "`",
    {
        pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INT", pa.int64(): "BIGINT", pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE", pa.string(): f"VARCHAR({TEXT_CHARACTERS})",
    },
    lock="FOR UPDATE",
    insert_once="INSERT IGNORE INTO",
    # REPLACE locks gaps of the index of objects until it is committed, for which other tiles wait
    upserts=(Upsert.ON_DUPLICATE, Upsert.REPLACE, Upsert.DELETE_INSERT),
)  # fmt: skip


class MariaDbServer(SessionTransaction):
    """One session (:class:`~skyshard.apdb.stores.sql_server.SqlServer`); both connections are in the database."""

    dialect = MARIADB
    begin_words = "START TRANSACTION"

    def __init__(
        self, writer: Connection, images: ScratchImages | None, reader: Connection | None = None,
        forget_months: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """``forget_months`` is called when a month that should be there is not."""
        self._writer = writer
        self._forget_months = forget_months
        self._images = images
        self._reader = reader
        self._forms: dict[str, tuple[RowLiterals, str]] = {}
        """How the rows of a table are written as text, and the list of its columns."""
        self._takes_bulk = writer.takes_bulk
        self._bulk: dict[str, BulkRows] = {}
        self._statements: dict[tuple[str, str, str], int] = {}
        """Prepared in this session, by table, verb and tail."""
        # rows are locked, not the gaps between them: tiles put new objects side by side
        writer.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        if reader is not None:
            reader.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def run(self, sql: str) -> Spent:
        begun = time.perf_counter()
        changed = self._execute(sql)
        return Spent(changed, len(sql), time.perf_counter() - begun, 0.0)

    def fetch(self, sql: str, schema: pa.Schema, keep: Keep | None = None) -> tuple[pa.Table, Spent]:
        """In a transaction, and where files cannot be read, by the text protocol."""
        if self._images is not None and not self._in_transaction:
            return self._images.fetch(sql, schema, keep)
        rows, spent = self.fetch_text(sql, schema)
        return kept(rows, keep), spent

    def fetch_text(self, sql: str, schema: pa.Schema) -> tuple[pa.Table, Spent]:
        """For few values: quicker than packed records then."""
        begun = time.perf_counter()
        rows = _mapped(partial(self._writer.rows, _exact(sql, schema)))
        answered = time.perf_counter()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        table = pa.table(arrays, schema=schema)
        return table, Spent(len(rows), table.nbytes, answered - begun, time.perf_counter() - answered)

    def insert(self, table: StoredTable, rows: pa.Table, verb: str, tail: str = "") -> Spent:
        begun = time.perf_counter()
        batch = one_batch(rows)
        if self._takes_bulk and len(batch):
            form = self._bulk.get(table.name) or self._bulk.setdefault(table.name, BulkRows(table.schema))
            content = form.content(batch)
            if content is not None:
                return self._insert_bulk(table, form, verb, tail, len(batch), content, begun)
        return self._insert_text(table, batch, verb, tail, begun)

    def _insert_bulk(
        self, table: StoredTable, form: BulkRows, verb: str, tail: str, count: int, content: bytes, begun: float
    ) -> Spent:
        """By a statement that the session prepares once."""
        sent = time.perf_counter()
        key = (table.name, verb, tail)
        if key not in self._statements:
            marks = ",".join("?" * len(form.columns))
            listed = self.dialect.listed(form.columns)
            sql = f"{verb} {self.dialect.named(table.name)} ({listed}) VALUES ({marks}) {tail}"
            self._statements[key] = self._asked(partial(self._writer.prepare, sql))
        self._asked(partial(self._writer.insert_bulk, self._statements[key], form.types, content))
        return Spent(count, len(content), time.perf_counter() - sent, sent - begun)

    def _insert_text(self, table: StoredTable, rows: pa.RecordBatch, verb: str, tail: str, begun: float) -> Spent:
        if table.name not in self._forms:
            form = RowLiterals(table.schema)
            self._forms[table.name] = form, self.dialect.listed(form.columns)
        form, listed = self._forms[table.name]
        head = f"{verb} {self.dialect.named(table.name)} ({listed}) VALUES "
        parts = list(form.parts(rows, LITERAL_ROWS))
        sent = time.perf_counter()
        for part in parts:
            self._execute(f"{head}{part} {tail}")
        size = sum(map(len, parts)) + len(head)
        return Spent(len(rows), size, time.perf_counter() - sent, sent - begun)

    def close(self) -> None:
        if self._images is not None:
            with contextlib.suppress(SkyshardError):
                self._images.close()
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()

    def _execute(self, sql: str) -> int:
        return self._asked(partial(self._writer.execute, sql))

    def _asked(self, ask: Callable[[], int]) -> int:
        try:
            return _mapped(ask)
        except NoMonth:
            self._forget_months()
            raise


def _mapped(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except SkyshardError as error:
        code = getattr(error.__cause__, "args", (0,))[0]
        if code in WAITED_IN_A_CIRCLE:
            raise Deadlock(error.what, retryable=True) from error
        if code == NO_PARTITION:
            raise NoMonth(error.what, retryable=True) from error
        if code == DUPLICATE:
            words = str(getattr(error.__cause__, "args", ("", ""))[-1])
            raise Duplicate(f"{words}", remedy="a row of this key is stored already") from error
        raise


def _exact(sql: str, schema: pa.Schema) -> str:
    """The statement with FLOATs as doubles, which the text protocol carries with all their bits."""
    if pa.float32() not in schema.types:
        return sql
    listed = ", ".join(
        f"CAST(`{field.name}` AS DOUBLE)" if field.type == pa.float32() else f"`{field.name}`" for field in schema
    )
    return f"SELECT {listed} FROM ({sql}) AS q"


def _array(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    if kind == pa.float32():
        return pa.array(values, pa.float64()).cast(kind, safe=False)
    return pa.array(values, kind)
