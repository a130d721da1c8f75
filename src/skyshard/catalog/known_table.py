"""A table as queries of TAP may name it: its schema, its columns, and how statements call it. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table of a schema and its columns.

    ``physical``: database and name by which statements call it; None where these are schema and name. ``is_own``: only
    the czar's own server has it.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    physical: tuple[str, str] | None = None
    is_own: bool = False
    units: tuple[str, ...] = ()
    """Of the columns, by place; empty texts where there is none, or where it is not known."""
    has_hidden: bool = False
    """True where the table has more columns, which a star does not stand for."""

    @property
    def shown(self) -> str:
        return f"{self.schema}.{self.name}"

    def unit(self, name: str) -> str:
        """The unit of a column; empty where it is not known."""
        found = dict(zip((column.lower() for column in self.columns), self.units, strict=False))
        return found.get(name.lower(), "")

    def column(self, name: str) -> str:
        """A column's name as the table spells it; empty where it has none of that name."""
        lowered = name.lower()
        return next((column for column in self.columns if column.lower() == lowered), "")
