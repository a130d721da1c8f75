"""Compares what an ingest asks for with what its database has; every difference is refused.

Rules: only what was named counts (an option, a key of a file); the rest is as the database has it.
"""

from __future__ import annotations

from typing import Any

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, TableLayout, lasting_keys
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.plan.taken_names import require_apart
from skyshard.registry.registry import Registry

_ELSEWHERE = "or ingest under another --database"


def require_agreement(registry: Registry, plan: IngestPlan, known: Layout) -> None:
    """Refuse a plan that wants a published database otherwise than it is.

    Raises:
        UserError: names what differs: striping, copies, engine, or a table's columns, keys or role.
    """
    mine, where = plan.layout, f"database '{plan.called}'"
    if mine.striping != known.striping:
        raise UserError(
            f"{where} has {_striping(known)}, the source {_striping(mine)}",
            remedy=f"give the layout that it has, {_ELSEWHERE}",
        )
    for name, words, verb in (("replicas", "copies of each chunk", "are"), ("engine", "as its engine", "is")):
        have, asked = getattr(known, name), getattr(mine, name)
        if name in mine.model_fields_set and asked != have:
            raise UserError(
                f"{where} has {have} {words}, where {asked} {verb} asked for",
                remedy=f"ask for {name} {have}, or for none, {_ELSEWHERE}",
            )
    if "storage" in mine.model_fields_set and mine.storage != known.storage:
        raise UserError(
            f"{where} has {_storage(known)}, where {_storage(mine)} is asked for",
            remedy=f"ask for the storage that it has, or for none, {_ELSEWHERE}",
        )
    if "columns" in mine.model_fields_set and mine.columns != known.columns:
        raise UserError(
            f"{where} has column images of {_named(known)}, where {_named(mine)} is asked for",
            remedy="`skyshard columns build` or `drop` changes it, for what comes later, too",
        )
    definitions = registry.databases.table_definitions(plan.database)
    for table in plan.tables:
        if table.name in definitions:
            found = _difference(*definitions[table.name], table.source.table, table.source.layout)
            if found:
                raise UserError(
                    f"table '{plan.called}.{table.name}' has {found} in the source",
                    remedy=f"give the table as it is, {_ELSEWHERE}",
                )
    layouts = {name: layout for name, (_, layout) in definitions.items()}
    require_apart(layouts | {table.name: table.source.layout for table in plan.tables})


def require_one_part(registry: Registry, plan: IngestPlan) -> None:
    """Refuse further rows for a table whose parts the engine cannot show as one: MERGE knows no GEOMETRY.

    Raises:
        UserError: names table and column.
    """
    if plan.layout.engine != "MyISAM":
        return
    shapes = {
        table.name: column.name
        for table in plan.tables
        if table.source.slices
        for column in table.source.table.columns
        if column.type.base == "geometry"
    }
    filled = {table for table, _ in registry.contributions.ingested_parts(plan.database)} if shapes else set()
    for table in sorted(shapes.keys() & filled):
        raise UserError(
            f"table '{plan.called}.{table}' takes no further rows: its column '{shapes[table]}' is a GEOMETRY, which "
            "several parts of a table cannot have",
            remedy=f"give all rows at once to a new database, {_ELSEWHERE}",
        )


def require_loader(registry: Registry, plan: IngestPlan) -> None:
    """Refuse to pass over a loader that was asked for, where there is nothing left to load.

    Raises:
        UserError: a table was loaded by another one.
    """
    loaders = registry.databases.loaders(plan.database)
    for table in plan.tables:
        before = loaders.get(table.name, table.loader)
        if plan.is_loader_asked and table.loader != before:
            raise UserError(
                f"table '{plan.called}.{table.name}' has all rows of the source, loaded by {before}; nothing is left "
                f"to load by {table.loader}",
                remedy=f"leave --loader out, {_ELSEWHERE}",
            )


def _striping(layout: Layout) -> str:
    found = layout.striping
    return f"{found.stripes} stripes, {found.substripes} sub-stripes and overlap {found.overlap_deg} deg"


def _storage(layout: Layout) -> str:
    listed = ", ".join(f"{key} {value}" for key, value in layout.storage.named.items())
    return f"{layout.engine} with {listed}" if listed else f"{layout.engine} with its own ways of storage"


def _named(layout: Layout) -> str:
    return layout.columns if isinstance(layout.columns, str) else ", ".join(layout.columns)


def _difference(table: Table, layout: TableLayout, other: Table, other_layout: TableLayout) -> str:
    """The first thing that differs, and how it is in the other one; empty if nothing does."""
    for old, new in zip(table, other, strict=False):
        if _described(old) != _described(new):
            return f"column {_described(old)}, which is {_described(new)}"
    pairs: list[tuple[str, Any, Any]] = [
        ("columns", table.column_names, other.column_names),
        ("primary key", table.primary_key, other.primary_key),
        ("indexes", _indexes(table), _indexes(other)),
    ]
    pairs += [(name, getattr(layout, name), getattr(other_layout, name)) for name in lasting_keys()]
    return next((f"{what} {_shown(old)}, which is {_shown(new)}" for what, old, new in pairs if old != new), "")


def _indexes(table: Table) -> list[tuple[str, ...]]:
    return [(*key.columns, *(["unique"] if key.is_unique else [])) for key in table.keys]


def _described(column: Column) -> str:
    null, default = "" if column.is_nullable else " NOT NULL", f" DEFAULT {column.default}" if column.default else ""
    return f"'{column.name}' {column.type.text}{null}{default}"


def _shown(value: Any) -> str:
    """A value as a layout file spells it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f"'{value}'" if isinstance(value, str) else str(value)
