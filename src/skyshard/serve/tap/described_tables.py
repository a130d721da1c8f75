"""Schemas, tables and columns as TAP tells of them: of published catalogs, with what Felis says of their columns.

Rules: types are those that answers have. Units, UCDs and descriptions come from the shipped Felis schema whose table
is most like a table; columns of other tables have none. Pure but for reading shipped schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

import pyarrow as pa

from skyshard.basics.lazy import locked_property
from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.catalog.known_table import KnownTable
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.nearest_schema import nearest_schemas
from skyshard.catalog.obscore_columns import OBSCORE_SCHEMA, OBSCORE_TABLE, REGION, standard_descriptions
from skyshard.catalog.region_columns import hidden_columns, region_columns
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Column
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.rowimage.sqltype import SqlType, TypeClass
from skyshard.serve.tap.delimited_names import delimited
from skyshard.serve.votable.fields import Field, field_of

_OWN_WORDS = {
    CHUNK_COLUMN: "number of the chunk that holds the row",
    SUB_CHUNK_COLUMN: "number of the sub-chunk that holds the row",
}


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column: as VOTable declares it, and what TAP_SCHEMA says besides."""

    field: Field
    is_indexed: bool = False
    is_principal: bool = False
    is_std: bool = False


@dataclass(frozen=True, slots=True)
class DescribedKey:
    """A foreign key: which columns of another table this one's are; both tables as queries write them."""

    name: str
    from_table: str
    target: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DescribedTable:
    """A table; ``position`` are its columns of right ascension and declination."""

    schema: str
    name: str
    description: str
    columns: tuple[DescribedColumn, ...]
    keys: tuple[DescribedKey, ...] = ()
    physical: tuple[str, str] | None = None
    position: tuple[str, str] | None = None
    utype: str = ""
    """Role in a data model."""
    has_hidden: bool = False
    """True where it has more columns, for the servers: a star does not stand for them."""

    @property
    def shown(self) -> str:
        """As queries write it."""
        return f"{delimited(self.schema)}.{delimited(self.name)}"

    @locked_property
    def _by_name(self) -> Mapping[str, DescribedColumn]:
        return {column.field.name.lower(): column for column in self.columns}

    def column(self, name: str) -> DescribedColumn | None:
        return self._by_name.get(name.lower())

    def named(self, schema: str = "") -> KnownTable:
        """The table as queries name it, perhaps by an alias of its schema."""
        names = tuple(column.field.name for column in self.columns)
        units = tuple(column.field.unit for column in self.columns)
        return KnownTable(
            schema or self.schema, self.name, names, self.physical, self.physical is not None, units, self.has_hidden
        )


@dataclass(frozen=True, slots=True)
class DescribedSchema:
    """A schema and its tables; a published database is one, which aliases may name, too."""

    name: str
    description: str
    tables: tuple[DescribedTable, ...]
    aliases: tuple[str, ...] = ()


def describe_catalog(catalog: Catalog) -> DescribedSchema:
    """One database with its tables."""
    columns = {name: entry.table.column_names for name, entry in catalog.tables.items()}
    found = nearest_schemas(columns)
    tables = tuple(
        _table(catalog, entry, _known(entry, found[name].columns if name in found else {}))
        for name, entry in sorted(catalog.tables.items())
    )
    taken = sorted({annotation.schema for annotation in found.values()})
    said = f"; units and descriptions of columns from the schema {', '.join(taken)}" if taken else ""
    return DescribedSchema(catalog.called, f"database {catalog.called}{said}", tables, catalog.aliases)


