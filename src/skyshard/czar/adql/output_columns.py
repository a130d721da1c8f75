"""What a query gives: the name of each column, and the column of a table that it shows unchanged. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from skyshard.catalog.known_table import KnownTable
from skyshard.czar.adql.table_names import Scopes, TableSource
from skyshard.czar.sql.item_names import first_select


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of the answer; ``table`` and ``column`` are known where it is a table's own.

    ``is_time``: it is cast to a time.
    """

    name: str
    table: KnownTable | None = None
    column: str = ""
    is_time: bool = False


def output_columns(tree: exp.Query, scopes: Scopes) -> tuple[OutputColumn, ...]:
    """The columns of the answer; none where a star stands for columns that are not known here."""
    select = first_select(tree)
    sources, found = scopes[id(select)], list[OutputColumn]()
    for item in select.expressions:
        starred = _starred(item, select, sources)
        if starred is None:
            return ()
        found += starred or [_output(item, len(found) + 1, sources)]
    if isinstance(tree, exp.SetOperation):  # the other queries may give other columns under these names
        found = [OutputColumn(one.name) for one in found]
    return tuple(found)


def _starred(item: exp.Expr, select: exp.Select, sources: list[TableSource]) -> list[OutputColumn] | None:
    """The columns that a star stands for; empty for no star, None where they are not known."""
    if isinstance(item, exp.Star):
        joins = select.args.get("joins") or ()
        if any(join.args.get("using") or join.args.get("method") for join in joins):
            return None
        wanted = sources
    elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        wanted = [source for source in sources if source.alias.lower() == item.table.lower()]
    else:
        return []
    if not wanted or any(source.table is None for source in wanted):
        return None
    return [OutputColumn(name, one.table, name) for one in wanted if one.table for name in one.table.columns]


def _output(item: exp.Expr, place: int, sources: list[TableSource]) -> OutputColumn:
    inner = item.unalias().unnest()
    if isinstance(inner, exp.Column):
        table, column = owner_of(inner, sources)
        return OutputColumn(item.alias or column or inner.name, table, column)
    is_time = isinstance(inner, exp.Cast) and inner.to.this == exp.DType.TIMESTAMPTZ  # as ADQL's TIMESTAMP is parsed
    if item.alias:
        return OutputColumn(item.alias, is_time=is_time)
    named = inner.name if isinstance(inner, exp.Anonymous) else inner.key if isinstance(inner, exp.AggFunc) else ""
    return OutputColumn(named.lower() or f"column_{place}", is_time=is_time)


def owner_of(column: exp.Column, sources: list[TableSource]) -> tuple[KnownTable | None, str]:
    """The table that a column is of, and its name there; none where that is not certain."""
    wanted = [one for one in sources if not column.table or one.alias.lower() == column.table.lower()]
    if any(source.table is None for source in wanted):
        return None, ""
    found = [(one.table, name) for one in wanted if one.table and (name := one.table.column(column.name))]
    return found[0] if len(found) == 1 else (None, "")
