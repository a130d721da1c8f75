"""The tables of a recipe that names a Felis schema: their columns, and how each is spread over chunks. No I/O.

Reading a schema is slow, so each process does it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import SchemaColumn, read_schema
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.synth.recipe.recipe import Recipe, SchemaTables
from skyshard.synth.recipe.sky_tables import TableSpec, table_specs
from skyshard.synth.recipe.table_kinds import TableKind, infer_kinds, layout_of

_PRIMARY_KEYS = {
    TableKind.VISIT: (("visit",), ("visitId",)),
    TableKind.VISIT_DETECTOR: (("ccdVisitId",), ("visitId", "detector"), ("visit", "detector")),
    TableKind.PATCH: (("lsst_tract", "lsst_patch"),),
    TableKind.DIA_DETECTION: (("diaSourceId",),),
    TableKind.FORCED: (("forcedSourceId",),),
    TableKind.DIA_FORCED: (("forcedSourceOnDiaObjectId",),),
}


@dataclass(frozen=True, slots=True)
class FelisTables:
    """The schema's part of a recipe, resolved."""

    rule: SchemaTables
    columns: dict[str, dict[str, SchemaColumn]]
    """Of each table, by name, in declared order."""


def resolve_schema(rule: SchemaTables) -> tuple[FelisTables, dict[str, TableSpec]]:
    """The schema's tables, and how each is spread: directors first, then their children, regular tables last.

    Raises:
        UserError: an unknown schema, table or column, a director without a position, a child without a director.
    """
    found = {table.table.name: table for table in read_schema(rule.catalog)}
    names = list(found) if rule.tables is None else list(rule.tables)
    _require_known("schema.tables", [*names, *rule.kinds], found)
    columns = {name: {column.name: column for column in found[name].columns} for name in names}
    for key in rule.columns:
        table, _, column = key.partition(".")
        _require_known("schema.columns", [table], columns)
        _require_known(f"schema.columns: table {table}", [column], columns[table])
    kinds = {**infer_kinds({name: list(columns[name]) for name in names}), **rule.kinds}
    directors = {kinds[name]: name for name in reversed(names)}
    if TableKind.OBJECT not in directors:
        raise UserError(
            f"key 'schema.tables': none of {', '.join(names)} is a table of objects",
            remedy="make Object, or say which it is in schema.kinds",
        )
    specs = {}
    for name in sorted(names, key=lambda name: _order(kinds[name])):
        layout = layout_of(name, kinds[name], list(columns[name]), directors)
        keyed = _keyed(found[name].table, kinds[name], layout)
        specs[name] = TableSpec(keyed, layout, kinds[name])
        columns[name] = {
            column.name: replace(columns[name][column.name], is_nullable=column.is_nullable) for column in keyed
        }
    return FelisTables(rule, columns), specs


def _order(kind: TableKind) -> int:
    return list(TableKind).index(kind)


def _require_known(key: str, names: list[str], known: Mapping[str, object]) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"key '{key}': no '{name}'", remedy=f"known are {', '.join(list(known)[:30])}")


def _keyed(table: Table, kind: TableKind, layout: TableLayout) -> Table:
    """The table with a primary key, whose columns cannot be NULL."""
    choices = ((layout.key,),) if layout.director == "" and layout.key else _PRIMARY_KEYS.get(kind, ())
    have = set(table.column_names)
    key = next((columns for columns in choices if have.issuperset(columns)), ())
    position = () if layout.position is None else layout.position
    columns = tuple(
        replace(column, is_nullable=False) if column.name in (*key, *position, layout.key) else column
        for column in table
    )
    return replace(table, columns=columns, primary_key=key)


def resolve_tables(recipe: Recipe) -> tuple[FelisTables | None, dict[str, TableSpec]]:
    """The tables of any recipe; the first part is None where it names no schema."""
    return (None, table_specs(recipe)) if recipe.felis is None else resolve_schema(recipe.felis)
