"""Objects that are one: at the same place within a radius. No I/O."""

from __future__ import annotations

import numpy as np

from skyshard.basics.array_types import Floats, Integers


def duplicates(ids: Integers, ra: Floats, dec: Floats, since: Floats, radius_arcsec: float) -> dict[int, int]:
    """Younger object → the oldest one that it is the same as, also through others between them.

    Args:
        ra, dec: degrees. since: time of the first source; of two that are equally old, the smaller id is the older.

    >>> from numpy import array
    >>> ra, dec = array([0.0, 359.99999, 0.00001, 90.0]), array([0.0, 0.0, 0.0, 0.0])
    >>> duplicates(array([5, 6, 7, 8]), ra, dec, array([3.0, 1.0, 2.0, 1.0]), 0.1)
    {5: 6, 7: 6}
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    lon, lat = np.radians(ra), np.radians(dec)
    points = np.column_stack([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)])
    chord = 2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0)
    pairs = cKDTree(points).query_pairs(chord, output_type="ndarray")
    if not len(pairs):
        return {}
    links = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(ids), len(ids)))
    _, group = connected_components(links, directed=False)
    order = np.lexsort((ids, since, group))
    first = np.ones(len(ids), bool)
    first[1:] = group[order][1:] != group[order][:-1]
    oldest = ids[order][np.maximum.accumulate(np.where(first, np.arange(len(ids)), 0))]
    return dict(sorted(zip(ids[order][~first].tolist(), oldest[~first].tolist(), strict=True)))
