"""Mapping files: how input files of any shape become the tables of a catalog.

Strict models of ``ingest/mappings/*.yaml`` and of users' own; reading the files named is the only I/O. A mapping
may extend a shipped one and say no more than where the input is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.catalog.strict_files import load_yaml, validate_model
from skyshard.db.charsets import codec_of
from skyshard.host.shipped_data import data_folder

INFER = "infer"
"""Instead of a schema's name: columns are what the files have."""
_STRICT = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class TextFormat(BaseModel):
    """How delimited text is written; packed files (gzip, bzip2, xz) and UTF-16 are seen by their first bytes."""

    model_config = _STRICT

    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """One character between fields."""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """One character around fields that hold separators or line ends; doubled inside. Empty for none."""
    escape: Annotated[str, Field(max_length=1)] = ""
    """One character before special ones, as MySQL's backslash. Empty for none."""
    null_text: str = "\\N"
    """What a NULL is written as, without quotes; empty means that an empty field is NULL."""
    null_word: bool = False
    """The word NULL without quotes means NULL, too, as to LOAD DATA where fields may be in quotes."""
    header: bool = True
    """The first line names the fields; else ``fields`` does."""
    fields: list[str] = []
    """Names of the fields, for files without header line."""
    charset: Literal["utf8", "latin1"] = "utf8"
    """What the files are in; latin1 is MariaDB's, which is cp1252. A column stores it in its own character set."""

    @model_validator(mode="after")
    def _names_fields(self) -> TextFormat:
        if self.header == bool(self.fields):
            raise ValueError("give 'fields' for files without header line, and only for them")
        return self

    @model_validator(mode="after")
    def _has_marks_of_a_byte(self) -> TextFormat:
        marks = {"separator": self.separator, "quote": self.quote, "escape": self.escape}
        for name, mark in marks.items():
            if mark and (mark in "\r\n" or not mark.isascii()):
                raise ValueError(f"{name} {mark!r} is no character of ASCII, or ends lines")
        if self.separator in (self.quote, self.escape):
            raise ValueError(f"separator {self.separator!r} is the quote or the escape too")
        try:
            self.null_text.encode(codec_of(self.charset))
        except UnicodeEncodeError:
            raise ValueError(f"null_text {self.null_text!r} is not in the files' charset {self.charset}") from None
        return self


class FitsFormat(BaseModel):
    """Which table of a FITS file is read, and whether its sums are looked at."""

    model_config = _STRICT

    hdu: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)] | None = None
    """The number of the unit (0 is the primary one), or its EXTNAME in any letter case; empty: the first table."""
    checksums: bool = True
    """False: CHECKSUM and DATASUM of the header are not held against the data."""


class MappedColumn(BaseModel):
    """Where a column's values come from; a column without rule is taken from the input column of its own name."""

    model_config = _STRICT

    source: Annotated[str, Field(alias="from")] = ""
    """Name of the input column, if it is another."""
    derive: str = ""
    """An expression over input columns: names, numbers, + - * / and parentheses."""
    constant: int | float | str | None = None
    """One value for every row."""
    factor: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Multiply by this, to change the unit."""
    null_at: list[int | float | str] = []
    """Input values that mean NULL, such as -999; looked for before any arithmetic."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> MappedColumn:
        if sum((bool(self.source), bool(self.derive), self.constant is not None)) > 1:
            raise ValueError("give one of 'from', 'derive' and 'constant'")
        if self.constant is not None and (self.factor is not None or self.null_at):
            raise ValueError("a constant takes neither 'factor' nor 'null_at'")
        return self


class DeclaredColumn(BaseModel):
    """A column that no schema describes."""

    model_config = _STRICT

    name: str
    """Its name in the table."""
    type: str
    """Its type as MariaDB spells it, e.g. ``bigint`` or ``varchar(20)``."""
    nullable: bool = True
    """False for NOT NULL."""


