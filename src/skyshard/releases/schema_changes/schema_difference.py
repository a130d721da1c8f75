"""The difference of two schemas: models of what is printed, and the comparison of tables by names and types. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from skyshard.catalog.schema import ORIGIN_COLUMNS, Column, Table, is_chunk_column
from skyshard.catalog.strict_files import Strict
from skyshard.catalog.type_changes import lost, type_name


class RetypedColumn(Strict):
    """A column that has another type, or may no longer be NULL, or may now."""

    column: str
    old: str
    """Type, and NOT NULL where that holds."""
    new: str
    loss: str
    """Values that the new type does not hold; empty if it holds all."""


class RenamedColumn(Strict):
    """A column that has another name, seen by its values or guessed by its name."""

    old: str
    new: str
    by: Literal["value", "name"]
    """``value``: all values of rows with equal keys are equal. ``name``: a guess."""
    rows: int = 0
    """Rows with equal keys that were compared."""
    likeness: float = 1.0
    """Of the names, 0 to 1, where it is a guess."""
    retyped: RetypedColumn | None = None
    """Where its type changed as well."""


class TableDifference(Strict):
    """What changed in one table; of a table that one side has not only its number of columns."""

    table: str
    state: Literal["both", "added", "removed"] = "both"
    old_columns: int
    new_columns: int
    added: tuple[str, ...] = ()
    """Columns with their types, without those that were renamed; so the next one."""
    removed: tuple[str, ...] = ()
    retyped: tuple[RetypedColumn, ...] = ()
    renamed: tuple[RenamedColumn, ...] = ()

    @property
    def is_equal(self) -> bool:
        return self.state == "both" and not (self.added or self.removed or self.retyped or self.renamed)


class SchemaDifference(Strict):
    """``skyshard schema diff OLD NEW``."""

    old: str
    """What the first side is, in words: kind and name."""
    new: str
    is_equal: bool
    tables: tuple[TableDifference, ...] = Field(default_factory=tuple)
    """In the order of the old side, added ones last; equal ones, too."""


def shared_columns(table: Table) -> dict[str, Column]:
    """The columns that count, by name without case: those that Skyshard adds do not."""
    return {c.name.lower(): c for c in table if not is_chunk_column(c.name) and c.name not in ORIGIN_COLUMNS}


def retyped_column(old: Column, new: Column, *, is_strict: bool) -> RetypedColumn | None:
    """How a column's type changed; None if it did not.

    Args:
        is_strict: the new side declares what may be NULL; else a NOT NULL that is gone means nothing.
    """
    words = [f"{type_name(c.type)}{'' if c.is_nullable else ' NOT NULL'}" for c in (old, new)]
    is_relaxed = type_name(old.type) == type_name(new.type) and new.is_nullable
    if words[0] == words[1] or (is_relaxed and not is_strict):
        return None
    return RetypedColumn(column=new.name, old=words[0], new=words[1], loss=lost(old, new))


def table_difference(
    name: str, old: Table, new: Table, renamed: Mapping[str, RenamedColumn], *, is_strict: bool
) -> TableDifference:
    """Compare the columns of one table.

    Args:
        renamed: by the old name without case.
    """
    before, after = shared_columns(old), shared_columns(new)
    taken = {change.new.lower() for change in renamed.values()}
    added = (column for key, column in after.items() if key not in before and key not in taken)
    removed = (column for key, column in before.items() if key not in after and key not in renamed)
    pairs = ((before[key], after[key]) for key in before if key in after)
    return TableDifference(
        table=name, old_columns=len(before), new_columns=len(after),
        added=tuple(f"{column.name} {type_name(column.type)}" for column in added),
        removed=tuple(f"{column.name} {type_name(column.type)}" for column in removed),
        retyped=tuple(found for one, two in pairs if (found := retyped_column(one, two, is_strict=is_strict))),
        renamed=tuple(renamed.values()),
    )  # fmt: skip
