"""Units and descriptions for columns that are inferred: from the table of a shipped schema that is most like theirs.

They are an annotation: types and roles never come from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from skyshard.catalog.felis_schemas import SchemaColumn, read_schema

RELEASES = ("hsc", "dp2", "dp1", "dp02_dc2")
"""The schemas that are looked at; of equally good ones the first counts."""
_LEAST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Annotation:
    """The table of a schema that describes another one."""

    schema: str
    table: str
    columns: Mapping[str, SchemaColumn]
    """By the name of the column that is described."""


def nearest_schemas(tables: Mapping[str, Collection[str]]) -> dict[str, Annotation]:
    """For each table, by its columns, the schema's table that has most of them in common; none where few are.

    Columns are alike if their names are, whatever the case.
    """
    found: dict[str, tuple[float, Annotation]] = {}
    for schema in RELEASES:
        for described in read_schema(schema):
            theirs = {column.name.lower(): column for column in described.columns}
            for name, columns in tables.items():
                mine = {column.lower(): column for column in columns}
                both = theirs.keys() & mine.keys()
                share = len(both) / max(1, len(theirs.keys() | mine.keys()))
                if share >= _LEAST_SHARE and (name not in found or share > found[name][0]):
                    annotation = Annotation(schema, described.table.name, {mine[key]: theirs[key] for key in both})
                    found[name] = share, annotation
    return {name: annotation for name, (_, annotation) in found.items()}
