"""The rows of a statement as the server shows them, where it shows each value whole: whole numbers, DECIMALs, DOUBLEs.

Rules: what the server announces decides. A column that comes as anything else than it was typed as, with other digits
behind the point, or as a DOUBLE of few digits, has to go through a table of the known types (``stored_result``), which
then rounds, or refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from skyshard.czar.result.typed_results import TypedColumn, from_rows
from skyshard.db.connection import Connection
from skyshard.db.result_columns import ResultColumn

_WHOLE_CODES = frozenset({1, 2, 3, 8, 9})
"""TINYINT, SMALLINT, INT, BIGINT, MEDIUMINT in the protocol."""
_DOUBLE_CODE, _DECIMAL_CODE = 5, 246
_AS_MANY_DIGITS_AS_NEEDED = 31


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


def shown_rows(connection: Connection, statement: str, columns: Sequence[TypedColumn]) -> pa.Table | None:
    """All rows of a statement, in memory; None where the server shows them otherwise than they were typed.

    Raises:
        Refusal: a value is beyond the type of its column.
    """
    rows = connection.rows(statement)
    is_as_typed = all(_is_as_typed(*both) for both in zip(connection.columns, columns, strict=True))
    return from_rows(rows, columns) if is_as_typed else None


def _is_as_typed(shown: ResultColumn, column: TypedColumn) -> bool:
    if column.is_integer:
        return shown.type_code in _WHOLE_CODES
    if column.type.base == "decimal":
        return shown.type_code == _DECIMAL_CODE and shown.decimals == column.digits[1]
    return shown.type_code == _DOUBLE_CODE and shown.decimals == _AS_MANY_DIGITS_AS_NEEDED
