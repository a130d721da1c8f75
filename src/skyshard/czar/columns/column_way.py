"""A chunk statement as it is computed from columns instead of rows. Values only: plans are compared by them."""

from __future__ import annotations

from dataclasses import dataclass

Limits = tuple[str, float | None, float | None]
"""A column, and between which values its rows have to be, both inclusive; None is no limit."""


@dataclass(frozen=True, slots=True)
class TableColumns:
    """What is read of one table: ``slot`` is its number in the statement's template.

    ``limits`` are necessary, not sufficient: blocks of rows beyond them may be left out.
    """

    slot: int
    names: tuple[str, ...]
    limits: tuple[Limits, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnWay:
    """What the engine computes for many chunks at once, with the rows or partial rows that the chunk statements have
    together.

    ``text`` is a SELECT of the engine over the tables ``t<slot>``; its columns are those of the pull, in their order.
    """

    tables: tuple[TableColumns, ...]
    text: str
    checks: tuple[str, ...] = ()
    """Further SELECTs: where one has a row, MariaDB has to answer, as it raises an error, or might."""
    is_limited: bool = False
    """Of equal rows at its end any may come."""
    is_one_row: bool = False
    """It gives one row, of aggregates."""
    is_condensed: bool = False
    """It gives fewer rows than it reads: groups, distinct ones, or a few."""


def quoted(name: str) -> str:
    """A name as the engine reads it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'
