"""The table of events: every one that is logged, with its level, its fields and its sentence. Values only.

An event is about a query, a transaction or a node, which says in which file of a cluster it is kept, or about the
program: those are not kept. The fields of an event are those that name its subject, and the names in braces of its
sentence.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

EventValue = str | int | float
MOST_CHARACTERS = 300
"""A longer text (an error, a statement, a path) is cut."""


class Subject(StrEnum):
    """What an event is about."""

    QUERY = "query"
    TRANSACTION = "transaction"
    NODE = "node"
    PROGRAM = "program"


_NAMING: dict[Subject, tuple[str, tuple[str, ...]]] = {
    Subject.QUERY: ("query {query}: ", ("query",)),
    Subject.TRANSACTION: ("transaction {transaction} of {database}: ", ("transaction", "database")),
    Subject.NODE: ("{node}: ", ("node",)),
    Subject.PROGRAM: ("", ()),
}
"""How an event names its subject, and the fields that do."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event; its sentence leaves out whom it is about.

    >>> DISK_FULL.fields
    ('node', 'sessions')
    >>> DISK_FULL.line({"node": "node2", "sessions": 1})
    'node2: 1 statements ended that waited for room on disk'
    """

    name: str
    subject: Subject
    level: int
    text: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields."""
        in_sentence = (name for _, name, _, _ in string.Formatter().parse(self.text) if name)
        return tuple(dict.fromkeys((*_NAMING[self.subject][1], *in_sentence)))

    def sentence(self, fields: Mapping[str, EventValue]) -> str:
        return _filled(self.text, fields)

    def line(self, fields: Mapping[str, EventValue]) -> str:
        """The sentence, and whom it is about."""
        return _filled(_NAMING[self.subject][0], fields) + self.sentence(fields)


def _filled(text: str, fields: Mapping[str, EventValue]) -> str:
    """The text with the fields in it; one that does not fit, which tests forbid, costs the sentence, not the work."""
    try:
        return text.format_map(fields)
    except (KeyError, ValueError):
        return f"{text} {dict(fields)}"


