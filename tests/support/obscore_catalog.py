"""A catalog with a regular table of polygons, and one without bounds, for plans without any server."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.four_chunks import table

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Striping
from skyshard.catalog.region_columns import normal_names
from skyshard.czar.sql.stored_region_sql import MOST_EDGES
from skyshard.registry.catalog.published_catalog import Catalog

CORNERS = 4


def _columns(region: str, edges: int) -> str:
    return ", ".join(f"{name} double" for normal in normal_names(region, edges) for name in normal)


class Source:
    """``ObsCore`` with ``s_region`` and its bounds; ``Plain`` with ``Area``, three edges; ``Many``: 17 edges."""

    def __init__(self) -> None:
        tables = [
            table("ObsCore", "obs_id bigint, ra double, s_region text, s_region_scisql blob, s_region_bounds geometry, "
                             + _columns("s_region", CORNERS)),
            table("Plain", f"n int, Area text, {_columns('Area', 3)}"),
            table("Many", f"n int, r text, {_columns('r', MOST_EDGES + 1)}"),
        ]  # fmt: skip
        layout = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
        self._catalog = Catalog("sky", layout, {one.table.name: one for one in tables}, ("a", "b"))

    def databases(self) -> list[str]:
        return ["sky"]

    def catalog(self, database: str) -> Catalog:
        if database != "sky":
            raise UserError(f"no database '{database}'")
        return self._catalog

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return {}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return set()
