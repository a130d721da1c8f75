"""Which node reads which chunk of a pull, and where a chunk goes when its node fails.

Rules: the node with the fewest rows so far is taken; a node that has failed is asked again, once, only for chunks that
no other node holds. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from skyshard.basics.errors import ClusterError, NoRoom
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.pull_reader import Failure
from skyshard.db.driver_errors import is_gone
from skyshard.registry.stored.entry_columns import Numbers

WHOLE = -1
"""Stands for the chunk of a pull that reads regular tables, which are whole on every node."""
_LOOK = "see `skyshard cluster status`"


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

    def assign(self, chunks: Sequence[int]) -> tuple[dict[str, list[int]], list[int]]:
        """Node → chunks to read there, and the chunks that no node can read."""
        numbers = np.fromiter(chunks, np.int64, len(chunks))
        which, nodes = self._holders(numbers)
        if not self._failures and all(len(one) == 1 for one in nodes):
            return _by_number(numbers, which, [one for (one,) in nodes]), []
        choices = [self._to_be_asked(one) for one in nodes]
        load = dict.fromkeys(self._nodes, 0)
        assigned: dict[str, list[int]] = {}
        lost = []
        for chunk, number, rows in zip(chunks, which.tolist(), self._rows(chunks).tolist(), strict=True):
            choice = choices[number]
            if not choice:
                lost.append(chunk)
                continue
            node = choice[0] if len(choice) == 1 else min(choice, key=load.__getitem__)
            load[node] += rows + 1
            assigned.setdefault(node, []).append(chunk)
        return assigned, lost

    def _to_be_asked(self, holders: Sequence[str]) -> list[str]:
        """Those of the holders that failed least; none where all failed twice."""
        least = min((self._failures[one] for one in holders), default=2)
        return [one for one in holders if self._failures[one] == least] if least < 2 else []

    def holders(self) -> set[str]:
        """The nodes that hold any of the chunks."""
        return set[str]().union(*self._holders(self.chunks)[1])

    def _rows(self, chunks: Sequence[int]) -> Numbers:
        found: Numbers = sum((table.rows_of(chunks) for table in self._tables), np.zeros(len(chunks), np.int64))
        return found if self._pull.chunks is not None else np.zeros(len(chunks), np.int64)

    def _holders(self, chunks: Sequence[int] | Numbers) -> tuple[Numbers, list[list[str]]]:
        """Of each chunk a number, and by number the nodes that hold all of its tables."""
        if self._pull.chunks is None:
            turn = hash(self._pull.template.rest) % max(1, len(self._nodes))
            return np.zeros(len(chunks), np.int64), [[*self._nodes[turn:], *self._nodes[:turn]]]
        numbers, held = zip(*(table.holders_of(chunks) for table in self._tables), strict=True)
        if len(held) == 1:
            which, present = _without_gaps(numbers[0], len(held[0]))
            return which, [self._serving([held[0][number]]) for number in present]
        _, first, which = np.unique(_combined(numbers, [*map(len, held)]), return_index=True, return_inverse=True)
        return which, [
            self._serving([one[number] for one, number in zip(held, each, strict=True)])
            for each in np.stack(numbers)[:, first].T.tolist()
        ]

    def _serving(self, held: Sequence[tuple[str, ...] | None]) -> list[str]:
        """The nodes that serve and hold all tables that are there."""
        first, *others = [nodes for nodes in held if nodes is not None]
        return [node for node in first if node in self._there and all(node in nodes for nodes in others)]

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
        last = self._errors[-1]
        raise ClusterError(
            f"no replica of chunks {shown} answers: {last.what if last.remedy == _LOOK else last}",
            remedy=f"{_LOOK}; --allow-partial answers from the other chunks",
            retryable=True,
        ) from last


def _combined(numbers: Sequence[Numbers], counts: Sequence[int]) -> Numbers:
    """One number for the numbers of each place, which are below these counts; small enough for any number of tables.

    >>> _combined([np.array([0, 1, 1]), np.array([2, 0, 2])], [2, 3]).tolist()
    [2, 3, 5]
    """
    made = numbers[0]
    for other, count in zip(numbers[1:], counts[1:], strict=True):
        made = np.unique(made, return_inverse=True)[1] * count + other
    return made


def _without_gaps(numbers: Numbers, count: int) -> tuple[Numbers, list[int]]:
    """Numbers below a count, anew from 0 on, and what each of the new ones was.

    >>> which, present = _without_gaps(np.array([5, 2, 5]), 7)
    >>> which.tolist(), present
    ([1, 0, 1], [2, 5])
    """
    present = np.flatnonzero(np.bincount(numbers, minlength=count))
    places = np.zeros(count, np.int64)
    places[present] = np.arange(len(present))
    return places[numbers], present.tolist()


def _by_number(chunks: Numbers, which: Numbers, names: Sequence[str]) -> dict[str, list[int]]:
    """Chunks, in their order, by the name that stands for the number of each.

    >>> _by_number(np.array([5, 6, 7, 8]), np.array([1, 0, 1, 2]), ["a", "b", "b"])
    {'a': [6], 'b': [5, 7, 8]}
    """
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    same = np.array([places[name] for name in names], np.int64)[which]
    return {name: chunks[same == place].tolist() for name, place in places.items()}
