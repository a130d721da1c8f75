"""Layouts: the file that says how a catalog is spread over chunks, and the role of each table.

Strict models of ``ingest/layouts/*.yaml``; the only I/O is reading the named file.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from skyshard.catalog.engines import EngineName, Storage, TableEngine
from skyshard.catalog.strict_files import parse_model

Upsert = Literal["replace", "delete-insert", "on-duplicate"]
MUTABLE_ENGINES = ("InnoDB", "MyRocks", "Aria")
"""The engines of tables that visits change: those whose rows survive a crash of the server."""
_MUTABLE_KEYS = ("mutable", "time_partition_days", "upsert")
MONTH_DAYS = 30
"""Days of a month of visits, counted from MJD 0."""


class Role(StrEnum):
    """What decides the chunk of a table's rows."""

    DIRECTOR = "director"
    DEPENDENT = "dependent"
    REF_MATCH = "ref-match"
    REGULAR = "regular"

    @property
    def is_chunked(self) -> bool:
        return self is not Role.REGULAR


class Striping(BaseModel):
    """The numbers that decide chunk numbers and overlap; catalogs that share all three are one family."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stripes: Annotated[int, Field(ge=1, le=10_000)]
    """Number of latitude bands from pole to pole (Qserv: num-stripes)."""
    substripes: Annotated[int, Field(ge=1)]
    """Sub-stripes in each stripe (Qserv: num-sub-stripes)."""
    overlap_deg: Annotated[float, Field(ge=0, le=10)]
    """Radius in degrees within which neighbours are copied to a sub-chunk."""

    @property
    def family(self) -> str:
        return f"{self.stripes}-{self.substripes}-{self.overlap_deg:g}"


_UNIQUE = "unique_indexes"


class TableLayout(BaseModel):
    """How one table is spread."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    role: Role
    """director, dependent, ref-match or regular."""
    key: str = ""
    """Director: the column that identifies an object. Dependent: the column that holds the director's key."""
    unique_key: bool = True
    """Director: False is ``duplicates: keep-all``."""
    duplicates: Literal["refuse", "keep-first", "keep-all"] = "refuse"
    """Director: what becomes of a row whose key an earlier row has: refused, left out, or kept beside it."""
    director: str = ""
    """Dependent: the director table that this one follows; ``database.table`` for one of another database."""
    position: tuple[str, str] | None = None
    """Longitude and latitude columns in degrees: a director's own, or the director's as copied into a dependent."""
    director2: str = ""
    """Ref-match: the second director table; ``director``, ``key`` and ``position`` are of the first."""
    key2: str = ""
    """Ref-match: the column that holds the second director's key."""
    position2: tuple[str, str] | None = None
    """Ref-match: longitude and latitude columns of the second side."""
    flag: str = ""
    """Ref-match: the column that says which side is in this chunk: 1 the first, 2 the second, 3 both."""
    ang_sep_deg: Annotated[float, Field(gt=0)] | None = None
    """Ref-match: how far apart the two sides may be; the overlap if not given."""
    orphans: Literal["keep", "refuse", "skip"] = "keep"
    """Dependent: rows whose director is unknown are kept and counted, refused with the key named, or left out."""
    bad_positions: Literal["refuse", "skip", "quarantine"] = "refuse"
    """Rows without a position on the sphere: refused, left out, or left out and written to a file."""
    indexes: list[list[str]] = []
    """Secondary indexes, each a list of columns."""
    named_indexes: dict[str, list[str]] = {}
    """More of them, by name. A published table keeps those that it was given, whatever later sources say."""
    unique_indexes: list[str] = []
    """The names of those that no two rows of a published table have the same values of; it takes no more rows then."""

    @model_serializer(mode="wrap")
    def _as_before_unique_indexes(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Layouts without any are written as they were before there were some."""
        written: dict[str, Any] = write(self)
        return written if self.unique_indexes else {key: one for key, one in written.items() if key != _UNIQUE}

    @model_validator(mode="after")
    def _unique_ones_are_there(self) -> TableLayout:
        if missing := set(self.unique_indexes) - set(self.named_indexes):
            raise ValueError(f"unique_indexes: there is no index '{min(missing)}' in named_indexes")
        return self

    @model_validator(mode="before")
    @classmethod
    def _says_once_whether_keys_are_unique(cls, values: Any) -> Any:
        """``duplicates: keep-all`` and ``unique_key: false`` are one thing; either one says it."""
        if not isinstance(values, dict) or values.get("role") != Role.DIRECTOR:
            return values
        if "duplicates" not in values and values.get("unique_key") is False:
            return {**values, "duplicates": "keep-all"}
        if "unique_key" not in values and values.get("duplicates") == "keep-all":
            return {**values, "unique_key": False}
        return values

    @model_validator(mode="after")
    def _policies_have_something_to_act_on(self) -> TableLayout:
        self._require_policies_to_act()
        return self

    def _require_policies_to_act(self) -> None:
        if self.duplicates != "refuse" and not (self.role is Role.DIRECTOR and self.key):
            raise ValueError(
                f"duplicates: {self.duplicates} is for directors with a key; rows of other tables are all kept, and "
                "refused where a primary_key of theirs occurs twice in a chunk"
            )
        if self.role is Role.DIRECTOR and self.unique_key == (self.duplicates == "keep-all"):
            raise ValueError(f"duplicates: {self.duplicates} contradicts unique_key: {str(self.unique_key).lower()}")
        if self.bad_positions != "refuse" and not (self.role in (Role.DIRECTOR, Role.DEPENDENT) and self.position):
            raise ValueError(
                f"bad_positions: {self.bad_positions} is for directors and dependents with position columns"
            )
        if self.orphans == "skip" and not (self.role is Role.DEPENDENT and self.key):
            raise ValueError("orphans: skip is for dependents with a key")

    def is_same_table(self, other: TableLayout) -> bool:
        """True if both differ in nothing but what becomes of the rows that come, and in indexes by name."""
        return all(getattr(self, name) == getattr(other, name) for name in lasting_keys())


CHANGING = ("duplicates", "bad_positions", "named_indexes", _UNIQUE)
"""The keys of a table's layout that are of each transaction, or change between two of them."""


def lasting_keys() -> list[str]:
    """The keys of a table's layout that hold from its first transaction on."""
    return [name for name in TableLayout.model_fields if name not in CHANGING]


def split_director(name: str, database: str) -> tuple[str, str]:
    """Database and table of a director, as a table of ``database`` names it.

    >>> split_director("Object", "dp1"), split_director("hsc.Object", "dp1")
    (('dp1', 'Object'), ('hsc', 'Object'))
    """
    other, dot, table = name.rpartition(".")
    return (other, table) if dot else (database, name)


class Layout(BaseModel):
    """A catalog's layout: striping, tables, engine and replication level."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: Literal[1] = 1
    striping: Striping
    tables: dict[str, TableLayout] = {}
    """By table name; a layout file may leave the tables to the source."""
    engine: EngineName = "MyISAM"
    """Storage engine of the chunk tables."""
    storage: Storage = Storage()
    """How the engine keeps them: row format, compression, sizes of pages."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Copies of each chunk, on different nodes."""
    columns: Literal["all", "none"] | tuple[str, ...] = "none"
    """The columns of chunk tables that are kept as column images, too: by name, in whatever table has them."""
    mutable: bool = False
    """The tables are those of an alert production database, which visits change: one a node, parted by month."""
    time_partition_days: Annotated[int, Field(ge=1)] | None = None
    """Mutable: days of a partition in time; 30, of which the months of visits are made."""
    upsert: Upsert | None = None
    """Mutable: how a newer version takes the place of a row of DiaObjectLast."""

    @field_validator("engine", mode="before")
    @classmethod
    def _named_by_us(cls, value: Any) -> Any:
        """MariaDB calls MyRocks ROCKSDB."""
        return "MyRocks" if isinstance(value, str) and value.lower() == "rocksdb" else value

    @model_validator(mode="after")
    def _engine_has_it(self) -> Layout:
        if fault := self.storage.fault(self.engine):
            raise ValueError(f"storage: {fault}")
        return self

    @model_validator(mode="after")
    def _says_of_mutable_tables_what_they_can_be(self) -> Layout:
        if fault := _mutable_fault(self):
            raise ValueError(fault)
        return self

    @model_serializer(mode="wrap")
    def _as_before_mutable_tables(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Layouts of all other tables are written as they were before there were mutable ones."""
        written: dict[str, Any] = write(self)
        return written if self.mutable else {key: value for key, value in written.items() if key not in _MUTABLE_KEYS}

    @property
    def has_images(self) -> bool:
        """Whether chunk tables are to have column images."""
        return self.columns not in ("none", ())

    @property
    def imaged(self) -> tuple[str, ...] | None:
        """The names of the columns that have images; None for all."""
        return None if self.columns == "all" else () if self.columns == "none" else self.columns

    @property
    def table_engine(self) -> TableEngine:
        """Engine and storage, as CREATE TABLE needs them."""
        return TableEngine(self.engine, self.storage)


def _mutable_fault(layout: Layout) -> str:
    """What a layout asks of mutable tables that these have not, or of others what only these have; empty if nothing."""
    asked = {"time_partition_days": layout.time_partition_days, "upsert": layout.upsert}
    if not layout.mutable:
        extra = [key for key, value in asked.items() if value is not None]
        return f"{extra[0]} is for mutable tables; say mutable: true, or leave it out" if extra else ""
    if layout.engine not in MUTABLE_ENGINES:
        return f"mutable tables need engine {', '.join(MUTABLE_ENGINES[:-1])} or {MUTABLE_ENGINES[-1]}"
    if layout.replicas != 1:
        return f"mutable tables have one replica, not {layout.replicas}; leave replicas out"
    if layout.columns != "none":
        return "mutable tables have no column images; leave columns out"
    if layout.tables:
        return "mutable tables are those of the alert production database; leave tables out"
    if layout.time_partition_days not in (None, MONTH_DAYS):
        return f"time_partition_days: visits count months of {MONTH_DAYS} days; leave it out"
    return ""


def read_layout(path: Path) -> Layout:
    """Read and check a layout file.

    Raises:
        UserError: unreadable, not YAML, or an unknown or wrong key, which is named.
    """
    return parse_model(Layout, path)
