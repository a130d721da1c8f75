"""What monitoring asks, of a testbed: its registry, and which nodes answer."""

from __future__ import annotations

from collections.abc import Iterable

import skyshard
import skyshard.replicate
from skyshard.basics.errors import SkyshardError
from skyshard.registry.history.measures import EndedRow
from skyshard.serve.services import SECONDS, EndedSums, StateNow


class TestbedMeasures:
    """``Measures`` of a testbed."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def ended_queries(self, after: int) -> tuple[list[EndedSums], list[EndedSums], int]:
        rows, settled = self._testbed.registry.measures.ended_queries(after, SECONDS)
        return _sums(row for row in rows if row.is_settled), _sums(row for row in rows if not row.is_settled), settled

    def ingested_rows(self, after: int) -> tuple[int, int, int]:
        return self._testbed.registry.measures.ingested_rows(after)

    def now(self) -> StateNow:
        """Nodes are looked at unless a czar has just done so; one that was never seen down is up."""
        testbed, measures = self._testbed, self._testbed.registry.measures
        skyshard.replicate.watch_nodes(testbed.registry, lambda: testbed.wiring.reached)
        down = {name for name, row in testbed.registry.nodes.rows().items() if row.down_s}
        nodes = {name: name not in down for name in testbed.nodes}
        read = testbed.czar.column_bytes
        return StateNow(nodes, measures.replicas(), measures.transactions(), measures.open_queries(), read)


class TestbedHealth:
    """``Health`` of a testbed: the czar's server has to answer."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def faults(self) -> list[str]:
        try:
            self._testbed.registry.published.names()
        except SkyshardError:
            return ["the czar's server does not answer"]
        return []


def _sums(rows: Iterable[EndedRow]) -> list[EndedSums]:
    return [
        EndedSums(row.state, row.lane, row.queries, row.elapsed_s, row.chunks, row.bytes, row.within) for row in rows
    ]