def _table(catalog: Catalog, entry: CatalogTable, known: Mapping[str, SchemaColumn]) -> DescribedTable:
    indexed, hidden = _indexed(entry), hidden_columns(entry.table.column_names)
    principal = {entry.layout.key, *(entry.layout.position or ())}
    principal |= {name for name, column in known.items() if column.is_principal}
    shown = [column for column in entry.table if column.name not in hidden]
    if hidden:  # a star is written out then, so that columns may stand as is recommended
        shown.sort(key=lambda column: known[column.name].place if column.name in known else 0)
    columns = tuple(_described(column, known.get(column.name), indexed, principal) for column in shown)
    name, role = entry.table.name, entry.layout.role
    followed = f", follows {entry.layout.director}" if entry.layout.director else ""
    described = f"{role} table{followed}; {entry.rows:,} rows"
    keys = tuple(_keys(catalog, name, entry.layout))
    is_observed = is_obscore(catalog.called, entry)
    return DescribedTable(
        catalog.called, name, OBSCORE_WORDS if is_observed else described, columns, keys,
        position=entry.layout.position, utype=OBSCORE_UTYPE if is_observed else "", has_hidden=bool(hidden),
    )  # fmt: skip


OBSCORE_UTYPE = "ivo://ivoa.net/std/ObsCore#table-1.1"
OBSCORE_WORDS = "observations, as ObsCore 1.1 describes them"


def is_obscore(schema: str, entry: CatalogTable) -> bool:
    """True for ``ivoa.ObsCore`` with a region for each row."""
    is_named = (schema, entry.table.name) == (OBSCORE_SCHEMA, OBSCORE_TABLE)
    return is_named and region_columns(entry.table.column_names, REGION) is not None


def _known(entry: CatalogTable, nearest: Mapping[str, SchemaColumn]) -> Mapping[str, SchemaColumn]:
    """What a schema says of the columns: the nearest one, or for a table of observations its own."""
    if entry.table.name != OBSCORE_TABLE or region_columns(entry.table.column_names, REGION) is None:
        return nearest
    return standard_descriptions()


def _described(column: Column, known: SchemaColumn | None, indexed: Set[str], principal: Set[str]) -> DescribedColumn:
    is_standard = known is not None and known.is_standard
    field = described_field(column, known, is_plain=is_standard)
    return DescribedColumn(field, column.name in indexed, column.name in principal, is_standard)


def _indexed(entry: CatalogTable) -> set[str]:
    """The columns that a look-up may go by: of keys and indexes the first ones, and what chunks are found by."""
    leading = [key.columns[0].partition("(")[0] for key in entry.table.keys]
    leading += [index[0].partition("(")[0] for index in (*entry.layout.indexes, *entry.layout.named_indexes.values())]
    leading += list(entry.table.primary_key[:1])
    return {*leading, entry.layout.key, *(entry.layout.position or ())} - {""}


def _keys(catalog: Catalog, name: str, layout: TableLayout) -> Iterator[DescribedKey]:
    """The keys by which rows follow directors of the same database."""
    for director, column in ((layout.director, layout.key), (layout.director2, layout.key2)):
        target = catalog.tables.get(director)
        if target is not None and column and target.layout.key:
            table, other = (f"{delimited(catalog.called)}.{delimited(one)}" for one in (name, director))
            yield DescribedKey(f"{table}.{column}", table, other, ((column, target.layout.key),))


def described_field(column: Column, known: SchemaColumn | None = None, *, is_plain: bool = False) -> Field:
    """A stored column as answers declare it; texts that a schema describes are plain."""
    is_plain = is_plain or (known is not None and not known.type.startswith("varchar"))
    plain = field_of(column.name, _answered(column.type), column.type, is_plain=is_plain)
    if known is None:
        return replace(plain, description=_OWN_WORDS.get(column.name, ""))
    return replace(plain, unit=known.unit, ucd=known.ucd, description=known.description, utype=known.utype)


_BINARY = ("binary", "varbinary", "bit", "tinyblob", "blob", "mediumblob", "longblob", "geometry")


def _answered(kind: SqlType) -> pa.DataType:
    """The Arrow type of an answer's column: as stored, but texts are texts."""
    if kind.type_class is not TypeClass.BYTES:
        return kind.arrow
    return pa.large_binary() if kind.base in _BINARY else pa.large_string()
