"""Gives chunks their nodes, in the registry, once for all databases of a family."""

from __future__ import annotations

from collections.abc import Mapping

from skyshard.catalog.placement import place
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.log.events import CHUNKS_PLACED
from skyshard.registry.stored.lifecycle import TAKING


def place_chunks(run: RunContext, chunk_bytes: Mapping[int, int]) -> dict[int, tuple[str, ...]]:
    """Chunk → nodes, by the bytes of all tables; chunks of the family that have their places stay there.

    Only active nodes get new chunks, and only those that have the regular tables which came before.
    """
    layout, registry, nodes = run.plan.layout, run.site.registry, list(run.site.nodes)
    family = layout.striping.family
    with registry.exclusive(f"placement in {family}"):
        placed = registry.placements.of_family(family)
        taking = registry.replicas.with_regular_tables(run.database, registry.nodes.in_states(nodes, TAKING))
        nodes_of = place(chunk_bytes, nodes, layout.replicas, placed, taking)
        registry.placements.add(family, nodes_of)
    run.events.tell(CHUNKS_PLACED, chunks=len(chunk_bytes), nodes=len(nodes), replicas=layout.replicas)
    return nodes_of