def bounded(value: EventValue) -> EventValue:
    """A value as it is logged: a text in one line, and not too long.

    >>> bounded("SELECT *  FROM\\n Object"), bounded(3), len(str(bounded("x" * 1000)))
    ('SELECT * FROM Object', 3, 300)
    """
    if not isinstance(value, str):
        return value
    line = " ".join(value[: 4 * MOST_CHARACTERS].split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"


KINDS: dict[str, EventKind] = {}
"""All kinds by their names."""


def _kind(subject: Subject, level: int, name: str, text: str) -> EventKind:
    KINDS[name] = EventKind(name, subject, level, text)
    return KINDS[name]


_Q, _T, _N, _P = Subject.QUERY, Subject.TRANSACTION, Subject.NODE, Subject.PROGRAM

QUERY_PLANNED = _kind(
    _Q, logging.INFO, "query_planned", "planned in {planned_s:.3f} s: {kind}, {lane} lane, {chunks} chunks"
)
ROUND_BEGUN = _kind(_Q, logging.DEBUG, "round_begun", "round {round}: {chunks} chunks in {units} units on {nodes}")
UNITS_FAILED = _kind(_Q, logging.WARNING, "units_failed", "{node} did not give {chunks} chunks: {error}")
FAILED_OVER = _kind(_Q, logging.WARNING, "failed_over", "{chunks} chunks are asked of {nodes} instead")
CHUNKS_LEFT_OUT = _kind(
    _Q, logging.WARNING, "chunks_left_out", "{chunks} chunks are left out, no replica of them answers"
)
STATEMENT_MOVED = _kind(
    _Q, logging.WARNING, "statement_moved", "{node} did not answer, the next node is asked: {error}"
)
PLANNED_AGAIN = _kind(_Q, logging.INFO, "planned_again", "planned again, a compaction had replaced its tables")
QUERY_ENDED = _kind(
    _Q,
    logging.INFO,
    "query_ended",
    "ended after {elapsed_s:.3f} s: {rows:,} rows of {chunks} chunks in {units} units, {retried} chunks asked again",
)
QUERY_FAILED = _kind(_Q, logging.WARNING, "query_failed", "failed after {elapsed_s:.3f} s: {error}")
QUERY_REFUSED = _kind(_Q, logging.INFO, "query_refused", "refused after {elapsed_s:.3f} s: {error}")
QUERY_CANCELLED = _kind(_Q, logging.INFO, "query_cancelled", "cancelled after {elapsed_s:.3f} s")
SLOW_STATEMENT = _kind(
    _Q, logging.INFO, "slow_statement", "took {elapsed_s:.1f} s ({planned_s:.3f} s to plan): {statement}"
)

TRANSACTION_BEGUN = _kind(_T, logging.INFO, "begun", "begun: tables {tables} from {slices} input slices")
COMPACTION_BEGUN = _kind(
    _T,
    logging.INFO,
    "compaction_begun",
    "begun: parts of {tables} chunk tables and {indexes} director indexes to merge",
)
TRANSACTION_RESUMED = _kind(
    _T,
    logging.INFO,
    "resumed",
    "resumed, attempt {attempt}: {kept} chunk tables are kept, {lost} are to be made again",
)
TABLE_PARTITIONED = _kind(
    _T,
    logging.INFO,
    "table_partitioned",
    "{table} partitioned in {elapsed_s:.2f} s: {rows:,} rows of {slices} input slices",
)
CHUNKS_PLACED = _kind(
    _T,
    logging.INFO,
    "chunks_placed",
    "{chunks} chunks placed on {nodes} nodes, {replicas} replicas each",
)
TABLES_LOADED = _kind(
    _T,
    logging.INFO,
    "tables_loaded",
    "{tables} tables with {rows:,} rows made on {node}, overlap copies counted",
)
INDEX_BUILT = _kind(
    _T,
    logging.INFO,
    "index_built",
    "director index of {director} built, {keys:,} keys",
)
PARTS_MERGED = _kind(
    _T,
    logging.INFO,
    "parts_merged",
    "{parts} parts of {tables} chunk tables merged, counted with their replicas",
)
TABLE_DROPPED = _kind(_T, logging.INFO, "table_dropped", "dropped {table}, with all that earlier ones brought to it")
TRANSACTION_PUBLISHED = _kind(_T, logging.INFO, "published", "published: {rows:,} rows")
TRANSACTION_INTERRUPTED = _kind(
    _T,
    logging.WARNING,
    "interrupted",
    "interrupted in attempt {attempt}, it stays open: {error}",
)
TRANSACTION_ABORTING = _kind(_T, logging.WARNING, "aborting", "is being aborted: {error}")
TRANSACTION_ABORTED = _kind(_T, logging.INFO, "aborted", "aborted, nothing of it is left")

SERVER_STARTED = _kind(_N, logging.INFO, "server_started", "started: process {pid}, MariaDB {version}")
SERVER_NOT_STARTED = _kind(_N, logging.ERROR, "server_not_started", "did not start: {error}")
SERVER_CRASHED = _kind(_N, logging.WARNING, "server_crashed", "was found dead, without a proper stop")
SERVER_STOPPED = _kind(_N, logging.INFO, "server_stopped", "stopped")
SERVER_KILLED = _kind(_N, logging.WARNING, "server_killed", "killed: {reason}")
NODE_SILENT = _kind(
    _N,
    logging.WARNING,
    "node_silent",
    "gave no answer for {silence_s:g} s, nor to a second session: {sessions} sessions cut",
)
ROWS_AS_TEXT = _kind(_N, logging.WARNING, "rows_as_text", "large results travel as text, which is slow: {error}")
NODE_ANSWERS = _kind(_N, logging.INFO, "node_answers", "answers again")
NODE_STATE = _kind(_N, logging.INFO, "node_state", "is {state} from now on")
DISK_FULL = _kind(_N, logging.WARNING, "disk_full", "{sessions} statements ended that waited for room on disk")
SCRATCH_SWEPT = _kind(
    _N, logging.INFO, "scratch_swept", "{tables} scratch tables dropped that ended processes had left"
)
TABLES_SWEPT = _kind(
    _N, logging.INFO, "tables_swept", "{tables} tables of {database} dropped that no transaction accounts for any more"
)
REPLICA_BAD = _kind(_N, logging.WARNING, "replica_bad", "{table} is bad, queries leave it: {error}")
REPLICA_GOOD_AGAIN = _kind(_N, logging.INFO, "replica_good_again", "{table} is good again")
IMAGES_BAD = _kind(
    _N, logging.WARNING, "images_bad", "column images {file} are out of use, their rows are read instead: {error}"
)
REPLICA_LOST = _kind(_N, logging.ERROR, "replica_lost", "{table} is lost: no node has its {rows} rows any more")
CHUNKS_CAME = _kind(_N, logging.INFO, "chunks_came", "{chunks} chunks came from other nodes, job {job}")
CHUNKS_LEFT = _kind(_N, logging.INFO, "chunks_left", "{chunks} chunks are read on other nodes now, job {job}")
RECORDS_NOT_KEPT = _kind(
    _N, logging.WARNING, "records_not_kept", "keeps no new records of {database}, it gets them next time: {error}"
)
STATEMENTS_ENDED = _kind(
    _N, logging.WARNING, "statements_ended", "{statements} statements ended that ended processes had left"
)

RAY_STARTED = _kind(_P, logging.INFO, "ray_started", "Ray started in {elapsed_s:.1f} s with {cpus} processors")
RAY_JOINED = _kind(
    _P, logging.INFO, "ray_joined", "Ray at {address} joined in {elapsed_s:.1f} s: {nodes} nodes, {cpus} processors"
)
RAY_STOPPED = _kind(_P, logging.INFO, "ray_stopped", "Ray stopped")
PLANS_OUTDATED = _kind(
    _P, logging.DEBUG, "plans_outdated", "the registry is at generation {generation}: plans of {before} are made again"
)
SCAN_THROTTLED = _kind(
    _P, logging.DEBUG, "scan_throttled", "a scan unit waited {waited_s:.3f} s for interactive statements"
)
DRIVER_DIED = _kind(_P, logging.WARNING, "driver_died", "driver process {number} of a benchmark died: {error}")
RESULTS_EXPIRED = _kind(_P, logging.INFO, "results_expired", "{results} results of submitted queries expired")
HISTORY_LOST = _kind(
    _P, logging.WARNING, "history_lost", "{queries} queries could not be written into the history: {error}"
)
DOOR_FAILED = _kind(_P, logging.ERROR, "door_failed", "the door {door} failed at a request: {error}")
