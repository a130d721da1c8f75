"""Which node reads which chunk of a pull, and where a chunk goes when its node fails.

Rules: the node with the fewest rows so far is taken; a node that has failed is asked again, once, only for chunks that
no other node holds. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from skyshard.basics.errors import ClusterError, NoRoom
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.pull_reader import Failure
from skyshard.db.connection import is_gone

WHOLE = -1
"""Stands for the chunk of a pull that reads regular tables, which are whole on every node."""


class ReplicaChoice:
    """The nodes that can read the chunks of one pull; ``nodes`` are those that serve."""

    def __init__(self, pull: Pull, nodes: Sequence[str]) -> None:
        slots = pull.template.slots.values()
        self._nodes = [node for node in nodes if all(slot.table.is_on(node) for slot in slots)]
        self._there = frozenset(self._nodes)
        self._tables = [slot.table.chunks for slot in slots if slot.table.layout.role.is_chunked]
        self.chunks: tuple[int, ...] = (WHOLE,) if pull.chunks is None else pull.chunks
        self._failures: Counter[str] = Counter()
        self._errors: list[ClusterError] = []
        self._pull = pull
        self._known: dict[tuple[str, ...], list[str]] = {}

    def assign(self, chunks: Sequence[int]) -> tuple[dict[str, list[int]], list[int]]:
        """Node → chunks to read there, and the chunks that no node can read."""
        load = dict.fromkeys(self._nodes, 0)
        assigned: dict[str, list[int]] = {}
        lost = []
        for chunk, (holders, rows) in zip(chunks, self._holders(chunks), strict=True):
            node = holders[0] if holders else ""
            if len(holders) != 1 or self._failures:
                least = min((self._failures[one] for one in holders), default=2)
                if least >= 2:
                    lost.append(chunk)
                    continue
                node = min((one for one in holders if self._failures[one] == least), key=load.__getitem__)
            load[node] += rows + 1
            assigned.setdefault(node, []).append(chunk)
        return assigned, lost

    def holders(self) -> set[str]:
        """The nodes that hold any of the chunks."""
        return {node for holders, _ in self._holders(self.chunks) for node in holders}

    def _holders(self, chunks: Sequence[int]) -> Iterator[tuple[list[str], int]]:
        """Of each chunk the nodes that hold all of its tables, and the rows of these."""
        if self._pull.chunks is None:
            turn = hash(self._pull.template.rest) % max(1, len(self._nodes))
            yield from [([*self._nodes[turn:], *self._nodes[:turn]], 0)] * len(chunks)
            return
        rows = [table.rows_of(chunks) for table in self._tables]
        nodes = zip(*(table.nodes_of(chunks) for table in self._tables), strict=True)
        for sets, count in zip(nodes, np.sum(rows, axis=0).tolist(), strict=True):
            first, *others = [held for held in sets if held is not None]
            serving = self._serving(first)
            yield [node for node in serving if all(node in held for held in others)] if others else serving, count

    def _serving(self, nodes: tuple[str, ...]) -> list[str]:
        if nodes not in self._known:
            self._known[nodes] = [node for node in nodes if node in self._there]
        return self._known[nodes]

    def failed(self, failures: Sequence[Failure]) -> list[int]:
        """Take failures in; returns the chunks that are still to be read."""
        for node in {failure.node for failure in failures}:
            self._failures[node] += 1
        self._errors += [failure.error for failure in failures]
        return sorted(chunk for failure in failures for chunk in failure.chunks)

    def give_up(self, lost: Sequence[int], *, is_allowed: bool) -> list[int]:
        """The chunks that stay unread, if that is allowed.

        Raises:
            ClusterError: it is not; names the chunks and the last error.
        """
        if not lost or (is_allowed and not any(map(is_gone, self._errors))):  # what was replaced is read elsewhere
            return list(lost)
        shown = ", ".join(map(str, lost[:5])) + (f", ... ({len(lost)} in all)" if len(lost) > 5 else "")
        if not self._errors:
            remedy = "see `skyshard replicas status`; `skyshard replicas repair` makes them again where it can"
            raise ClusterError(f"no node has good replicas of all tables of chunks {shown}", remedy=remedy)
        if full := [error for error in self._errors if isinstance(error, NoRoom)]:
            raise full[-1]
        raise ClusterError(
            f"no replica of chunks {shown} answers: {self._errors[-1]}",
            remedy="see `skyshard cluster status`; --allow-partial answers from the other chunks",
            retryable=True,
        ) from self._errors[-1]
