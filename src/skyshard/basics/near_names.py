"""Names that a mistyped one may have meant, for remedies. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LIKENESS = 0.6
"""Of 0 to 1, by ``difflib``: less alike is no suggestion."""


def near_names(name: str, known: Iterable[str], most: int = 1, likeness: float = LIKENESS) -> list[str]:
    """Known names that are like this one whatever its case, the most like it first.

    >>> near_names("OBJCTID", ["ra", "objectId"]), near_names("x", ["ra"])
    (['objectId'], [])
    """
    from difflib import get_close_matches  # needed only where something is wrong

    by_lower = {other.lower(): other for other in known}
    return [by_lower[one] for one in get_close_matches(name.lower(), by_lower, most, likeness)]


def did_you_mean(near: Sequence[str], otherwise: str) -> str:
    """The remedy for an unknown name: those that it may have meant, or another advice where there is none.

    >>> did_you_mean(["nodes", "node_count"], ""), did_you_mean([], "factors are nodes and engine")
    ("did you mean 'nodes' or 'node_count'?", 'factors are nodes and engine')
    """
    return f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise
