"""How far position columns round, and whether rounding may have put a row beside the place that its input names.

Whoever partitions files has the digits of the input; the rows then go where the stored position is. A table without
positions follows its director, whose digits are gone by then: all that is known is how far they can have been away.
"""

from __future__ import annotations

import numpy as np

from skyshard.basics.array_types import Flags, Floats, Numbers
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.chunking.chunker import Chunker
from skyshard.rowimage.sqltype import SqlType

_FLOAT_DEG = 2.0**-15
"""Half the step between two FLOATs of less than 1,024 degrees."""
_SLACK_DEG = 1e-9
"""Edges of neighbours are computed, so they may miss each other by rounding."""


def rounding_deg(table: Table, layout: TableLayout) -> float:
    """How far, at most, a stored longitude or latitude is from the one that was given; 0 where columns are DOUBLE.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> [_rounding_of(parse_type(text)) for text in ("double", "decimal(9,6)", "decimal(9)", "double(9,1)")]
    [0.0, 5e-07, 0.5, 0.05]
    """
    return max((_rounding_of(table.column(name).type) for name in layout.position or ()), default=0.0)


def _rounding_of(kind: SqlType) -> float:
    of_decimals = 0.5 * 10.0 ** -(kind.arguments[1] if len(kind.arguments) > 1 else 0)
    if kind.base == "double":
        return of_decimals if kind.arguments else 0.0
    if kind.base == "float":
        return _FLOAT_DEG + (of_decimals if len(kind.arguments) > 1 else 0.0)
    return of_decimals


def may_be_rounded(
    chunker: Chunker, stored: tuple[Numbers, Numbers], given: tuple[Numbers, Numbers | None], rounding: float
) -> Flags:
    """Which rows of a stored chunk and sub-chunk can have been given in another, so near that rounding moved them.

    Without a given sub-chunk any of the given chunk will do. Numbers that are no place of the striping never do.
    """
    here = chunker.sub_chunk_edges(*stored)
    there = chunker.sub_chunk_edges(*given)
    reach = rounding + _SLACK_DEG
    east_west = _apart(here[:2], there[:2]) <= reach
    above_below = np.maximum(here[2] - there[3], there[2] - here[3]) <= reach
    return np.asarray(east_west & above_below)


def _apart(one: Floats, two: Floats) -> Floats:
    """Degrees of longitude between two ranges on the circle, less than 0 where they overlap."""
    between = np.abs((one.sum(axis=0) - two.sum(axis=0)) / 2 % 360.0)
    apart: Floats = np.minimum(between, 360.0 - between) - (one[1] - one[0] + two[1] - two[0]) / 2
    return apart
