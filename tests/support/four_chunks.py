"""A catalog of four chunks, for plans without any server."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.rowimage.sqltype import parse_type

CHUNKS = (324, 325, 361, 362)

OBJECT = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))

SOURCE = TableLayout(role=Role.DEPENDENT, key="objectId", director="Object", position=("raObject", "declObject"))

NOTE = TableLayout(role=Role.DEPENDENT, key="objectId", director="Object")

MATCH = TableLayout(role=Role.REF_MATCH)


def table(name: str, columns: str, layout: TableLayout | None = None, **values: object) -> CatalogTable:
    made = Table(name, tuple(Column(c.split()[0], parse_type(c.split(None, 1)[1])) for c in columns.split(", ")))
    if layout is None:
        return CatalogTable(made, TableLayout(role=Role.REGULAR), 9, NO_CHUNKS)
    entries = ChunkEntries.of({chunk: ChunkEntry(100, 7, ("a" if chunk < 360 else "b",)) for chunk in CHUNKS})
    return CatalogTable(made.with_chunk_columns(), layout, 400, entries, **values)  # type: ignore[arg-type]


class Source:
    """A catalog of four chunks whose director index knows the keys 5 (chunk 325) and 15 (chunk 361)."""

    def __init__(self, rows_a_chunk: int = 100) -> None:
        tables = [
            table("Object", "objectId bigint, ra double, decl double, mag float, kind int", OBJECT),
            table(
                "Source", "sourceId bigint, objectId bigint, raObject double, declObject double, t double", SOURCE,
                orphan_chunks=frozenset({361}),
            ),
            table("Note", "noteId int, objectId bigint, body text", NOTE),
            table("RefMatch", "a bigint, b bigint", MATCH),
            table("Filter", "filterId tinyint, filterName char(3)"),
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
        return {key: frozenset({chunk}) for key, chunk in {5: 325, 15: 361}.items() if key in keys}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return {c for key, c in {5: 325, 15: 361}.items() if (low or 0) <= key <= (1e9 if high is None else high)}
