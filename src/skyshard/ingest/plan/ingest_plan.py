"""What an ingest will do, before anything is touched: tables, loaders, and what must be there first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Layout, Role, TableLayout, split_director
from skyshard.catalog.schema import Table
from skyshard.columns.imaged_columns import imaged_columns
from skyshard.ingest.plan.left_out_rows import require_free_rows
from skyshard.ingest.plan.placing_types import require_placing_types
from skyshard.ingest.plan.storable import require_storable, require_tables_distinct
from skyshard.ingest.plan.taken_names import require_apart, require_paths, require_table
from skyshard.ingest.source import Source, SourceTable
from skyshard.ingest.sources.database_name import require_database_name
from skyshard.node.messages import Loader
from skyshard.registry.stored.records import InputFile
from skyshard.rowimage.record import RecordLayout


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """One table of the plan; ``why_loader`` says why it does not take row images, empty when it does."""

    source: SourceTable
    loader: Loader
    why_loader: str

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def stored(self) -> Table:
        return stored_table(self.source.table, self.source.layout)


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """The whole: source, database, layout and tables in the order of their ingest.

    Of the layout's values only those that were named are set (``model_fields_set``). ``database`` is the name that was
    given until the plan is carried out, then the stored name, and ``shown`` is the given one.
    """

    source: Source
    database: str
    layout: Layout
    tables: tuple[PlannedTable, ...]
    is_loader_asked: bool = False
    replaced: tuple[InputFile, ...] = ()
    """Files of earlier transactions whose rows go when those of this plan come."""
    shown: str = ""

    @property
    def called(self) -> str:
        """The database's name for people."""
        return self.shown or self.database

    def kept_in(self, known: Layout, tables: Mapping[str, TableLayout]) -> IngestPlan:
        """The plan as a database takes it that has this layout, and these tables: copies, engine, storage and column
        images stay, and the indexes that a table was given since.

        Raises:
            UserError: a table that the engine does not make.
        """
        kept = {name: getattr(known, name) for name in ("replicas", "engine", "storage", "columns")}
        planned = tuple(_with_indexes(table, tables[table.name]) if table.name in tables else table
                        for table in self.tables)  # fmt: skip
        kept["tables"] = self.layout.tables | {table.name: table.source.layout for table in planned}
        layout = self.layout.model_copy(update=kept)
        for table in planned:
            for stored in prototypes(table.source):
                require_storable(stored, layout.engine)
        return replace(self, layout=layout, tables=planned)

    @property
    def foreign_directors(self) -> set[tuple[str, str]]:
        """Database and table of the directors in other databases that tables follow."""
        names = {name for t in self.tables for name in (t.source.layout.director, t.source.layout.director2) if name}
        return {pair for name in names if (pair := split_director(name, self.database))[0] != self.database}

    def not_imaged(self, table: PlannedTable) -> dict[str, str]:
        """The columns of a table that have no image, and why; empty where no images are asked for, or none can be."""
        if not self.layout.has_images or not table.source.layout.role.is_chunked:
            return {}
        return imaged_columns(table.stored, self.layout.imaged)[1]

    def left_out(self, table: str) -> tuple[int, ...]:
        """Numbers of the files of a table whose rows go."""
        return tuple(file.number for file in self.replaced if file.table == table)

    def summary(self) -> dict[str, Any]:
        """The plan as plain values for JSON and tables."""
        return {
            "source": self.source.path,
            "kind": self.source.kind,
            "database": self.database,
            "striping": self.layout.striping.model_dump(),
            "replicas": self.layout.replicas,
            "engine": self.layout.engine,
            "storage": self.layout.storage.named,
            "columns": self.layout.columns,
            "tables": [
                {
                    "table": table.name,
                    "role": str(table.source.layout.role),
                    "director": table.source.layout.director,
                    "columns": len(table.source.table.columns),
                    "parts": len(table.source.slices),
                    "input_bytes": table.source.bytes,
                    "rows": sum(piece.rows or 0 for piece in table.source.slices) or None,
                    "loader": str(table.loader),
                    "why_loader": table.why_loader,
                    "conversions": list(table.source.conversions),
                    "notes": list(table.source.notes),
                    "not_imaged": self.not_imaged(table),
                }
                for table in self.tables
            ],
        }


def make_plan(
    source: Source,
    *,
    database: str = "",
    tables: Sequence[str] | None = None,
    loader: Loader | None = None,
    replicas: int | None = None,
    columns: Literal["all", "none"] | Sequence[str] | None = None,
    known: Collection[str] = (),
    override: Layout | None = None,
) -> IngestPlan:
    """Decide what is ingested how.

    Args:
        loader: the one that is asked for; row images where they can be if none is.
        columns: that have column images, too; as the layout says if None.
        known: tables that the database has already; a dependent may follow a director among them.
        override: a layout instead of the source's; tables that it does not name keep the source's roles.

    Raises:
        UserError: a name that is taken, an unknown table, a table that no server makes, or a dependent without its
            director.
    """
    name = database or source.database
    require_database_name(name, is_new=not known)
    if override is not None:
        source = _with_layout(source, override)
    chosen = source.chosen(list(tables) if tables else None)
    if not chosen:
        raise UserError(f"'{source.path}' has no tables to ingest", remedy="check the source")
    _require_directors(chosen, known)
    require_paths([source.path, *(piece.path for table in chosen for piece in table.slices)])
    _require_makeable(name, chosen, source.layout)
    layout = source.layout.model_copy(update={"tables": {table.name: table.layout for table in chosen}})
    if replicas is not None:
        layout = layout.model_copy(update={"replicas": replicas})
    if columns is not None:
        layout = layout.model_copy(update={"columns": columns if isinstance(columns, str) else tuple(columns)})
    if not source.unopened:
        _require_imaged(layout, source.tables.values())
    planned = tuple(_planned(table, loader or Loader.IMAGE) for table in chosen)
    return IngestPlan(source, name, layout, planned, is_loader_asked=loader is not None)


