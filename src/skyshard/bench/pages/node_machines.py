"""The machines of nodes on other hosts, as rows of a page."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.bench.record.environment import Environment


def machine_rows(environment: Environment) -> list[tuple[str, str]]:
    """The machines of nodes on other hosts, a row for those that are alike."""
    alike: dict[str, list[str]] = {}
    for name, one in environment.nodes.items():
        alike.setdefault(f"{one.hardware}; {one.software}", []).append(name)
    return [(f"Host of {_some(names)}", said) for said, names in alike.items()]


def _some(names: Sequence[str]) -> str:
    """Names, or the first and the last of many.

    >>> _some(["node1", "node2"]), _some([f"node{number}" for number in range(1, 151)])
    ('node1, node2', '150 nodes, node1 to node150')
    """
    return ", ".join(names) if len(names) <= 6 else f"{len(names)} nodes, {names[0]} to {names[-1]}"
