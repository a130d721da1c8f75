"""Sends the chunk statements of a pull to the nodes, and brings the rows to one place.

Rules: each chunk is read on exactly one node that holds all tables of it; nodes work at the same time. Small pulls
travel as text, large ones as row images (data files are appended), which BLOB and TEXT columns cannot.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyshard.czar.plan import EXACT, Pull, Template
from skyshard.czar.scratch import file_name, scratch_table
from skyshard.czar.typed import TypedColumn, create_scratch, from_data_file, from_rows, record_layout, select_exactly
from skyshard.db.connection import Connection, Row
from skyshard.errors import ClusterError
from skyshard.worker.execute import BATCH_CHUNKS, Filled, QueryWorker, batched

TEXT_ROWS = 20_000
"""Pulls that read at most this many rows travel as text."""
BATCH_ROWS = 50_000
"""Chunk statements are put together up to this many rows that they read."""
INSERT_ROWS = 500


def assign(pull: Pull, nodes: Sequence[str]) -> dict[str, list[int]]:
    """Node → chunks to read there; the node with the fewest rows so far is taken.

    Raises:
        ClusterError: no node holds all tables of a chunk.
    """
    if pull.chunks is None:
        return {nodes[hash(pull.template.text) % len(nodes)]: [-1]}
    load = dict.fromkeys(nodes, 0)
    assigned: dict[str, list[int]] = {}
    tables = [slot.table for slot in pull.template.slots.values() if slot.table.layout.role.is_chunked]
    lost = []
    for chunk in pull.chunks:
        entries = [table.chunks[chunk] for table in tables if chunk in table.chunks]
        holders = [node for node in entries[0].nodes if all(node in entry.nodes for entry in entries) and node in load]
        if not holders:
            lost.append(chunk)
            continue
        node = min(holders, key=load.__getitem__)
        load[node] += sum(entry.rows for entry in entries) + 1
        assigned.setdefault(node, []).append(chunk)
    if lost:
        shown = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        raise ClusterError(f"no node holds all tables of chunks {shown}", remedy="see `skyshard verify`")
    return assigned


def cast_template(pull: Pull, columns: Sequence[TypedColumn], *, is_text: bool) -> Template:
    """The template of a pull, with casts that keep every digit on the way."""
    casts = {column.name: "DOUBLE" for column in columns if column.is_rounded}
    if is_text:
        casts.update({column.name: "DOUBLE" for column in columns if column.type.base == "float"})
    casts.update({one.name: EXACT for one in columns if one.name in pull.divided and one.type.base == "decimal"})
    return pull.cast(casts) if casts and pull.cast is not None else pull.template


def _fetched(text: str, pull: Pull, columns: Sequence[TypedColumn]) -> str:
    """A chunk statement as it is sent when rows travel as text."""
    is_ready = pull.cast is not None and not any(column.is_temporal for column in columns)
    statement = text if is_ready else select_exactly(columns, f"({text}) AS q")
    if pull.limit is None or (is_ready and " UNION ALL " not in text):
        return statement
    return f"{statement} LIMIT {pull.limit}"


class Dispatch:
    """Runs the pulls of one query."""

    def __init__(
        self,
        query: str,
        workers: Mapping[str, QueryWorker],
        pool: Executor,
        czar: Connection,
        czar_dir: Path,
        text_rows: int,
    ) -> None:
        self._query = query
        self._text_rows = text_rows
        self._workers = workers
        self._pool = pool
        self._czar = czar
        self._czar_dir = czar_dir

    def rows(self, pull: Pull, columns: Sequence[TypedColumn]) -> list[Row]:
        """The rows of a pull, as the driver returns them, in the form that ``typed.from_rows`` reads."""
        template = cast_template(pull, columns, is_text=True)
        calls = []
        for node, chunks in assign(pull, list(self._workers)).items():
            selects = [template.of_chunk(chunk) for chunk in chunks]
            texts = batched(selects, _batch(pull, len(chunks)))
            calls.append((self._workers[node].rows, (self._query, [_fetched(text, pull, columns) for text in texts])))
        return [row for part in self._all(calls) for row in part]

    def table(self, pull: Pull, columns: Sequence[TypedColumn]) -> pa.Table:
        """The rows of a pull as Arrow: the answer itself, without a stop at the czar's server."""
        layout = record_layout(columns)
        if pull.rows <= self._text_rows or layout is None:
            return from_rows(self.rows(pull, columns), columns)
        with self._images("p0", pull, columns) as images:
            tables = [from_data_file(image.path, columns, layout) for image in images]
        return pa.concat_tables(tables) if tables else from_rows([], columns)

    def bring(self, what: str, pull: Pull, columns: Sequence[TypedColumn]) -> str:
        """Bring the rows of a pull into a scratch table of the czar's server; returns its name.

        Small ones into a temporary table, which the session drops; large ones into a table that the caller drops.
        """
        table = scratch_table(self._query, what)
        keys = [key.columns[0] for key in pull.keys]
        is_text = pull.rows <= self._text_rows or record_layout(columns) is None
        self._czar.execute(create_scratch(table, columns, is_temporary=is_text, keys=keys))
        if is_text:
            self._insert(table, self.rows(pull, columns), len(columns))
        else:
            self._append_images(what, pull, columns)
        return table

    def _insert(self, table: str, rows: Sequence[Row], width: int) -> None:
        line = f"({', '.join(['%s'] * width)})"
        for start in range(0, len(rows), INSERT_ROWS):
            part = rows[start : start + INSERT_ROWS]
            values = ", ".join([line] * len(part))
            self._czar.execute(f"INSERT INTO {table} VALUES {values}", [value for row in part for value in row])

    def _append_images(self, what: str, pull: Pull, columns: Sequence[TypedColumn]) -> None:
        target = self._czar_dir / file_name(self._query, what)
        with self._images(what, pull, columns) as images, target.open("ab") as file:
            for image in images:
                with image.path.open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
        self._czar.execute(f"REPAIR TABLE {scratch_table(self._query, what)} QUICK")

    @contextlib.contextmanager
    def _images(self, what: str, pull: Pull, columns: Sequence[TypedColumn]) -> Iterator[list[Filled]]:
        """The rows of a pull as data files on the nodes, which are dropped in the end."""
        table, file = scratch_table(self._query, what), file_name(self._query, what)
        create = create_scratch(table, columns, is_temporary=False)
        assigned = assign(pull, list(self._workers))
        template = cast_template(pull, columns, is_text=False)
        calls = []
        for node, chunks in assigned.items():
            selects = [template.of_chunk(chunk) for chunk in chunks]
            arguments = (self._query, create, table, file, selects, _batch(pull, len(chunks)))
            calls.append((self._workers[node].fill, arguments))
        try:
            yield self._all(calls)
        finally:
            self._all([(self._workers[node].drop, (self._query, table)) for node in assigned])

    def _all(self, calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        """Run calls at the same time, one of them here; the first error stops the others."""
        if len(calls) == 1:
            return [calls[0][0](*calls[0][1])]
        futures: list[Future[Any]] = [self._pool.submit(function, *arguments) for function, arguments in calls]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            for worker in self._workers.values():
                worker.cancel(self._query)
            wait(futures)
            raise


def _batch(pull: Pull, chunks: int) -> int:
    """How many chunk statements go into one round trip."""
    rows_a_chunk = max(1, pull.rows // max(1, len(pull.chunks or ())))
    return max(1, min(BATCH_CHUNKS, BATCH_ROWS // rows_a_chunk, chunks))
