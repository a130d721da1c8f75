"""Columns that hold a polygon a row, so that *is this point in it* needs no plug-in in the servers. Names only, no I/O.

A region ``s_region`` is a text for people (``POLYGON ICRS ...``), and beside it

- ``s_region_n1x``, ``s_region_n1y``, ``s_region_n1z``, ``s_region_n2x`` ...: DOUBLEs, the unit normals of its edges
  in turn; a point is inside where its product with each is not negative;
- ``s_region_bounds``: a GEOMETRY with a SPATIAL index, the box of its right ascensions and declinations (two boxes
  where it lies over right ascension 0);
- ``s_region_scisql``: the polygon as sciSQL packs it, for other programs. Queries may name either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SCISQL_SUFFIX = "_scisql"
BOUNDS_SUFFIX = "_bounds"
_LEAST_EDGES = 3


@dataclass(frozen=True, slots=True)
class RegionColumns:
    """The columns of one region, as their table spells them; ``bounds`` is empty where it has none."""

    normals: tuple[tuple[str, str, str], ...]
    bounds: str = ""


def normal_names(region: str, edges: int) -> list[tuple[str, str, str]]:
    """The names of the normals' columns.

    >>> normal_names("s_region", 4)[3]
    ('s_region_n4x', 's_region_n4y', 's_region_n4z')
    """
    return [(f"{region}_n{n}x", f"{region}_n{n}y", f"{region}_n{n}z") for n in range(1, edges + 1)]


def region_columns(columns: Sequence[str], name: str) -> RegionColumns | None:
    """The columns of the region that a column of a table holds; None if it holds none. Letters' case is ignored.

    >>> region_columns([*sum(normal_names("r", 3), ()), "r", "r_scisql"], "R_SCISQL").normals[0]
    ('r_n1x', 'r_n1y', 'r_n1z')
    >>> region_columns(["ra", "dec"], "ra") is None
    True
    """
    spelled = {column.lower(): column for column in columns}
    region = name.lower().removesuffix(SCISQL_SUFFIX)
    found: list[tuple[str, str, str]] = []
    for x, y, z in normal_names(region, len(columns) // 3):
        if not (x in spelled and y in spelled and z in spelled):
            break
        found.append((spelled[x], spelled[y], spelled[z]))
    if len(found) < _LEAST_EDGES:
        return None
    return RegionColumns(tuple(found), spelled.get(region + BOUNDS_SUFFIX, ""))


def hidden_columns(columns: Sequence[str]) -> frozenset[str]:
    """The columns that are for servers, not for people: normals, bounds and packed polygons of all regions.

    >>> sorted(hidden_columns(["r", "r_scisql", "r_bounds", *sum(normal_names("r", 3), ())]))[:3]
    ['r_bounds', 'r_n1x', 'r_n1y']
    """
    hidden: set[str] = set()
    spelled = {column.lower(): column for column in columns}
    for column in columns:
        region = None if column.lower().endswith(SCISQL_SUFFIX) else region_columns(columns, column)
        if region is not None:
            hidden |= {name for normal in region.normals for name in normal} | {region.bounds}
            hidden.add(spelled.get(column.lower() + SCISQL_SUFFIX, ""))
    return frozenset(hidden - {""})
