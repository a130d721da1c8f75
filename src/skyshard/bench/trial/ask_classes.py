"""Asks each class of a mixed phase once more by itself, so that what servers count is that class's.

Only when server statistics are asked for, and after the phases: what is measured is not slowed down. Servers are warm
then, one query is in flight at a time, and they count rows by table (``userstat``).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import SkyshardError
from skyshard.basics.progress import Stage, Watcher
from skyshard.bench.record.server_work import TABLE_ROWS_SCHEMA, Attribution, WorkMeter, WorkProbe
from skyshard.bench.target import TakesForms, Target

CLASS_S = 1.0
"""So long a class is asked, and at least once: its statements in turn. The system counts processor time in 10 ms."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """Windows of classes asked by themselves, and rows by table."""

    work: pa.Table
    table_rows: pa.Table


def ask_classes(
    target: Target, probe: object, samples: pa.Table, statements: Sequence[str], database: str, watcher: Watcher
) -> AskedAgain | None:
    """Ask every class of every phase again; None when the servers tell nothing, failed, or Ctrl-C stopped it."""
    if not isinstance(probe, WorkProbe) or isinstance(target, TakesForms):
        return None
    pairs = samples.group_by(["phase", "class"], use_threads=False).aggregate([]).to_pylist()
    stage, meter, rows = Stage(watcher, "asking classes by themselves", len(pairs)), WorkMeter(probe), []
    stage.report(0)
    for done, pair in enumerate(pairs):
        phase, name = str(pair["phase"]), str(pair["class"])
        asked = _of_class(samples, statements, phase, name)
        try:
            probe.count_tables()
            with meter.window(phase, name, Attribution.AGAIN) as queries:
                queries.append(_ask(target, asked, database))
            counted = probe.table_rows()
        except (SkyshardError, KeyboardInterrupt):  # the trial is complete without
            return None
        named = {"phase": phase, "class": name, "queries": queries[0]}
        rows += [
            named | {"node": one.node, "table": one.table, "index": one.index, "rows_read": one.rows_read}
            for one in counted
        ]
        stage.report(done + 1)
    return AskedAgain(meter.table, pa.Table.from_pylist(rows, schema=TABLE_ROWS_SCHEMA))


def _of_class(samples: pa.Table, statements: Sequence[str], phase: str, name: str) -> list[str]:
    """The distinct statements of a class that were answered, as they were sent; all, if none was."""
    sent = samples.filter(pc.and_(pc.equal(samples["phase"], phase), pc.equal(samples["class"], name)))
    answered = sent.filter(pc.is_null(sent["error"]))
    numbers = (answered if answered.num_rows else sent).sort_by("sent_s")["statement"].to_pylist()
    return [statements[number] for number in dict.fromkeys(numbers)]


def _ask(target: Target, asked: Sequence[str], database: str) -> int:
    """Send statements one after another, again from the first if there is time; returns how many were sent."""
    begun, sent = time.perf_counter(), 0
    for sql in itertools.cycle(asked):
        target.run(sql, database)
        sent += 1
        if time.perf_counter() - begun >= CLASS_S:
            break
    return sent
