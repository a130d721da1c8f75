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
        fault = facts.fault or _other_rows(facts, digests)
        fault = fault or loader.call(NodeLoader.segment_faults, [facts.path]).result().get(facts.path, "")
        if fault:
            loader.call(NodeLoader.set_segments_aside, database, [facts.path]).result()
        yield facts, fault


def _other_rows(facts: SegmentFacts, digests: dict[tuple[str, int, bool, int], str]) -> str:
    """Whether the registry has other rows of some part; one that it has not at all may be of an ingest under way."""
    assert facts.index is not None
    index = facts.index
    for piece in index.pieces:
        known = digests.get((index.table, piece.chunk, index.is_overlap, piece.part), piece.digest)
        if known != piece.digest:
            return f"its rows of chunk {piece.chunk}, part {piece.part} have digest {piece.digest}, not {known}"
    return ""
