"""Names of a catalog's tables and columns (``queries/schemas/*.yaml``), so that one template suits several schemas.

Templates write ``Object.ra``; a schema maps it to ``coord_ra``. Detected and Detection are the tables in a join of
objects with detections: Object and Source, or DiaObject and DiaSource. Reads only the given file.

>>> CatalogSchema.plain().column("Object", "id")
'objectId'
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import read_located

DIRECTOR = "Object"
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]


class TableNames(BaseModel):
    """One table by its logical name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Identifier
    """Its name in the database."""
    columns: Annotated[dict[Identifier, Identifier], Field(min_length=1)]
    """Column names by the names in templates; ``id`` is the key, ``object`` the director's key in a child."""


class CatalogSchema(BaseModel):
    """The names of one kind of catalog."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    name: Identifier
    tables: dict[Identifier, TableNames]

    @classmethod
    def plain(cls) -> CatalogSchema:
        """The names for templates without a schema: an Object with objectId, ra and decl."""
        columns = {"id": "objectId", "ra": "ra", "decl": "decl"}
        return cls(version=1, name="plain", tables={DIRECTOR: TableNames(table=DIRECTOR, columns=columns)})

    def table(self, logical: str) -> str:
        """The table's name in the database; a name that is not declared is used as it is."""
        return self.tables[logical].table if logical in self.tables else logical

    def column(self, logical: str, name: str) -> str:
        return self.tables[logical].columns.get(name, name) if logical in self.tables else name

    def sampling_key(self, logical: str) -> str:
        """The column by whose residue a table is sampled: the object's key if it has one."""
        columns = self.tables[logical].columns if logical in self.tables else {}
        return columns.get("object") or columns.get("id") or self.tables[DIRECTOR].columns["id"]

    @property
    def values(self) -> Mapping[str, Mapping[str, str]]:
        """The names as templates can use them."""
        return {name: {**one.columns, "table": one.table} for name, one in self.tables.items()}


def read_schema_file(folder: Path, name: str) -> CatalogSchema:
    """Read ``folder/<name>.yaml``.

    Raises:
        UserError: no such schema, or a wrong key.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
        raise UserError(f"there is no schema '{name}' in '{folder}'", remedy=f"name one of: {known}")
    return read_located(CatalogSchema, path)
