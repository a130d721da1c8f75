"""Which pulls may be computed from columns, too: scans that are proven. No I/O."""

from __future__ import annotations

from dataclasses import replace

from skyshard.czar.bind.bound_statement import Block, Bound
from skyshard.czar.columns.chunk_way import ChunkSelect, chunk_way
from skyshard.czar.columns.terms import NotProven
from skyshard.czar.plan.query_plan import INTERACTIVE_CHUNKS, Pull

FEWEST_ROWS = 100_000
"""A pull of few chunks that reads at least so many rows is looked at, too."""


def with_way(pull: Pull, bound: Bound, block: Block, select: ChunkSelect, *, is_lookup: bool) -> Pull:
    """The pull with its way over columns, or with the reason why it has none.

    What the statement asks for is looked at before how many chunks it reads: so the reason is the same for any area.
    """
    obstacle = _obstacle(pull, block, is_lookup=is_lookup)
    if obstacle:
        return replace(pull, column_why=obstacle)
    try:
        way = chunk_way(bound, block, select)
    except NotProven as reason:
        return replace(pull, column_why=str(reason))
    if len(pull.chunks or ()) <= INTERACTIVE_CHUNKS and pull.rows_read < FEWEST_ROWS:
        return replace(pull, column_why="few chunks are read")
    return replace(pull, column_way=way)


def _obstacle(pull: Pull, block: Block, *, is_lookup: bool) -> str:
    if is_lookup:
        return "keys are looked up"
    slots = pull.template.slots.values()
    if any(slot.overlap_columns is not None for slot in slots):
        return "pairs of neighbours"
    if len(pull.template.slots) != len(block.references) or pull.template.lists:
        return "a subquery or a list for each chunk"
    return ""
