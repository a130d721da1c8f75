"""What the page shows (``skyshard.serve.page_services``), of an open testbed."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import skyshard
import skyshard.replicate
from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import whole_number
from skyshard.cli.serving.bench_runs import bench_runs
from skyshard.cli.serving.kept_facts import KeptFacts
from skyshard.cli.serving.node_looks import Load, NodeLoads, disk_of
from skyshard.cli.serving.sky_chunks import sky_of
from skyshard.cluster.cluster import LOG_FOLDER
from skyshard.log.event_files import EventFiles
from skyshard.log.events import TRANSACTION_INTERRUPTED
from skyshard.log.events import Subject as LogSubject
from skyshard.registry.history.query_history import HistoryRow
from skyshard.serve.page_services import (
    BenchNow,
    CatalogNow,
    NodeNow,
    RunningQuery,
    RunningState,
    SkyNow,
    Subject,
    TransactionNow,
)
from skyshard.story.read_story import Stories

if TYPE_CHECKING:
    from skyshard.czar.result.query_progress import Running

MOST_RUNNING = 500
LAST_TRANSACTIONS = 20
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"`;,]+/)+")


class TestbedOverview:
    """``Overview`` of a testbed. Safe for threads."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed
        self._loads = NodeLoads()
        self._facts = KeptFacts(testbed)

    def running(self) -> list[RunningQuery]:
        history = self._testbed.registry.history
        here = {one.query: one for one in self._testbed.czar.under_way()}
        noted = history.last(MOST_RUNNING, only_open=True)
        lost = {row["id"] for row in noted if row["state"] == "executing" and history.is_gone(row)}
        submitted = [running_query(row, here.pop(row["name"], None), is_lost=row["id"] in lost) for row in noted]
        return [*map(answered_at_once, here.values()), *submitted]

    def busy(self) -> dict[str, list[int]]:
        chunks: dict[str, set[int]] = {}
        for one in self._testbed.czar.under_way():
            done = {chunk for unit in list(one.units) for chunk in unit.chunks}
            chunks.setdefault(one.database, set()).update(set(one.asked) - done)
        return {database: sorted(numbers) for database, numbers in chunks.items() if numbers}

    def nodes(self) -> list[NodeNow]:
        testbed = self._testbed
        skyshard.replicate.watch_nodes(testbed.registry, lambda: testbed.wiring.reached)
        rows, described = testbed.registry.nodes.rows(testbed.nodes), testbed.cluster.nodes
        shown = [name for name in described if name in rows and rows[name].state != "removed"]
        loads = self._loads.now({name: described[name].sql for name in shown if not rows[name].down_s})
        held = {one.node: one for one in self._facts.last().status.nodes}
        found = []
        for name in shown:
            row, mine, load = rows[name], held.get(name), loads.get(name, Load(0, None))
            holds = (mine.chunks, mine.rows, mine.bytes, mine.share, mine.faulty) if mine else (0, 0, 0, 0.0, 0)
            statements = load.statements if name in loads else None
            found.append(
                NodeNow(
                    name, str(row.state), row.down_s or None, row.outages, statements, load.statements_a_second, *holds,
                    *disk_of(described[name]),
                )
            )  # fmt: skip
        return found

    def catalogs(self) -> list[CatalogNow]:
        facts = self._facts.now()
        health = {one.database: one for one in facts.status.databases}
        found = []
        for one in facts.databases:
            mine = health.get(one.database)
            counts = (min(mine.levels, default=None), mine.chunks, mine.under, mine.lost) if mine else (None, 0, 0, 0)
            found.append(
                CatalogNow(
                    one.database, one.state, one.aliases, one.tables, one.rows, one.bytes, one.replicas, *counts,
                    one.changed_s, tuple(facts.directors.get(one.stored_as, ())),
                )
            )  # fmt: skip
        return found

    def transactions(self) -> list[TransactionNow]:
        registry = self._testbed.registry
        names, rows = registry.published.names(), registry.transactions.last(LAST_TRANSACTIONS)
        recorded = registry.transactions.recorded([row["id"] for row in rows])
        halted = self._interrupted([row["id"] for row in rows if row["ended_s"] is None])
        return [
            TransactionNow(
                row["id"], names.shown(row["database"]), row["state"], without_folders(row["source"]), row["attempt"],
                row["begun_s"], row["ended_s"], *recorded.get(row["id"], (0, 0, 0)),
                without_folders(row["error"] or halted.get((row["id"], row["attempt"]), "")),
            )
            for row in rows
        ]  # fmt: skip

    def _interrupted(self, numbers: Collection[int]) -> dict[tuple[int, int], str]:
        """Transaction and attempt → what interrupted it, of open ones: the registry does not keep that."""
        if not numbers:
            return {}
        files = EventFiles(self._testbed.cluster.folder / LOG_FOLDER)
        told = files.read(
            LogSubject.TRANSACTION,
            lambda one: one.event == TRANSACTION_INTERRUPTED.name and one.fields["transaction"] in numbers,
        )
        return {(int(one.fields["transaction"]), int(one.fields["attempt"])): one.text for one in told}

    def benchmarks(self) -> list[BenchNow]:
        return bench_runs(self._testbed.cluster.folder)

    def sky(self, database: str, table: str) -> SkyNow:
        down = {name for name, row in self._testbed.registry.nodes.rows().items() if row.down_s}
        return sky_of(self._testbed.registry.published.catalog(database), table, down)

    def story(self, subject: Subject, name: str) -> dict[str, Any]:
        stories = Stories(self._testbed.cluster.folder)
        if subject == "node":
            told = stories.node(name)
        else:
            told = {"query": stories.query, "transaction": stories.transaction}[subject](_number(name))
        facts = {key: shown_fact(key, value) for key, value in told.facts.items()}
        events = [replace(one, text=without_folders(one.text)) for one in told.events]
        notes = [without_folders(note) for note in told.notes]
        return replace(told, facts=facts, events=events, notes=notes).as_json()

    def stop(self, key: str) -> bool:
        if not key.isdecimal():
            return self._testbed.czar.cancel(key)
        if self._testbed.submitted.status(_number(key)).state not in ("queued", "executing"):
            return False
        return self._testbed.submitted.cancel(_number(key)).state == "cancelled"


