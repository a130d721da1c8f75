"""Groups work into batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def by_bytes(items: Iterable[T], size_of: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Items in their order, in groups that end where their bytes reach the limit.

    >>> list(by_bytes("abcde", lambda item: 3, 6))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    group: list[T] = []
    size = 0
    for item in items:
        group.append(item)
        size += size_of(item)
        if size >= limit:
            yield group
            group, size = [], 0
    if group:
        yield group
