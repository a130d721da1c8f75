"""Which pulls are read by columns. What reads them is imported, and made, for the first such pull."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from skyshard.basics.lazy import locked_property
from skyshard.basics.scan_way import ScanWay
from skyshard.cluster.node import Node
from skyshard.czar.plan.pair_way import NoPairs, PairWay
from skyshard.czar.plan.query_plan import FEWEST_PAIR_ROWS, Pull
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.registry.stored.records import Replica

if TYPE_CHECKING:
    from skyshard.czar.run.column_images import ColumnImages
    from skyshard.czar.run.column_reader import ColumnReader
    from skyshard.czar.run.pair_images import PairImages

FindReplicas = Callable[[str, str], Sequence[Replica]]
"""A database and a table → the replicas of finished transactions."""
FEWEST_ROWS = 100_000
"""Fewer rows are as quickly read as rows."""


class ColumnSource:
    """The column images of a czar's nodes, for all its queries."""

    def __init__(self, find_replicas: FindReplicas) -> None:
        self._find_replicas = find_replicas

    @locked_property
    def images(self) -> ColumnImages:
        from skyshard.czar.run.column_images import ColumnImages

        return ColumnImages(self._find_replicas)

    def reader(self, pull: Pull, columns: Sequence[TypedColumn], scan: ScanWay) -> ColumnReader | None:
        """Reads what may be read by columns; None where all is to be read as rows."""
        way = pull.column_way
        if way is None or obstacle(pull, scan):
            return None
        from skyshard.czar.run.column_reader import ColumnReader

        return ColumnReader(pull, way, columns, self.images)

    def pair_images(self, way: PairWay) -> PairImages | None:
        """Reads both sides of pairs from images; None where conditions need the nodes."""
        if not way.near.columns or not way.far.columns:
            return None
        from skyshard.czar.run.pair_images import PairImages

        return PairImages(way, self.images)


def pair_way(pull: Pull, scan: ScanWay, fewest_rows: int = FEWEST_PAIR_ROWS) -> PairWay | None:
    """How the pairs of a pull are found from positions; None where the nodes find them."""
    return None if scan == "rows" else pull.pair_way(0 if scan == "columns" else fewest_rows)


def obstacle(pull: Pull, scan: ScanWay) -> str:
    """Why a pull is read as rows whatever images there are; empty: it is not."""
    if pull.column_way is None:
        return pull.column_why or "its rows are gathered"
    if scan == "rows":
        return "it was asked so"
    is_short = scan == "auto" and pull.rows_read < FEWEST_ROWS
    return f"fewer than {FEWEST_ROWS:,} rows are read" if is_short else ""


def scan_words(pull: Pull, nodes: Sequence[Node], scan: ScanWay, source: ColumnSource | None) -> str:
    """Whether a pull is read by columns, and if not why."""
    if pull.pairs is not None:
        return _pair_words(pull, nodes, scan, source)
    why = obstacle(pull, scan)
    reader = source.reader(pull, (), scan) if source is not None and not why else None
    if why or reader is None or pull.column_way is None:
        return f"as rows: {why or 'this czar knows of no column images'}"
    chunks = pull.chunks or ()
    covered = set[int]().union(*(reader.covered(node, chunks) for node in nodes))
    if not covered:
        return f"as rows: {_no_images(nodes)}"
    return f"{len(covered)} of {len(chunks)} chunks by columns: {pull.column_way.text}"


def _no_images(nodes: Sequence[Node]) -> str:
    """Why no chunk has an image here."""
    away = sum(not node.is_here for node in nodes)
    if away:
        return f"{away} of {len(nodes)} nodes are on other hosts, whose column images are not read from here"
    return "there are no column images; see `skyshard columns build`"


def _pair_words(pull: Pull, nodes: Sequence[Node], scan: ScanWay, source: ColumnSource | None) -> str:
    """How the pairs of near neighbours are found, and why so."""
    way = pair_way(pull, scan)
    if way is None:
        few = f"fewer than {FEWEST_PAIR_ROWS:,} rows are read"
        why = pull.pairs.reason if isinstance(pull.pairs, NoPairs) else "it was asked so" if scan == "rows" else few
        return f"as rows: pairs are found by the nodes: {why}"
    images = source.pair_images(way) if source is not None else None
    chunks = pull.chunks or ()
    covered = set[int]().union(*(images.covered(node, chunks) for node in nodes)) if images is not None else ()
    return f"{len(covered)} of {len(chunks)} chunks by columns: {way}"
