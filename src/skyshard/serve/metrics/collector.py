"""Metrics of Prometheus, read from the registry when they are asked for: no counter of it is lost with a process.

Rules: labels never hold SQL, users or numbers of queries. Counters only grow, though the history forgets: what has
settled is summed here once, what has not is added to it at each scrape. What only this process knows begins anew with
it, as Prometheus expects of a counter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from skyshard.basics.release import VERSION
from skyshard.serve.services import SECONDS, EndedSums, Measures

Gauges = Mapping[str, tuple[str, Callable[[], float]]]
"""Name → what it is, and how it is read; of doors that count what they have under way."""
LabelledGauges = Mapping[str, tuple[str, str, Callable[[], Mapping[str, float]]]]
"""Name → what it is, its label, and how it is read: value of the label → number."""


@dataclass
class _Totals:
    """Sums of ended queries by state and lane."""

    queries: dict[tuple[str, str], int] = field(default_factory=dict)
    chunks: int = 0
    bytes: int = 0
    elapsed_s: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * len(SECONDS))

    def plus(self, sums: EndedSums) -> None:
        label = (sums.state, sums.lane or "none")
        self.queries[label] = self.queries.get(label, 0) + sums.queries
        self.chunks += sums.chunks
        self.bytes += sums.bytes
        self.elapsed_s += sums.elapsed_s
        self.within = [one + other for one, other in zip(self.within, sums.within, strict=True)]

    def copy(self) -> _Totals:
        return _Totals(dict(self.queries), self.chunks, self.bytes, self.elapsed_s, list(self.within))


class SkyshardCollector(Collector):
    """What a scrape shows. Safe for threads."""

    def __init__(
        self, measures: Measures, gauges: Gauges | None = None, labelled: LabelledGauges | None = None
    ) -> None:
        self._measures = measures
        self._gauges, self._labelled = gauges or {}, labelled or {}
        self._lock = threading.Lock()
        self._settled, self._settled_query = _Totals(), 0
        self._settled_rows, self._settled_transaction = 0, 0

    def describe(self) -> list[Metric]:
        """Nothing is read before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            totals, rows = self._ended(), self._ingested()
        yield from _of_queries(totals)
        yield _counter("skyshard_ingest_rows", "Rows of finished transactions, without overlap.", rows)
        now = self._measures.now()
        yield _counter("skyshard_column_bytes", "Bytes of column images that this process has read.", now.column_bytes)
        yield _gauge("skyshard_open_queries", "Submitted queries that have not ended.", "state", now.open_queries)
        yield _gauge("skyshard_node_up", "Whether a node's server answers.", "node", now.nodes_up)
        yield _gauge("skyshard_replicas", "Replicas of chunk tables.", "state", now.replicas)
        yield _gauge("skyshard_transactions", "Ingest transactions.", "state", now.transactions)
        for name, (words, read) in self._gauges.items():
            yield GaugeMetricFamily(name, words, read())
        for name, (words, label, numbers) in self._labelled.items():
            yield _gauge(name, words, label, numbers())
        yield _gauge("skyshard_release", "1 for the release that answers.", "version", {VERSION: 1})

    def _ended(self) -> _Totals:
        settled, later, number = self._measures.ended_queries(self._settled_query)
        for sums in settled:
            self._settled.plus(sums)
        self._settled_query = number
        totals = self._settled.copy()
        for sums in later:
            totals.plus(sums)
        return totals

    def _ingested(self) -> int:
        settled, later, self._settled_transaction = self._measures.ingested_rows(self._settled_transaction)
        self._settled_rows += settled
        return self._settled_rows + later


def _of_queries(totals: _Totals) -> Iterator[Metric]:
    ended = CounterMetricFamily("skyshard_queries", "Statements that have ended.", labels=["state", "lane"])
    for label, count in sorted(totals.queries.items()):
        ended.add_metric(list(label), count)
    yield ended
    count = sum(totals.queries.values())
    buckets = [*((repr(bound), float(within)) for bound, within in zip(SECONDS, totals.within, strict=True))]
    yield HistogramMetricFamily(
        "skyshard_query_seconds", "How long statements took.", [*buckets, ("+Inf", float(count))], totals.elapsed_s
    )
    yield _counter("skyshard_chunks_scanned", "Chunks that ended statements have read.", totals.chunks)
    yield _counter("skyshard_bytes_merged", "Bytes of partial results that came from nodes.", totals.bytes)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(name, words, value)


def _gauge(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    made = GaugeMetricFamily(name, words, labels=[label])
    for key, value in sorted(values.items()):
        made.add_metric([key], float(value))
    return made
