"""The life of a submitted query: it runs in the background and is watched and stopped through the registry.

Rules: the process that runs a query writes its progress several times a second and checks whether it is to stop. The
result is a Parquet file in the cluster folder, complete or not there. A query whose process is gone has failed. Results
expire.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, UserError, words_of
from skyshard.basics.lazy import lazy_module
from skyshard.czar.czar import Czar
from skyshard.czar.plan.query_plan import Kind, Lane
from skyshard.czar.result.answer import Answer, EndedStatement, QueryResult, QueryStats, ReadyAnswer, named
from skyshard.czar.result.output import Check, write_parquet, written_names
from skyshard.czar.result.query_progress import Cancelled, Running, left_of
from skyshard.czar.run.scratch_tables import query_name
from skyshard.host.atomic_files import new_file
from skyshard.host.processes import own_name
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import HISTORY_LOST, RESULTS_EXPIRED
from skyshard.registry.history.query_history import OPEN, HistoryRow, QueryHistory
from skyshard.registry.stored.lifecycle import QueryEvent, QueryState

pq = lazy_module("pyarrow.parquet")

WATCH_S = 0.1
FLUSH_S = 1.0
STOP_TIMEOUT_S = 10.0
_AGAIN = "submit it again: skyshard submit"


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """Where a submitted query is; ``eta_s`` is None where it is not known."""

    number: int
    state: QueryState
    statement: str
    database: str
    chunks: int
    chunks_done: int
    rows: int
    bytes: int
    elapsed_s: float
    eta_s: float | None
    error: str
    coverage: float
    column_bytes: int = 0


def status_of(row: HistoryRow) -> QueryStatus:
    """A row of the history as a status."""
    state = QueryState(row["state"])
    begun = row["begun_s"] or row["submitted_s"]
    elapsed = max(0.0, (row["ended_s"] or time.time()) - begun)
    eta = left_of(elapsed, row["chunks_done"], row["chunks"]) if state is QueryState.EXECUTING else None
    return QueryStatus(
        row["id"], state, row["statement"], row["database"], row["chunks"], row["chunks_done"], row["rows"],
        row["bytes"], elapsed, eta, row["error"], row["coverage"], row["column_bytes"],
    )  # fmt: skip


class Submitted:
    """Submitted queries of one cluster: ``folder`` holds their results."""

    def __init__(self, history: QueryHistory, folder: Path) -> None:
        self._history = history
        self._folder = folder

    def submit(self, sql: str, database: str, owner: str = "", limit_s: float = 0.0) -> int:
        """Record a statement, which the caller has to :meth:`run`. Sweeps results that have expired.

        Args:
            limit_s: one that takes longer, from when it begins on, is cancelled, which its error says; 0: no limit.
        """
        self.expire()
        return self._history.submit(query_name(), sql, database, owner, limit_s)

    def status(self, number: int) -> QueryStatus:
        """Where a query is; one whose process is gone is noted as failed."""
        row = self._history.get(number)
        if row["state"] == QueryState.EXECUTING and self._history.is_gone(row):
            self._history.move(number, QueryEvent.FAIL, error="the process that ran the query is gone")
            row = self._history.get(number)
        return status_of(row)

    def cancel(self, number: int) -> QueryStatus:
        """Stop a query and wait until it has ended."""
        if not self._history.withdraw(number):
            self._history.want_stop(number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while (status := self.status(number)).state in (QueryState.QUEUED, QueryState.EXECUTING):
            if time.monotonic() > deadline:
                raise ClusterError(f"query {number} does not stop", remedy="see skyshard status")
            time.sleep(WATCH_S / 2)
        return status

    def open(self, number: int) -> ReadyAnswer:
        """The rows of a completed query, to be read once in bounded memory.

        Raises:
            UserError: it has not completed, or its result has expired; with the error if it failed.
        """
        status = self.status(number)
        file = self._file(status, self._history.get(number))
        columns = written_names(file.schema_arrow)
        schema = named(file.schema_arrow, columns)
        batches = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in file.iter_batches())
        stats = QueryStats(
            Kind.LOCAL, Lane.SCAN, status.chunks_done, status.chunks, file.metadata.num_rows, status.elapsed_s, 0.0,
            status.bytes, (), status.coverage, column_bytes=status.column_bytes,
        )  # fmt: skip
        return ReadyAnswer(columns, schema, batches, stats)

    def _file(self, status: QueryStatus, row: HistoryRow) -> Any:
        """The file that holds the rows of a query; errors as of :meth:`open`."""
        name = f"query {status.number}"
        if not row["is_async"]:
            raise UserError(f"{name} was answered at once, its rows were not kept", remedy=_AGAIN)
        if status.state in OPEN:
            raise UserError(f"{name} is {status.state}", remedy=f"wait for it: skyshard status {status.number}")
        if status.state is not QueryState.COMPLETED:
            why = f": {status.error}" if status.error else ""
            raise UserError(f"{name} is {status.state}{why}", remedy=_AGAIN)
        try:
            return pq.ParquetFile(row["result"])
        except (OSError, pa.ArrowInvalid) as error:
            raise ClusterError(
                f"the rows of {name} cannot be read from {row['result']}: {error}", remedy=_AGAIN
            ) from error

    def result(self, number: int) -> QueryResult:
        """All rows of a completed query; errors as of :meth:`open`."""
        held = self.open(number)
        return QueryResult(held.columns, pa.Table.from_batches(list(held.batches), held.schema), held.counted)

    def run(self, number: int, czar: Czar, check: Check | None = None) -> None:
        """Answer a submitted query; its errors go to the history, those of ``check`` among them."""
        row = self._history.get(number)
        limit_s = float(row["limit_s"])
        host, process, process_began = own_name().split()
        mine = {"host": host, "process": int(process), "process_began": int(process_began), "name": query_name()}
        if not self._history.move(number, QueryEvent.BEGIN, **mine):
            return
        late = threading.Event()
        try:
            with (
                czar.open(row["statement"], row["database"], query=str(mine["name"])) as answer,
                self._watched(number, czar, answer.running, limit_s, late),
            ):
                path = self._write(number, answer, check)
            done = {**_counters(answer.running), "rows": pq.read_metadata(path).num_rows, "result": str(path)}
            done |= {"kind": str(answer.plan.kind), "lane": str(answer.plan.lane)}
            self._history.move(number, QueryEvent.COMPLETE, **done)
        except Cancelled:
            error = f"it took longer than the {limit_s:.12g} s that it was given" if late.is_set() else ""
            self._history.move(number, QueryEvent.CANCEL, error=error)
        except SkyshardError as error:
            self._history.move(number, QueryEvent.FAIL, error=str(error))
        except KeyboardInterrupt as error:
            self._history.move(number, QueryEvent.FAIL, error=f"the process that ran it got {error or 'SIGINT'}")
            raise
        except BaseException as error:
            self._history.move(number, QueryEvent.FAIL, error=f"{type(error).__name__}: {error}")
            raise

    @contextlib.contextmanager
    def _watched(
        self, number: int, czar: Czar, running: Running, limit_s: float, late: threading.Event
    ) -> Iterator[None]:
        """A thread writes progress and checks whether the query is to stop, on request or since it is late."""
        ended, end_s = threading.Event(), time.monotonic() + (limit_s or math.inf)

        def watch() -> None:
            while not ended.wait(min(WATCH_S, max(0.0, end_s - time.monotonic()))):
                if time.monotonic() >= end_s:
                    late.set()
                    czar.cancel(running.query)
                    ended.wait(WATCH_S)
                with contextlib.suppress(ClusterError):
                    if self._history.progress(number, **_counters(running)):
                        czar.cancel(running.query)

        thread = threading.Thread(target=watch, name=f"query-{number}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _write(self, number: int, answer: Answer, check: Check | None) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{number}.parquet"
        with new_file(path) as draft:
            write_parquet(answer, draft, check)
        return path

    def delete(self, number: int) -> None:
        """Forget the rows of a completed query before they expire.

        Raises:
            UserError: it has not completed, or its rows are gone.
        """
        row = self._history.get(number)
        self._file(self.status(number), row)
        Path(row["result"]).unlink(missing_ok=True)
        self._history.move(number, QueryEvent.EXPIRE, result="")

    def expire(self) -> int:
        """Remove results that have been kept long enough; returns how many."""
        expired = self._history.expired()
        for row in expired:
            Path(row["result"]).unlink(missing_ok=True)
            self._history.move(row["id"], QueryEvent.EXPIRE, result="")
        if expired:
            ONLY_LOGGED.tell(RESULTS_EXPIRED, results=len(expired))
        return len(expired)


def _counters(running: Running) -> dict[str, Any]:
    return {
        "chunks": running.chunks, "chunks_done": running.chunks_done, "rows": running.rows, "bytes": running.bytes,
        "coverage": running.coverage, "column_bytes": running.column_bytes,
    }  # fmt: skip


def _row_of(ended: EndedStatement) -> HistoryRow:
    now, stats = time.time(), ended.stats
    row: HistoryRow = {
        "name": ended.query, "is_async": False, "database": ended.database,
        "statement": ended.statement, "state": QueryState.COMPLETED if stats else QueryState.FAILED,
        "submitted_s": now - ended.elapsed_s, "begun_s": now - ended.elapsed_s, "ended_s": now, "error": ended.error,
        "kind": "", "lane": "", "chunks": 0, "chunks_done": 0, "rows": 0, "bytes": 0, "coverage": 1.0,
    }  # fmt: skip
    if stats is not None:
        row |= {"kind": str(stats.kind), "lane": str(stats.lane), "chunks": stats.chunks, "chunks_done": stats.chunks}
        row |= {"rows": stats.rows, "bytes": stats.bytes, "coverage": stats.coverage}
        row["column_bytes"] = stats.column_bytes
    return row


class Recorder:
    """Writes the queries that were answered at once into the history, many at a time, off the query's path."""

    def __init__(self, history: QueryHistory) -> None:
        self._history = history
        self._waiting: list[HistoryRow] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, ended: EndedStatement) -> None:
        """Take a query in; returns at once."""
        row = _row_of(ended)
        with self._lock:
            self._waiting.append(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="query-history", daemon=True)
                self._thread.start()

    def _write_on(self) -> None:
        while not self._is_closed:
            self._wake.wait(FLUSH_S)
            self.flush()

    def flush(self) -> None:
        """Write what waits; a history that cannot be written does not fail queries."""
        with self._lock:
            rows, self._waiting = self._waiting, []
        if rows:
            try:
                self._history.record(rows)
            except SkyshardError as error:
                ONLY_LOGGED.tell(HISTORY_LOST, queries=len(rows), error=words_of(error))

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
