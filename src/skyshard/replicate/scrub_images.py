"""Verifies the column images of one node: every segment is read whole, its digests held against the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skyshard.node.messages import SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import Replica
from skyshard.runtime.base import Handle


def scrub_images(
    loader: Handle[NodeLoader], database: str, replicas: Sequence[Replica]
) -> Iterator[tuple[SegmentFacts, str]]:
    """Each segment with what is wrong with it, empty for nothing; those at fault are set aside.

    Args:
        replicas: what the registry has of the node now.
    """
    digests = {(*one.target, one.part): one.digest for one in replicas}
    for facts in loader.call(NodeLoader.segments, database).result():
        fault = facts.fault or (facts.index.other_rows(digests) if facts.index else "")
        fault = fault or loader.call(NodeLoader.segment_faults, [facts.path]).result().get(facts.path, "")
        if fault:
            loader.call(NodeLoader.set_segments_aside, database, [facts.path]).result()
        yield facts, fault