class MappedTable(TableLayout):
    """One table: its role as in a layout, its input files, and the columns that are not taken as they are."""

    role: Role = Role.REGULAR
    """director, dependent, ref-match or regular; may be left out where the schema is inferred."""
    files: Annotated[list[str], Field(min_length=1)]
    """Paths or globs, from the mapping's ``input``."""
    otherwise: tuple[tuple[str, ...], ...] = ()
    """Other patterns where ``files`` find nothing; the first of these lists that finds a file is taken."""
    optional: bool = False
    """True: without such files the catalog simply has no such table."""
    format: Literal["parquet", "fits", "text", ""] = ""
    """Empty: by the files' ending (.parquet, .parq, .fits, .fits.gz ...; anything else is text)."""
    text: TextFormat = TextFormat()
    fits: FitsFormat = FitsFormat()
    schema_table: str = ""
    """The table's name in the schema, if it is another; '-' for a table that no schema describes."""
    declare: tuple[DeclaredColumn, ...] = ()
    """Columns besides those of the schema, or all columns where there is no schema."""
    columns: Annotated[dict[str, MappedColumn], Field(default_factory=dict)]
    """Rules by column."""
    where: str = ""
    """Which rows are taken: a condition over input columns."""
    omit: tuple[str, ...] = ()
    """Columns of the schema that the table does without."""
    allow_missing: bool | tuple[str, ...] = False
    """Columns that a file may lack (true: any): they are NULL there, and counted."""
    mixed_types: bool = False
    """True: files may hold a column in types of different kinds, each converted by itself."""
    primary_key: tuple[str, ...] = ()
    """Columns of the primary key; a director's key needs not be named."""

    def _require_policies_to_act(self) -> None:
        """Checked when the role is known; a mapping that infers it may leave it out."""
        if "role" in self.model_fields_set:
            super()._require_policies_to_act()

    @property
    def layout(self) -> TableLayout:
        return TableLayout(**{name: getattr(self, name) for name in TableLayout.model_fields})

    def may_lack(self, column: str) -> bool:
        return self.allow_missing if isinstance(self.allow_missing, bool) else column in self.allow_missing


class Provenance(BaseModel):
    """Where the files come from; what is left out is read from their paths, where these are a Butler's."""

    model_config = _STRICT

    run: str = ""
    """The collection of the processing that wrote them."""
    weekly: str = ""
    """The release of the pipelines, such as w_2026_24."""
    ticket: str = ""
    """The ticket under which they were made, such as DM-54321."""


class Mapping(BaseModel):
    """A catalog by its input files."""

    model_config = _STRICT

    version: Literal[1]
    extends: str = ""
    """A shipped mapping by name, or another file: this one's keys go before its."""
    database: str
    """The database name that the catalog proposes."""
    catalog: Annotated[str, Field(alias="schema")] = ""
    """The Felis schema of the tables (``skyshard schema list``), or ``infer``: types and roles from the files."""
    runs: Literal["newest"] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Which file of a dataset counts that several runs of a Butler wrote: the newest run's, or that of the first run
    named here; runs that are not named are left out."""
    striping: Striping | None = None
    """Stripes, sub-stripes and overlap; or name a ``layout``."""
    layout: str = ""
    """A shipped layout by name, or a layout file."""
    input: str = "."
    """The folder that ``files`` start from, itself relative to the mapping file."""
    provenance: bool | Provenance = False
    """True, or what is known of all files: each row keeps the number of its file and its own within it."""
    tables: Annotated[dict[str, MappedTable], Field(min_length=1)]
    """By table name."""

    @property
    def is_inferred(self) -> bool:
        return self.catalog == INFER

    @model_validator(mode="after")
    def _says_all_roles(self) -> Mapping:
        for name, table in self.tables.items():
            if not self.is_inferred and "role" not in table.model_fields_set:
                raise ValueError(f"table '{name}' has no role: give it, or infer the schema")
        return self

    @model_validator(mode="after")
    def _says_how_to_stripe(self) -> Mapping:
        if (self.striping is None) != bool(self.layout):
            raise ValueError("give one of 'striping' and 'layout'")
        return self


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file and what it extends.

    Raises:
        UserError: unreadable, not YAML, or an unknown or wrong key, which is named.
    """
    return validate_model(Mapping, _merged(path, ()), path)


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    content = load_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is no mapping file", remedy="see docs/reference/sources.md for the format")
    base = content.get("extends")
    if not base:
        return content
    if path in seen:
        raise UserError(f"'{path}' extends itself", remedy="break the circle")
    known = _merged(shipped_or_file("mappings", str(base), path.parent), (*seen, path))
    tables = {name: dict(table) for name, table in (known.get("tables") or {}).items()}
    for name, table in (content.get("tables") or {}).items():
        if table is None:
            tables.pop(name, None)
        else:
            tables[name] = {**tables.get(name, {}), **table}
    striped = ("striping", "layout")
    if any(key in content for key in striped):
        known = {key: value for key, value in known.items() if key not in striped}
    return {**known, **content, "tables": tables}


def shipped_or_file(kind: Literal["mappings", "layouts"], name: str, folder: Path) -> Path:
    """The file of a name: a path from ``folder`` when it looks like one, else a shipped file.

    Raises:
        UserError: neither is there; lists what is shipped.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return folder / name
    shipped = data_folder("ingest", kind)
    path = shipped / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
        raise UserError(f"no {kind.removesuffix('s')} '{name}' is shipped", remedy=f"there are {known}; or give a path")
    return path
