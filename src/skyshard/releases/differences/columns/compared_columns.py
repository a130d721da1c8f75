"""Which columns of two tables are compared, and as what. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import FILE_COLUMN, ROW_COLUMN, Column, Table, is_chunk_column
from skyshard.rowimage.sqltype import SqlType, TypeClass

_NUMBERS = (TypeClass.INTEGER, TypeClass.FLOATING, TypeClass.DECIMAL)


class Kind(StrEnum):
    """As what the values of a column are compared."""

    NUMBER = "number"
    """Exactly; a FLOAT with a DOUBLE as FLOATs. They have differences."""
    LABEL = "label"
    """Numbers that are no quantities: keys and flags. Exactly, without differences."""
    TEXT = "text"
    """Texts, times, bits and bytes: byte by byte as the server prints them."""


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """A column that both tables have."""

    old: Column
    new: Column
    kind: Kind

    @property
    def is_renamed(self) -> bool:
        return self.old.name.lower() != self.new.name.lower()

    @property
    def is_retyped(self) -> bool:
        return self.old.type.text != self.new.type.text


@dataclass(frozen=True, slots=True)
class ColumnPairing:
    """The columns of two tables, side by side."""

    compared: tuple[ComparedColumn, ...]
    """In the order of the new table."""
    added: tuple[Column, ...]
    removed: tuple[Column, ...]


def pair_columns(old: Table, new: Table, renamed: Mapping[str, str], labels: frozenset[str]) -> ColumnPairing:
    """Pair columns by name, whatever the case of its letters.

    Args:
        renamed: new name → old name.
        labels: lower-case names, of the new table, of numbers that are names.

    Raises:
        UserError: a renaming of a column that is not there, or is there on both sides.
    """
    names = {new.column(name).name.lower(): old.column(before).name.lower() for name, before in renamed.items()}
    if len(set(names.values())) < len(names):
        raise UserError(f"table '{new.name}': two columns are renamed from one", remedy="name each old column once")
    before = {column.name.lower(): column for column in old if not _is_made(column.name)}
    taken = set(names.values())
    compared, added = [], []
    for column in new:
        name = column.name.lower()
        source = names.get(name, "" if name in taken else name)
        if _is_made(name):
            continue
        if (found := before.pop(source, None)) is None:
            added.append(column)
        else:
            compared.append(ComparedColumn(found, column, _kind(found.type, column.type, name in labels)))
    return ColumnPairing(tuple(compared), tuple(added), tuple(before.values()))


def _is_made(name: str) -> bool:
    """True for columns that an ingest adds: chunk numbers, and where a row is from."""
    return is_chunk_column(name) or name.lower() in (FILE_COLUMN.lower(), ROW_COLUMN.lower())


def _kind(old: SqlType, new: SqlType, is_label: bool) -> Kind:
    if old.type_class not in _NUMBERS or new.type_class not in _NUMBERS:
        return Kind.TEXT
    return Kind.LABEL if is_label or (_is_flag(old) and _is_flag(new)) else Kind.NUMBER


def _is_flag(kind: SqlType) -> bool:
    """A BOOLEAN, which is a TINYINT(1)."""
    return kind.base == "tinyint" and kind.arguments == (1,)
