"""A flame graph of a statement: what the nodes' servers execute while it is answered again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.bench.pages.flame_graph import flame_svg
from skyshard.host.atomic_files import write_atomically
from skyshard.host.perf import folded, sampled, why_not
from skyshard.testbed import Testbed

FLAME_S = 5.0
"""So long the statement is answered, and at least once."""


@dataclass(frozen=True, slots=True)
class Flame:
    """What came of it: ``samples``, or why there are none and what to do about it."""

    samples: int
    answered: int
    fault: str = ""


def record_flame(testbed: Testbed, sql: str, database: str, path: Path) -> Flame:
    """Write the flame graph of a statement: SVG, or folded stacks where the file's name does not end in ``.svg``.

    Raises:
        UserError, ClusterError: the statement cannot be answered, or the file not be written. That ``perf`` is not
            there or not allowed is no error.
    """
    if not path.parent.is_dir():
        raise UserError(f"no folder '{path.parent}'", remedy=f"make it, or write '{path.name}' elsewhere")
    nodes = set(testbed.nodes)
    pids = [one.pid for one in testbed.cluster.status() if one.name in nodes and one.pid is not None]
    if not pids:
        return Flame(0, 0, "no node's server runs on this host; run the command beside the servers")
    if fault := why_not(pids):
        return Flame(0, 0, fault)
    testbed.czar.analyze(sql, database)  # sessions and their threads are there before the servers are sampled
    answered = 0
    with sampled(pids) as found:
        begun = time.perf_counter()
        while not answered or time.perf_counter() - begun < FLAME_S:
            testbed.czar.analyze(sql, database)
            answered += 1
    if not found.stacks:
        return Flame(0, answered, f"perf saw nothing: {found.fault}; take a statement that keeps the servers busy")
    samples = found.stacks.total()
    title = f"{samples:,} samples of {len(pids)} servers, answered {answered} times: {' '.join(sql.split())[:120]}"
    text = flame_svg(found.stacks, title) if path.suffix == ".svg" else folded(found.stacks)
    write_atomically(path, text)
    return Flame(samples, answered)
