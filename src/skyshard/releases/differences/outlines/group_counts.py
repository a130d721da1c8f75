"""Rows by tract, patch, visit and detector, where a table has such columns. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from skyshard.catalog.schema import Table

GROUPINGS = (("tract",), ("tract", "patch"), ("patch",), ("visit",), ("visit", "detector"), ("detector",))
"""Columns by which rows are counted; one alone is left out where it is counted within another."""


def groupings(old: Table, new: Table) -> list[tuple[str, ...]]:
    """The groupings whose columns both tables have, in lower case."""
    have = {column.name.lower() for column in old} & {column.name.lower() for column in new}
    found = [group for group in GROUPINGS if have.issuperset(group)]
    inner = {group[-1] for group in found if len(group) > 1}
    return [group for group in found if len(group) > 1 or group[0] not in inner]


def objects_within(groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The grouping within which a row is looked for again: those of one exposure, else those of one patch.

    Objects at the edge of a patch come once more with the next patch, sources of one object with each visit.
    """
    wanted = (("visit", "detector"), ("visit",), ("tract", "patch"))
    return next((group for group in wanted if group in groups), ())


def share_in_common(old: Counter[str], new: Counter[str]) -> float:
    """Of the groups of the side that has fewer, the share that the other side has too."""
    fewest = min(len(old), len(new))
    return len(old.keys() & new.keys()) / fewest if fewest else 0.0


def named_in(table: Table, group: Sequence[str]) -> tuple[str, ...]:
    """The columns of a grouping as a table spells them."""
    return tuple(table.column(name).name for name in group)


def count_groups(table: pa.Table, columns: Sequence[str]) -> Counter[str]:
    """Rows of each group; its name joins the values with slashes, NULL is an empty one.

    >>> count_groups(pa.table({"tract": [9, 9], "patch": [b"4,5", b"4,5"]}), ["tract", "patch"])
    Counter({'9/4,5': 2})
    >>> count_groups(pa.table({"tract": [9813.0, None]}), ["tract"])
    Counter({'9813': 1, '': 1})
    """
    counted = table.group_by(list(columns)).aggregate([([], "count_all")])
    values = [counted[name].to_pylist() for name in columns]
    names = ("/".join(map(_text, row)) for row in zip(*values, strict=True))
    return Counter(dict(zip(names, counted["count_all"].to_pylist(), strict=True)))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():  # of the release whose column was read by way of floats
        value = int(value)
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