def _require_imaged(layout: Layout, tables: Iterable[SourceTable]) -> None:
    """Refuse a column that is to have images where no chunked table has it."""
    stored = [stored_table(table.table, table.layout) for table in tables if table.layout.role.is_chunked]
    for name in layout.imaged or ():
        if not any(table.find(name) for table in stored):
            raise UserError(f"no chunked table has a column '{name}' for images", remedy="correct `columns`")


def _require_makeable(database: str, chosen: Sequence[SourceTable], layout: Layout) -> None:
    """Refuse tables that no server makes, or whose names are those of others."""
    for table in chosen:
        _require_no_unique_index(table)
        require_free_rows(table)
        require_table(database, table.table, table.layout, layout.striping)
        for stored in prototypes(table):
            require_storable(stored, layout.engine)
    require_tables_distinct([table.name for table in chosen])
    require_apart({table.name: table.layout for table in chosen})


def _require_no_unique_index(table: SourceTable) -> None:
    """Each chunk table would hold one for itself; of the whole table nobody would have looked."""
    if table.layout.unique_indexes:
        what = f"table '{table.name}': its layout has a unique index '{table.layout.unique_indexes[0]}'"
        raise UserError(what, remedy="leave `unique_indexes` out, and add the index once the table is published")


def prototypes(table: SourceTable) -> list[Table]:
    """The stored tables that differ: a chunk's own, and of a director that of its overlap."""
    kinds = (False, True) if table.layout.role is Role.DIRECTOR else (False,)
    return [stored_table(table.table, table.layout, overlap=is_overlap) for is_overlap in kinds]


def _with_layout(source: Source, override: Layout) -> Source:
    """The source spread another way.

    Raises:
        UserError: the layout names a table or column that the source does not have.
    """
    tables = dict(source.tables)
    for name, layout in override.tables.items():
        if name in source.unopened:
            continue
        if name not in tables:
            raise UserError(
                f"the layout names table '{name}', which '{source.path}' does not have",
                remedy=f"it has {', '.join(sorted(tables))}",
            )
        for column in (layout.key, *(layout.position or ())):
            if column:
                tables[name].table.column(column)
        tables[name] = replace(tables[name], layout=layout)
    layouts = {name: table.layout for name, table in tables.items()}
    return replace(source, tables=tables, layout=override.model_copy(update={"tables": layouts}))


def _require_directors(chosen: Sequence[SourceTable], known: Collection[str]) -> None:
    names = {table.name for table in chosen} | set(known)
    for table in chosen:
        followed = (table.layout.director, table.layout.director2)
        director = next((name for name in followed if name and "." not in name and name not in names), "")
        if director:
            raise UserError(
                f"table '{table.name}' follows director '{director}', which is not ingested with it",
                remedy=f"add {director} to --tables",
            )
        require_placing_types(table)


def _with_indexes(table: PlannedTable, known: TableLayout) -> PlannedTable:
    """All parts of a table have the same keys: those by name are as its database has them."""
    update = {name: getattr(known, name) for name in ("named_indexes", "unique_indexes")}
    return replace(table, source=replace(table.source, layout=table.source.layout.model_copy(update=update)))


def require_no_rows_of_unique_indexes(plan: IngestPlan, known: Mapping[str, TableLayout]) -> None:
    """Refuse rows that come to a table with a unique index: nobody would look for one in rows of two ingests.

    Args:
        plan: what of it is new.
        known: the tables of its database.

    Raises:
        UserError: names table and index.
    """
    for table in plan.tables:
        unique = known[table.name].unique_indexes if table.name in known else []
        if unique and (table.source.slices or plan.left_out(table.name)):
            what = f"table '{table.name}' has a unique index '{unique[0]}', and takes no more rows"
            raise UserError(what, remedy="drop the index, ingest, and add it again")


def _planned(table: SourceTable, wanted: Loader) -> PlannedTable:
    if wanted is Loader.LOAD_DATA:
        return PlannedTable(table, Loader.LOAD_DATA, "asked for")
    return PlannedTable(table, *loader_of(stored_table(table.table, table.layout)))


def loader_of(stored: Table) -> tuple[Loader, str]:
    """Row images where a table can have them, else LOAD DATA with the reason."""
    blobs = [column.name for column in stored if column.type.is_blob]
    if blobs:
        return Loader.LOAD_DATA, f"BLOB or TEXT column {blobs[0]}"
    if not RecordLayout.is_packable(stored):
        return Loader.LOAD_DATA, "a type that row images do not hold"
    return Loader.IMAGE, ""
