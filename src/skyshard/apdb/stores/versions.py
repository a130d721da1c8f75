"""The newest of several versions of objects, and which rows a reader does not see. No I/O."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from skyshard.apdb.stores.stored_tables import STORED_BY
from skyshard.basics.array_types import Flags
from skyshard.registry.catalog.mutable_chunks import Visible


def newest_versions(rows: pa.Table) -> pa.Table:
    """One row an object: that of the greatest ``validityStartMjdTai``.

    >>> rows = pa.table({"diaObjectId": [4, 4, 9], "validityStartMjdTai": [1.0, 2.0, 1.5]})
    >>> newest_versions(rows).to_pydict()
    {'diaObjectId': [4, 9], 'validityStartMjdTai': [2.0, 1.5]}
    """
    order = np.lexsort((rows["validityStartMjdTai"].to_numpy(), rows["diaObjectId"].to_numpy()))
    ids = rows["diaObjectId"].to_numpy()[order]
    is_last = np.append(ids[1:] != ids[:-1], True)[: len(ids)]
    return rows.take(pa.array(order[is_last]))


def hidden_rows(rows: pa.Table, visible: Visible) -> Flags:
    """Which rows are of stores that are not to be seen.

    >>> hidden_rows(pa.table({"storedBy": [3, 5, 8]}), Visible(7, (5,))).tolist()
    [False, True, True]
    """
    stored_by = rows[STORED_BY].to_numpy()
    return np.asarray((stored_by > visible.newest) | np.isin(stored_by, visible.unfinished))
