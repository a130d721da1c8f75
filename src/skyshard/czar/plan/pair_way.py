"""How near neighbours are found from positions: what is read of each chunk, what is compared, and what a pair gives.

Rules: values only. Both sides' rows of a chunk are read with all conditions that are theirs alone, so the server has
decided these; left are a separation, which numbers decide but for the doubtful pairs, and comparisons of whole numbers,
which are exact. A row has ``g`` (chunk), ``s`` (1: of the first side, 2: of the second, 3: of both), ``p0`` and ``p1``
(position in degrees), ``p2`` (sub-chunk, or 0) and ``k0``, ``k1`` ... (numbers of one side, NULL in rows of the other).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from skyshard.czar.pairs.separation_bound import SeparationLimit
from skyshard.czar.plan.chunk_template import Slot

FIRST, SECOND = 1, 2
JUDGED = ("skyshard_pair.a", "skyshard_pair.b", "skyshard_pair.c", "skyshard_pair.d")
"""What stands for the positions of the two sides in texts about one pair."""
Output = tuple[int, int]
"""A column of a pair's row: of which side, and the number of the ``k`` column; side 0 is the separation."""
SEPARATION_OUTPUT: Output = (0, 0)


@dataclass(frozen=True, slots=True)
class NoPairs:
    """Why pairs cannot be found from positions."""

    reason: str


@dataclass(frozen=True, slots=True)
class PairSide:
    """The rows of one side: ``items`` from the tables of ``slots`` (joined), where ``where`` is true (empty: all).

    ``columns``: where all rows of one table are wanted, the names of its columns for ``p0``, ``p1``, ``k0`` ...; empty
    for those of the other side.
    """

    slots: tuple[Slot, ...]
    items: str
    where: str
    columns: tuple[str, ...] = ()

    def select(self, head: str, tables: str) -> str:
        return f"SELECT {head}, {self.items} FROM {tables}" + (f" WHERE {self.where}" if self.where else "")

    def own(self, chunk: int) -> str:
        """The tables with the rows of a chunk itself, in a FROM clause."""
        return ", ".join(slot.of_chunk(chunk) for slot in self.slots)


@dataclass(frozen=True, slots=True)
class PairWay:
    """Both sides, ``far`` read with its overlap rows, and what makes a pair.

    ``is_shared``: own rows of the chunk belong to both sides, and are read once. ``is_by_sub_chunk``: pairs are those
    of one sub-chunk; else of one chunk, and copies of a row count once. ``kinds``: SQL types of the ``k`` columns.
    ``compared``: (column of ``near``, word, column of ``far``) by their numbers. ``outputs``: what a pair's row has;
    without any, pairs are counted. ``judge`` is what the server computes for a doubtful pair, ``separation`` what it
    computes for the separation of one.
    """

    near: PairSide
    far: PairSide
    limits: tuple[SeparationLimit, ...]
    judge: str
    separation: str
    kinds: tuple[str, ...] = ()
    compared: tuple[tuple[int, str, int], ...] = ()
    outputs: tuple[Output, ...] = ()
    is_shared: bool = False
    is_by_sub_chunk: bool = True

    def selects(self, chunk: int) -> Iterator[str]:
        """The statements that read a chunk's rows."""
        far, overlap = self.far, self.far.slots[0].overlap_of_chunk(chunk)
        if not self.is_shared:
            yield self.near.select(f"{chunk} AS g, {FIRST} AS s", self.near.own(chunk))
        own = far.select(f"{chunk} AS g, {FIRST | SECOND if self.is_shared else SECOND} AS s", far.own(chunk))
        copies = [far.select(f"{chunk} AS g, {SECOND} AS s", overlap)] if overlap else []
        if self.is_by_sub_chunk:
            yield own
            yield from copies
        else:
            columns = ", ".join(["g", "s", "p0", "p1", "p2", *(f"k{index}" for index in range(len(self.kinds)))])
            yield f"SELECT {columns} FROM ({' UNION '.join([own, *copies])}) AS q"

    def with_texts(self, change: Callable[[str], str]) -> PairWay:
        """The same with its conditions changed."""
        near, far = (replace(side, where=change(side.where)) for side in (self.near, self.far))
        return replace(self, near=near, far=far)

    def __str__(self) -> str:
        radius = min(limit.radius_deg for limit in self.limits if limit.is_upper)
        done = "found" if self.outputs else "counted"
        return f"pairs within {radius * 3600:g} arcseconds are {done} from positions, doubtful ones by the server"