def running_query(row: HistoryRow, here: Running | None, *, is_lost: bool) -> RunningQuery:
    """A submitted query; ``here``: its counters, where this process answers it."""
    done = {
        name: getattr(here or row, name) if here else row[name]
        for name in ("chunks_done", "rows", "bytes", "column_bytes")
    }
    chunks = here.chunks if here else row["chunks"]
    state: RunningState = "lost" if is_lost else "queued" if row["state"] == "queued" else "executing"
    left_s = _left(row["begun_s"], done["chunks_done"], chunks) if state == "executing" else None
    return RunningQuery(
        str(row["id"]), row["id"], row["database"], row["statement"], state, here.lane if here else row["lane"],
        row["submitted_s"], row["begun_s"], chunks, done["chunks_done"], done["rows"], done["bytes"], left_s, True,
        done["column_bytes"],
    )  # fmt: skip


def answered_at_once(one: Running) -> RunningQuery:
    """A query that comes into the history when it has ended."""
    left_s = _left(one.begun_s, one.chunks_done, one.chunks)
    return RunningQuery(
        one.query, None, one.database, one.statement, "executing", one.lane, one.begun_s, one.begun_s, one.chunks,
        one.chunks_done, one.rows, one.bytes, left_s, True, one.column_bytes,
    )  # fmt: skip


def _left(begun_s: float | None, done: int, chunks: int) -> float | None:
    """Seconds to the end; None before the first chunk, and after the last one: merging takes as long as it takes."""
    if begun_s is None or not 0 < done < chunks:
        return None
    return max(0.0, time.time() - begun_s) * (chunks - done) / done


def _number(text: str) -> int:
    with contextlib.suppress(ValueError):
        return whole_number(text)
    raise UserError(f"'{text}' is no number", remedy="give one that is listed")


def without_folders(text: str) -> str:
    """A text without the folders of the paths in it: the names of files stay.

    >>> without_folders("cannot read '/data/hsc/part-3.parquet': gone; see /var/log/x.log, 3/4 km/s")
    "cannot read 'part-3.parquet': gone; see x.log, 3/4 km/s"
    """
    return _FOLDERS.sub("", text)


def shown_fact(name: str, value: Any) -> Any:
    """A fact of a story, without folders; a statement stays as it is."""
    if isinstance(value, str):
        return value if name == "statement" else without_folders(value)
    if isinstance(value, Mapping):
        return {key: shown_fact(key, one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [shown_fact(name, one) for one in value]
    return value
