"""Statements that one server runs as they are, and the rows of a final statement as Arrow.

Rules: the rows go through a scratch table of the known types, because only there is a FLOAT exact; rows stay in the
order in which the statement gave them. Server errors come out in the user's words.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from skyshard.czar.scratch import file_name, scratch_table
from skyshard.czar.typed import (
    TypedColumn,
    create_scratch,
    from_rows,
    from_slice,
    record_layout,
    select_exactly,
)
from skyshard.db.connection import Connection
from skyshard.errors import Bug, Refusal, SkyshardError, UserError


def answer_whole(connection: Connection, query: str, statement: str, types: Sequence[TypedColumn]) -> pa.Table:
    """Run a statement on one server and fetch its rows."""
    batches = list(stored_batches(connection, query, statement, types, None))
    return pa.Table.from_batches(batches, pa.schema([(column.name, column.arrow) for column in types]))


def store_result(
    connection: Connection, query: str, statement: str, types: Sequence[TypedColumn], data_dir: Path
) -> pa.Table:
    """Run a statement into a scratch table and fetch it, from the data file where there can be one."""
    batches = list(stored_batches(connection, query, statement, types, data_dir))
    return pa.Table.from_batches(batches, pa.schema([(column.name, column.arrow) for column in types]))


def stored_batches(
    connection: Connection, query: str, statement: str, types: Sequence[TypedColumn], data_dir: Path | None
) -> Iterator[pa.RecordBatch]:
    """Run a statement into a scratch table and read it: from its data file if ``data_dir`` is given and there can be
    one, then in bounded memory; else as text."""
    table = scratch_table(query, "r")
    layout = record_layout(types) if data_dir is not None else None
    connection.execute(create_scratch(table, types, is_temporary=layout is None))
    try:
        rows = connection.execute(f"INSERT INTO {table} {statement}")
        if layout is not None and data_dir is not None:
            yield from from_slice(data_dir / file_name(query, "r"), 0, rows, types, layout)
        else:
            yield from from_rows(connection.rows(select_exactly(types, table)), types).to_batches()
    finally:
        with contextlib.suppress(SkyshardError):
            connection.execute(f"DROP TABLE IF EXISTS {table}")


_REMEDIES = {
    1305: "see docs/queries.md for the functions there are",
    1630: "see docs/queries.md for the functions there are",
    1582: "check the number of arguments",
    1064: "the server does not know this syntax",
    1054: "check the names",
}
_PHYSICAL = re.compile(r"`?skyshard_scratch`?\.|`?q_\d+_\d+_\d+_\w+`?")


def in_words(error: SkyshardError, query: str) -> SkyshardError:
    """An error of a server without sockets, scratch names and generated statements."""
    cause = error.__cause__
    arguments: tuple[object, ...] = getattr(cause, "args", ())
    if not isinstance(error, UserError) or isinstance(error, Refusal) or len(arguments) < 2:
        return error
    code, words = int(str(arguments[0])), _PHYSICAL.sub("", str(arguments[1])).strip()
    if query in words:
        return Bug(f"{words} ({code})")
    return UserError(f"the server refuses the statement: {words} ({code})", remedy=_REMEDIES.get(code, ""))
