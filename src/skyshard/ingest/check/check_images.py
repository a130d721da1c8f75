"""Verifies column images: every segment is read whole, and every replica has an image where the layout asks for one."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.catalog.ddl import stored_table
from skyshard.columns.imaged_columns import has_images
from skyshard.ingest.check.check_truth import VerifyCheck
from skyshard.ingest.on_nodes.bounded_futures import answers
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import by_node
from skyshard.node.messages import SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.records import Replica

NAME = "column images"


def image_checks(site: Site, catalog: Catalog, replicas: Sequence[Replica]) -> list[VerifyCheck]:
    """One check, or none where there are no images and none are asked for."""
    found = answers({node: one.call(NodeLoader.segments, catalog.database) for node, one in site.nodes.items()})
    if not any(found.values()) and not catalog.layout.has_images:
        return []
    read = answers(
        {node: one.call(NodeLoader.segment_faults, _readable(found[node])) for node, one in site.nodes.items()}
    )
    wrong, lacking, count = [], 0, 0
    for node, mine in by_node((one for one in replicas if one.chunk >= 0), site.nodes).items():
        digests = {(*one.target, one.part): one.digest for one in mine}
        have: set[tuple[str, int, bool, int]] = set()
        for facts in found[node]:
            fault = facts.fault or read[node].get(facts.path, "")
            fault = fault or (facts.index.other_rows(digests) if facts.index else "")
            wrong += [f"{node}: {facts.path}: {fault}"] if fault else []
            if facts.index is not None and not fault:
                have |= {(facts.index.table, one.chunk, facts.index.is_overlap, one.part) for one in facts.index.pieces}
        lacking += len(_asked(catalog, mine) - have)
        count += len(found[node])
    wrong += [f"{lacking} replicas without one"] if lacking else []
    remedy = "; mended by skyshard replicas repair" if wrong else ""
    first = f": {wrong[0]}" if wrong else ""
    return [VerifyCheck(NAME, not wrong, f"{count} segments read, {len(wrong)} faults{first}{remedy}")]


def _readable(found: Sequence[SegmentFacts]) -> list[str]:
    return [one.path for one in found if not one.fault]


def _asked(catalog: Catalog, replicas: Sequence[Replica]) -> set[tuple[str, int, bool, int]]:
    """The replicas that are to have an image."""
    layout = catalog.layout
    if not layout.has_images:
        return set()
    tables = {
        name
        for name, entry in catalog.tables.items()
        if has_images(stored_table(entry.table, entry.layout), layout.imaged)
    }
    return {(*one.target, one.part) for one in replicas if one.table in tables}
