"""Which input brought the rows of one part of a chunk table, as contributions say it. Pure values.

Rules: an ingest's part has what its transaction contributed; what a compaction or a replacement made whole has what all
transactions up to its own contributed, and none replaced or dropped. Which of the two it is, the digests say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.ingest.on_nodes.build_orders import EMPTY, Target
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import ContributionState
from skyshard.rowimage.digest import RowDigest


@dataclass(frozen=True, slots=True)
class Brought:
    """What one input slice brought to one chunk table."""

    transaction: int
    table: str
    part: str
    """Path of the slice, as the ingest had it."""
    part_digest: str
    target: Target
    rows: int
    digest: str


class Origins:
    """The contributions of one database that stand."""

    def __init__(self, contributions: Iterable[Mapping[str, Any]]) -> None:
        self._of_target: dict[Target, list[Brought]] = defaultdict(list)
        self._of_table: dict[tuple[int, str], dict[tuple[str, str], None]] = defaultdict(dict)
        for row in contributions:
            target = (str(row["table"]), int(row["chunk"]), bool(row["is_overlap"]))
            one = Brought(
                int(row["transaction_id"]), target[0], str(row["part"]), str(row["part_digest"]), target,
                int(row["rows"]), str(row["digest"]),
            )  # fmt: skip
            if row["state"] in (ContributionState.LOADED, ContributionState.REPLACED):
                self._of_table[one.transaction, one.table][one.part, one.part_digest] = None
            if row["state"] == ContributionState.LOADED and one.rows:
                self._of_target[target].append(one)

    def of(self, known: KnownReplica) -> Sequence[Brought]:
        """What brought the rows of a replica; nothing where the registry does not say it."""
        every = [one for one in self._of_target[known.replica.target] if one.transaction <= known.transaction]
        for some in ([one for one in every if one.transaction == known.transaction], every):
            if str(sum((RowDigest.parse(one.digest) for one in some), EMPTY)) == known.replica.digest:
                return some
        return ()

    def slices(self, transaction: int, table: str) -> set[tuple[str, str]]:
        """Path and digest of every slice of a table that a transaction took in."""
        return set(self._of_table[transaction, table])

    def transactions(self, table: str) -> set[int]:
        """Those that took in slices of a table."""
        return {number for number, name in self._of_table if name == table}
