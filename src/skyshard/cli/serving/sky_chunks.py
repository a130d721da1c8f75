"""The chunks of a catalog as the page draws them. Values, no I/O."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Role
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.serve.page_services import SkyNow

DIGITS = 5
"""Of an angle, behind the point."""


def sky_of(catalog: Catalog, name: str, down: Collection[str]) -> SkyNow:
    """A director of a catalog; ``down`` are the nodes that do not answer.

    Raises:
        UserError: there is none of that name.
    """
    table = catalog.tables.get(name)
    if table is None or table.layout.role is not Role.DIRECTOR:
        raise UserError(f"'{catalog.called}' has no director '{name}'", remedy="choose one that is listed")
    return _sky(catalog, name, table, down)


def _sky(catalog: Catalog, name: str, table: CatalogTable, down: Collection[str]) -> SkyNow:
    found = table.chunks.columns
    west, east, south, north = chunker_of(catalog.layout.striping).chunk_edges(found.chunk).round(DIGITS).tolist()
    is_up = np.array([node not in down for node in found.nodes], np.int64)
    held = np.concatenate([[0], np.cumsum(is_up[found.holders])])
    nodes = held[found.first_holder[1:]] - held[found.first_holder[:-1]]
    return SkyNow(
        catalog.called, name, found.chunk.tolist(), west, east, south, north, found.rows.tolist(), nodes.tolist()
    )
