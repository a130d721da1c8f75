"""Which node reads which chunk of a pull, and where a chunk goes when its node fails.

Rules: the node with the fewest rows so far is taken; a node that has failed is asked again, once, only for chunks that
no other node holds. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from skyshard.basics.errors import ClusterError, NoRoom
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.rounds import Failure

WHOLE = -1
"""Stands for the chunk of a pull that reads regular tables, which are whole on every node."""


class ReplicaChoice:
    """The nodes that can read the chunks of one pull; ``nodes`` are those that serve."""

    def __init__(self, pull: Pull, nodes: Sequence[str]) -> None:
        self._nodes = list(nodes)
        self._tables = [slot.table.chunks for slot in pull.template.slots.values() if slot.table.layout.role.is_chunked]
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
        for chunk in chunks:
            holders, rows = self._holders(chunk)
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

    def _holders(self, chunk: int) -> tuple[list[str], int]:
        if chunk == WHOLE:
            turn = hash(self._pull.template.rest) % len(self._nodes)
            return [*self._nodes[turn:], *self._nodes[:turn]], 0
        if len(self._tables) == 1:
            entry = self._tables[0][chunk]
            return self._serving(entry.nodes), entry.rows
        entries = [table[chunk] for table in self._tables if chunk in table]
        first, *others = entries
        holders = [node for node in self._serving(first.nodes) if all(node in one.nodes for one in others)]
        return holders, sum(entry.rows for entry in entries)

    def _serving(self, nodes: tuple[str, ...]) -> list[str]:
        if nodes not in self._known:
            self._known[nodes] = [node for node in nodes if node in self._nodes]
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
        if not lost or is_allowed:
            return list(lost)
        shown = ", ".join(map(str, lost[:5])) + (f", ... ({len(lost)} in all)" if len(lost) > 5 else "")
        if not self._errors:
            raise ClusterError(f"no node holds all tables of chunks {shown}", remedy="see `skyshard verify`")
        if full := [error for error in self._errors if isinstance(error, NoRoom)]:
            raise full[-1]
        raise ClusterError(
            f"no replica of chunks {shown} answers: {self._errors[-1]}",
            remedy="see `skyshard cluster status`; --allow-partial answers from the other chunks",
            retryable=True,
        ) from self._errors[-1]
