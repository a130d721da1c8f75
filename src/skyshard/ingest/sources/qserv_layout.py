"""Reads the roles of tables from Qserv's JSON: the ingest service's table description, the partitioner's file.

What the ingest JSON says goes before the partitioner's, what a table's file says before the common one. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import plain_number
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.sources.qserv_files import Json, flag_of


@dataclass(frozen=True, slots=True)
class TableConfig:
    """What the JSON files say of one table; ``directors`` and ``chunked`` are names that the catalog lists."""

    name: str
    ingest: Json
    partition: Json = field(default_factory=dict)
    common: Json = field(default_factory=dict)
    directors: Sequence[str] = ()
    chunked: Sequence[str] = ()
    database: str = ""

    @property
    def flag(self) -> str:
        """The column of a match table that says which sides are in a chunk; empty for other tables."""
        if not (self.ingest.get("director_table2") or self.partition.get("dirTable2")):
            return ""
        named = self.partition.get("flagColName") or self.partition.get("part", {}).get("flags")
        return str(self.ingest.get("flag") or named or "")

    def csv(self, key: str) -> Any:
        """A key of the input dialect, the table's own before the common one."""
        for source in (self.partition, self.common):
            if key in (found := source.get("in", {}).get("csv", {})):
                return found[key]
        return None


def table_layout(table: Table, config: TableConfig, where: str) -> TableLayout:
    """A table's role and columns.

    Raises:
        UserError: a column that the table has not, or a director without position.
    """
    if not flag_of(config.ingest, "is_partitioned", config.name in config.chunked, where):
        return TableLayout(role=Role.REGULAR)
    if _second(config):
        return _ref_match(table, config, where)
    director = _director(config, where)
    key = _column(table, config.ingest.get("director_key") or config.partition.get("dirColName"), where)
    position = _position(table, config, where)
    if not director and position is None:
        raise UserError(f"director '{table.name}' has no position columns", remedy="set latitude_key, longitude_key")
    role = Role.DEPENDENT if director else Role.DIRECTOR
    is_unique = bool(director) or flag_of(config.ingest, "unique_primary_key", True, where)
    return TableLayout(role=role, key=key, unique_key=is_unique, director=director, position=position)


def _second(config: TableConfig) -> str:
    return str(config.ingest.get("director_table2") or config.partition.get("dirTable2") or "")


def _ref_match(table: Table, config: TableConfig, where: str) -> TableLayout:
    ingest, partition = config.ingest, config.partition
    part = partition.get("part", {})
    first = str(ingest.get("director_table") or partition.get("dirTable1") or "")
    separation = ingest.get("ang_sep") or partition.get("angSep")
    return TableLayout(
        role=Role.REF_MATCH,
        director=_local(first, config),
        key=_column(table, ingest.get("director_key") or partition.get("dirColName1"), where),
        position=_pair(table, part.get("pos1"), where),
        director2=_local(_second(config), config),
        key2=_column(table, ingest.get("director_key2") or partition.get("dirColName2"), where),
        position2=_pair(table, part.get("pos2"), where),
        flag=_column(table, config.flag, where),
        ang_sep_deg=_degrees(separation, where) if separation else None,
    )


def _degrees(given: Any, where: str) -> float:
    try:
        return plain_number(str(given))
    except ValueError:
        raise UserError(f"'{where}': '{str(given)[:40]}' is no separation", remedy="give degrees") from None


def _director(config: TableConfig, where: str) -> str:
    """Name of the director that a table follows; empty for a director."""
    if "director_table" in config.ingest:
        named = str(config.ingest["director_table"])
    elif config.name in config.directors or flag_of(config.ingest, "is_director", False, where):
        named = ""
    else:
        named = str(config.partition.get("dirTable") or config.common.get("dirTable") or "")
    local = _local(named, config)
    return "" if local == config.name else local


def _local(named: str, config: TableConfig) -> str:
    """The table's name without database, which must be the catalog's own."""
    database, _, local = named.rpartition(".")
    if database and config.database and database != config.database:
        raise UserError(
            f"table '{config.name}' follows director '{named}' of another database",
            remedy=f"ingest '{local}' into the same database; following across databases is not built yet",
        )
    return local


def _position(table: Table, config: TableConfig, where: str) -> tuple[str, str] | None:
    longitude, latitude = config.ingest.get("longitude_key"), config.ingest.get("latitude_key")
    if longitude and latitude:
        return _column(table, longitude, where), _column(table, latitude, where)
    return _pair(table, config.partition.get("part", {}).get("pos"), where)


def _pair(table: Table, text: Any, where: str) -> tuple[str, str] | None:
    names = [part.strip() for part in str(text).split(",")] if text else []
    return (_column(table, names[0], where), _column(table, names[1], where)) if len(names) == 2 else None


def _column(table: Table, name: Any, where: str) -> str:
    """The column's name as the table spells it; empty for none."""
    if not name:
        return ""
    found = table.find(str(name))
    if found is None:
        raise UserError(f"'{where}': no column '{name}'", remedy="the ingest or partition JSON names it")
    return found.name
