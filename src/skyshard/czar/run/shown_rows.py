"""The rows of a statement as the server shows them, where it shows each value whole: whole numbers, DECIMALs, DOUBLEs.

Rules: what the server announces decides. A column that comes as anything else than it was typed as, with other digits
behind the point, or as a DOUBLE of few digits, has to go through a table of the known types (``stored_result``), which
then rounds, or refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from skyshard.czar.result.typed_results import TypedColumn, from_rows
from skyshard.db.connection import Connection, Row, at_once, only_if
from skyshard.db.literals import row_literals
from skyshard.db.result_columns import ResultColumn

_WHOLE_CODES = frozenset({1, 2, 3, 8, 9})
"""TINYINT, SMALLINT, INT, BIGINT, MEDIUMINT in the protocol."""
_DOUBLE_CODE, _DECIMAL_CODE = 5, 246
_AS_MANY_DIGITS_AS_NEEDED = 31


@dataclass(frozen=True, slots=True)
class FewRows:
    """All rows of a pull, which are few: the czar's server has none of them yet.

    ``create`` makes the temporary table that holds them.
    """

    table: str
    create: str
    rows: Sequence[Row]


def shows_whole(columns: Sequence[TypedColumn]) -> bool:
    """Whether a server may show values of all these columns as their types hold them.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> [shows_whole([TypedColumn("c0", parse_type(text))]) for text in ("bigint", "decimal(5,2)", "double", "float")]
    [True, True, True, False]
    """
    return all(map(_is_shown_whole, columns))


def _is_shown_whole(column: TypedColumn) -> bool:
    if column.type.base == "decimal":
        return not (column.is_exact or column.is_vague or column.spelled().is_spelled)
    return column.is_integer or (column.type.base == "double" and not column.is_rounded)


def shown_rows(
    connection: Connection, statement: str, columns: Sequence[TypedColumn], args: Sequence[Any] | None = None
) -> pa.Table | None:
    """All rows of a statement, in memory; None where the server shows none, or otherwise than they were typed.

    Raises:
        Refusal: a value is beyond the type of its column.
    """
    rows, shown = connection.rows(statement, args), connection.columns
    is_as_typed = bool(shown) and all(_is_as_typed(*both) for both in zip(shown, columns, strict=True))
    return from_rows(rows, columns) if is_as_typed else None


def merged_at_once(connection: Connection, few: FewRows, merge: str, columns: Sequence[TypedColumn]) -> pa.Table | None:
    """What a merge gives of a few rows, whose temporary table lasts as long: all in one round trip.

    Args:
        merge: a SELECT from their table.

    Returns:
        None where a value does not fit into the table, or as of :func:`shown_rows`.
    """
    values, args = row_literals(few.rows)
    merge, create = (text.replace("%", "%%") if args else text for text in (merge, few.create))
    insert = [f"INSERT INTO {few.table} VALUES {values}"] if few.rows else []
    shown = only_if("@@warning_count = 0", merge)
    statements = at_once(create, *insert, shown, f"DROP TEMPORARY TABLE {few.table}")
    return shown_rows(connection, statements, columns, args or None)


def _is_as_typed(shown: ResultColumn, column: TypedColumn) -> bool:
    if column.is_integer:
        return shown.type_code in _WHOLE_CODES
    if column.type.base == "decimal":
        return shown.type_code == _DECIMAL_CODE and shown.decimals == column.digits[1]
    return shown.type_code == _DOUBLE_CODE and shown.decimals == _AS_MANY_DIGITS_AS_NEEDED
