"""Leaves the rows of some input files out: as a condition of a statement, or as the runs of records that stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from skyshard.catalog.schema import FILE_COLUMN
from skyshard.db.connection import quote_name
from skyshard.rowimage.record import Records


def without_files(numbers: Sequence[int]) -> str:
    """The condition that ends a SELECT; empty where no file is left out.

    >>> without_files([3, 5]), without_files([])
    (' WHERE `ingestFile` NOT IN (3, 5)', '')
    """
    return f" WHERE {quote_name(FILE_COLUMN)} NOT IN ({', '.join(map(str, numbers))})" if numbers else ""


def runs_without(records: Records, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First record and number of records of each run that has no row of the files.

    >>> runs_without(np.array([(7,), (3,), (3,), (8,), (8,)], [("ingestFile", "<u4")]), [3])
    [(0, 1), (3, 2)]
    """
    is_kept = ~np.isin(records[FILE_COLUMN], np.asarray(numbers, np.int64))
    edges = np.flatnonzero(np.diff(is_kept, prepend=~is_kept[:1])).tolist() if len(records) else []
    return [(first, end - first) for first, end in pairwise([*edges, len(records)]) if is_kept[first]]
