"""The tables that replicas make on one node: parts, and what shows several of them as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from skyshard.catalog.ddl import DUMMY_CHUNK, physical_name, shown_suffix
from skyshard.catalog.layout import Role
from skyshard.node.messages import ShownTable
from skyshard.registry.stored.records import Replica


def shown_tables(replicas: Iterable[Replica]) -> list[ShownTable]:
    """The tables that queries read of one node's replicas, in the order in which their chunk tables come first.

    >>> parts = [Replica("Object", 7, False, "node1", rows, 80, "", part) for part, rows in ((3, 20), (0, 10))]
    >>> shown_tables(parts)
    [ShownTable(name='Object_7_g3', parts=('Object_7', 'Object_7_p3'), rows=30)]
    """
    held: dict[tuple[str, int, bool], dict[int, Replica]] = defaultdict(dict)
    for replica in replicas:
        held[replica.target][replica.part] = replica
    found = []
    for by_number in held.values():
        parts = [by_number[number] for number in sorted(by_number)]
        name = parts[0].named(shown_suffix(sorted(by_number)))
        found.append(ShownTable(name, tuple(part.name for part in parts), sum(part.rows for part in parts)))
    return found


def expected_tables(replicas: Iterable[Replica]) -> set[str]:
    """Names of all tables that one node's replicas make: their parts, and a MERGE table from each further part on.

    >>> replicas = [Replica("Object", 7, False, "node1", 10, 80, "", part) for part in (0, 3, 5)]
    >>> sorted(expected_tables(replicas))
    ['Object_7', 'Object_7_g3', 'Object_7_g5', 'Object_7_p3', 'Object_7_p5']
    """
    names, parts = set(), defaultdict(set)
    for replica in replicas:
        names.add(replica.name)
        parts[replica.target].add(replica.part)
    for (table, chunk, is_overlap), numbers in parts.items():
        suffixes = shown_suffixes(sorted(numbers))
        names |= {physical_name(table, chunk, is_overlap=is_overlap, suffix=suffix) for suffix in suffixes}
    return names


def shown_suffixes(parts: Sequence[int]) -> list[str]:
    """What ends the names of the tables that show several parts, of each generation."""
    return [shown_suffix(parts[:count]) for count in range(2, len(parts) + 1)]


def dummy_tables(tables: Iterable[tuple[str, Role]]) -> set[str]:
    """Names of the dummy chunk's tables."""
    chunked = [(name, role) for name, role in tables if role.is_chunked]
    names = {physical_name(name, DUMMY_CHUNK) for name, _ in chunked}
    return names | {physical_name(name, DUMMY_CHUNK, is_overlap=True) for name, r in chunked if r is Role.DIRECTOR}
