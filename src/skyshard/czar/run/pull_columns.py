"""The columns of a pull's scratch table: those that the plan knows, else as the czar's server says.

Quotients of DECIMALs get room for all their digits.
"""

from __future__ import annotations

from dataclasses import replace

from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.result.typed_results import SAFE_DIGITS, SPARE_DIGITS, TypedColumn, read_types
from skyshard.czar.run.pull_order import cast_template
from skyshard.czar.run.scratch_tables import scratch_table
from skyshard.db.connection import Connection
from skyshard.rowimage.sqltype import MOST_DIGITS, parse_type

SUM_DIGITS = 22
"""So many digits more a SUM declares than what it adds up."""
EXACT_SCALE = 30
"""Digits behind the point of a DECIMAL quotient, where those before it leave room."""


def read_columns(pull: Pull, query: str, czar: Connection) -> tuple[TypedColumn, ...]:
    """The columns under the names of the pull; what MariaDB rounds is asked for once more."""
    if pull.columns:
        return tuple(TypedColumn(column.name, column.type) for column in pull.columns)
    table = scratch_table(query, "t")
    columns = read_types(czar, pull.template.written().of_prototype(), table, pull.names)
    columns = tuple(column if _is_declared(column, pull) else column.loosened() for column in columns)
    columns = tuple(exact(column, pull) if column.name in pull.divided else column for column in columns)
    if not any(column.is_rounded for column in columns):
        return columns
    cast = read_types(czar, cast_template(pull, columns, is_text=False).of_prototype(), table, pull.names)
    return tuple(replace(old, type=new.type) if old.is_rounded else old for old, new in zip(columns, cast, strict=True))


def _is_declared(column: TypedColumn, pull: Pull) -> bool:
    return column.name in pull.declared or (pull.is_cut and column.type.base == "decimal")


def exact(column: TypedColumn, pull: Pull) -> TypedColumn:
    """A quotient with digits behind the point that it does not show: 30, or as many as those before it leave room for.

    It is ``is_vague`` where MariaDB may have reached its limit of digits, and does not say how many there are.
    """
    if column.type.base != "decimal":
        return column
    precision, scale = column.digits
    added = SUM_DIGITS if column.name in pull.summed else 0
    room = MOST_DIGITS - SPARE_DIGITS - (precision - added - scale)
    scale = max(scale, EXACT_SCALE if precision >= MOST_DIGITS else min(EXACT_SCALE, room))
    kind = parse_type(f"decimal({MOST_DIGITS},{scale})")
    is_vague = precision >= MOST_DIGITS or precision - added > SAFE_DIGITS
    return replace(column, type=kind, is_exact=True, is_vague=is_vague)
