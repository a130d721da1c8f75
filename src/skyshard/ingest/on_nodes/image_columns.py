"""Column images of what a transaction has made, written beside each node before any query sees its rows.

Rules: an image is known by the digest of its rows, so what an interrupted run has written counts, and is not written
again; what is left of a run that was taken back no registry row is behind, and goes with its tables.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Progress, Watcher
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.columns.imaged_columns import has_images, imaged_columns
from skyshard.ingest.on_nodes.bounded_futures import PER_NODE, about, answers, in_order_of_end
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import by_node
from skyshard.node.columns.column_orders import column_orders
from skyshard.node.messages import ColumnsOrder, SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import Replica

STAGE = "images"
Definitions = Mapping[str, tuple[Table, TableLayout]]


def image_columns(
    site: Site,
    database: str,
    layout: Layout,
    definitions: Definitions,
    replicas: Iterable[Replica],
    watch: Watcher,
    begin: Callable[[Iterable[Path]], object] = list,
) -> None:
    """Write the images that a layout asks for and these replicas lack; on the disk once the database is settled.

    ``begin`` has files of this host written meanwhile, so that little is left for that.

    Raises:
        ClusterError: a node failed, its disk is full, or it has other rows than were written.
    """
    chunked = [one for one in replicas if one.chunk >= 0]
    if not layout.has_images or not chunked:
        return
    answers({node: handle.call(NodeLoader.drop_drafts, database) for node, handle in site.nodes.items()})
    found = answers({node: handle.call(NodeLoader.segments, database) for node, handle in site.nodes.items()})
    orders = {
        node: [(node, order) for order in _orders(database, layout, definitions, mine, found[node])]
        for node, mine in by_node(chunked, site.nodes).items()
    }
    queue = [one for one in chain.from_iterable(zip_longest(*orders.values())) if one is not None]
    calls = (partial(site.nodes[node].call, NodeLoader.make_columns, order) for node, order in queue)
    begun_s, tables, rows, size = time.monotonic(), 0, 0, 0
    total = sum(len(order.tables) for _, order in queue)
    for made, (node, order) in in_order_of_end(calls, queue, PER_NODE * len(site.nodes)):
        for name, why in made.faults.items():
            raise about(node, ClusterError(f"no column image of {name}: {why}", remedy="run it again"))
        begin([Path(made.path)] if made.path else [])
        tables, rows, size = tables + len(order.tables), rows + made.rows, size + made.bytes
        watch(Progress(STAGE, tables, total, rows, size, time.monotonic() - begun_s))


def _orders(
    database: str,
    layout: Layout,
    definitions: Definitions,
    replicas: Sequence[Replica],
    segments: Sequence[SegmentFacts],
) -> Iterator[ColumnsOrder]:
    """What one node lacks."""
    by_kind: dict[tuple[str, bool], list[Replica]] = defaultdict(list)
    for one in replicas:
        by_kind[one.table, one.is_overlap].append(one)
    for (name, is_overlap), mine in by_kind.items():
        stored = stored_table(*definitions[name], overlap=is_overlap)
        if not has_images(stored, layout.imaged):
            continue
        columns = [column.name for column in imaged_columns(stored, layout.imaged)[0]]
        have = {
            (piece.chunk, piece.part, piece.digest)
            for facts in segments
            if (index := facts.index) is not None
            and not facts.fault
            and (index.table, index.is_overlap) == (name, is_overlap)
            and index.holds(stored, columns)
            for piece in index.pieces
        }
        lacking = [one for one in mine if (one.chunk, one.part, one.digest) not in have]
        yield from column_orders(database, stored, name, columns, lacking, is_new=True)
