"""Runs a final statement on one server and reads its rows as Arrow.

Rules: the rows go through a scratch table of the known types, because only there is a FLOAT exact; rows stay in the
order in which the statement gave them. Server errors come out in the user's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import Bug, ClusterError, Refusal, SkyshardError, UserError
from skyshard.czar.result.overflow import require_unclipped
from skyshard.czar.result.row_images import FileRows
from skyshard.czar.result.typed_results import (
    TypedColumn,
    create_scratch,
    from_images,
    from_rows,
    record_layout,
    select_exactly,
)
from skyshard.czar.run.scratch_tables import file_name, scratch_table
from skyshard.db.connection import Connection

TABLE_FULL = 1114


class Stored:
    """The scratch table that holds a statement's rows; its maker drops ``table``.

    It is read from its data file if ``data_dir`` is given and there can be one, then in bounded memory; else as text.
    Few rows (not ``is_large``) are kept in memory, unless they turn out to be too many for it.
    """

    def __init__(
        self,
        connection: Connection,
        query: str,
        types: Sequence[TypedColumn],
        data_dir: Path | None,
        *,
        is_large: bool = True,
    ) -> None:
        self._connection = connection
        self._types = tuple(column.spelled() for column in types)
        self._filed = record_layout(self._types) if data_dir is not None else None
        self._layout = self._filed if is_large else None
        self._path = (data_dir or Path()) / file_name(query, "r")
        self._is_made = self._may_be_there = False
        self.table = scratch_table(query, "r")

    def create(self) -> None:
        """Make the table unless it is there."""
        if not self._is_made:
            self._may_be_there = True
            self._connection.execute(create_scratch(self.table, self._types, is_temporary=self._layout is None))
            self._is_made = True

    def batches(self, statement: str, clock: str = "") -> Iterator[pa.RecordBatch]:
        """Run a statement, and give its rows; ``clock`` sets the time for it."""
        self.create()
        try:
            rows = self._fill(statement, clock)
        except ClusterError as error:
            if self._layout is not None or self._filed is None or not is_full(error):
                raise
            self._connection.execute(f"DROP TABLE IF EXISTS {self.table}")
            self._layout, self._is_made = self._filed, False
            self.create()
            rows = self._fill(statement, clock)
        if self._layout is not None:
            yield from from_images(FileRows(self._path, 0, rows), self._types, self._layout)
        else:
            yield from from_rows(
                self._connection.rows(select_exactly(self._types, self.table)), self._types
            ).to_batches()

    def drop(self, *others: str) -> bool:
        """Drop the table, and others of its query; False where the server did not answer."""
        tables = [*others, self.table] if self._may_be_there else [*others]
        try:
            if tables:
                self._connection.execute(f"DROP TABLE IF EXISTS {', '.join(tables)}")
        except SkyshardError:
            return False
        return True

    def _fill(self, statement: str, clock: str) -> int:
        rows = self._connection.execute(f"{clock}INSERT INTO {self.table} {statement}")
        require_unclipped(self._types, self._connection, is_stored=True)
        return rows


def is_full(error: SkyshardError) -> bool:
    """True when a server says that a table is full: one in memory has reached its limit."""
    arguments: tuple[object, ...] = getattr(error.__cause__, "args", ())
    return TABLE_FULL in arguments[:1]


def store_result(
    connection: Connection,
    query: str,
    statement: str,
    types: Sequence[TypedColumn],
    data_dir: Path | None = None,
    clock: str = "",
    not_dropped: Callable[[], None] = lambda: None,
) -> pa.Table:
    """Run a statement into a scratch table and fetch it, from the data file where there can be one.

    ``not_dropped`` is called where the server did not answer when the table was to go.
    """
    stored = Stored(connection, query, types, data_dir)
    try:
        batches = list(stored.batches(statement, clock))
    finally:
        if not stored.drop():
            not_dropped()
    return pa.Table.from_batches(batches, pa.schema([(column.name, column.arrow) for column in types]))


_REMEDIES = {
    1305: "see docs/reference/sql.md for the functions there are",
    1630: "see docs/reference/sql.md for the functions there are",
    1582: "check the number of arguments",
    1064: "the server does not know this syntax",
    1054: "check the names",
    1060: "give the columns names that differ, as in ra AS ra2",
    1105: "check the XPATH expression",
    1117: "name fewer columns: a result has some 2,700 at most",
    1118: "name fewer or shorter columns",
    1139: "check the regular expression",
    1436: "nest less deeply, or split the statement",
}
_PHYSICAL = re.compile(r"`?skyshard_scratch`?\.|`?q_\w+_\d+_\d+_\d+_\w+`?")


def in_words(error: SkyshardError, query: str) -> SkyshardError:
    """An error of a server without sockets, scratch names and generated statements; any other as it is."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return error  # of the caller's own file
    if isinstance(cause, UnicodeDecodeError) and isinstance(error, UserError):
        return UserError(error.what.partition(": ")[2], remedy=error.remedy)
    arguments: tuple[object, ...] = getattr(cause, "args", ())
    is_servers = len(arguments) > 1 and isinstance(arguments[0], int)
    if not isinstance(error, UserError) or isinstance(error, Refusal) or not is_servers:
        return error
    code, words = int(str(arguments[0])), _PHYSICAL.sub("", str(arguments[1])).strip()
    if query in words:
        return Bug(f"{words} ({code})")
    return UserError(f"the server refuses the statement: {words} ({code})", remedy=_REMEDIES.get(code, ""))
