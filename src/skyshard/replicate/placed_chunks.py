"""Where chunks are, as moves are planned from: what the registry has of placements, levels and bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.jobs.moved_chunks import HeldSum
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.registry.stored.records import WHOLE
from skyshard.replicate.move_plan import PlacedChunk


def level_of(row: DatabaseRow) -> int:
    """How many replicas a database asks for."""
    return int(str(row.layout.get("replicas", 1)))


def read_chunks(registry: Registry) -> list[PlacedChunk]:
    """The chunks of all published databases, by family and number."""
    rows = [row for row in registry.life.rows() if row.state is DatabaseState.PUBLISHED]
    placed = {family: registry.placements.of_family(family) for family in {row.family for row in rows}}
    return placed_chunks(rows, placed, registry.moved_chunks.held())


def placed_chunks(
    rows: Iterable[DatabaseRow], placed: Mapping[str, Mapping[int, tuple[str, ...]]], held: Iterable[HeldSum]
) -> list[PlacedChunk]:
    """The same from what was read.

    Args:
        placed: family → chunk → nodes by rank.
    """
    databases = {row.stored: row for row in rows}
    sizes: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    tables: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    counts: dict[tuple[str, int], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for one in held:
        if (row := databases.get(one.database)) is not None:
            key = (row.family, one.chunk)
            sizes[key][one.node] += one.bytes
            tables[key][one.node] += one.tables
            counts[key][one.database][one.node] = one.tables
    found = []
    for (family, chunk), size in sorted(sizes.items()):
        nodes = tuple(sorted(size)) if chunk == WHOLE else placed[family].get(chunk, tuple(sorted(size)))
        by_database = {name: _whole(found) for name, found in counts[family, chunk].items()}
        levels = {name: len(nodes) if chunk == WHOLE else level_of(databases[name]) for name in by_database}
        is_settled = all(
            len(nodes) >= levels[name] and there == set(nodes[: levels[name]]) for name, there in by_database.items()
        )
        alone = tuple(sorted({node for there in by_database.values() if len(there) == 1 for node in there}))
        found.append(
            PlacedChunk(
                family, chunk, nodes, max(levels.values()), dict(size), max(tables[family, chunk].values()), is_settled,
                alone,
            )
        )  # fmt: skip
    return found


def _whole(tables: Mapping[str, int]) -> set[str]:
    """The nodes that have a chunk whole: a part that came before a level was raised may be on fewer than the others."""
    return {node for node, count in tables.items() if count == max(tables.values())}
