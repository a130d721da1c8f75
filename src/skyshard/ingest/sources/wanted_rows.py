"""Leaves out the rows of a file that a table does not want (``where`` of a mapping). No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.ingest.source import InputBatch, InputSlice
from skyshard.ingest.values.row_condition import columns_in, is_true
from skyshard.ingest.values.text_values import RowError

WHERE = "where"
"""The policy by which such rows are counted."""


def asked_columns(where: str) -> frozenset[str]:
    """The input columns that the condition reads; none where all rows are wanted."""
    return columns_in(where) if where else frozenset()


def require_condition(where: str, text: str) -> None:
    """Refuse what is no condition; ``where`` says whose it is, for the message.

    Raises:
        UserError: names what is wrong.
    """
    try:
        asked_columns(text)
    except UserError as error:
        raise UserError(f"{where}: {error.what}", remedy=error.remedy) from None


def require_asked(where: str, text: str, path: object, names: Sequence[str]) -> None:
    """Refuse a condition on a column that the file has not.

    Args:
        where: whose condition it is, for the message.

    Raises:
        UserError: names the columns of the file that are spelled nearly so.
    """
    for name in sorted(asked_columns(text) - set(names)):
        raise UserError(
            f"{where}: '{path}' has no column '{name}' for where '{text}'",
            remedy=did_you_mean(near_names(name, names, 3), "name columns of the input"),
        )


def wanted_rows(
    piece: InputSlice,
    given: InputBatch,
    inputs: Mapping[str, pa.Array],
    where: str,
    seen: Mapping[str, pa.Array] | None = None,
) -> tuple[InputBatch, Mapping[str, pa.Array]]:
    """A batch of a file and its input columns, both without the rows for which the condition is not true.

    Args:
        seen: the columns as the condition sees them, where that is otherwise.

    Raises:
        UserError: values that cannot be compared.
    """
    if not where:
        return given, inputs
    try:
        is_wanted = is_true(where, inputs if seen is None else seen, given.batch.num_rows)
    except RowError as error:
        row = given.number(error.row)
        raise UserError(f"'{piece.path}', row {row}: {error.what}", remedy=error.remedy) from None
    if is_wanted.all():
        return given, inputs
    read = pa.RecordBatch.from_arrays([*inputs.values()], names=[*inputs]) if inputs else given.batch
    taken = replace(given, batch=read).only(is_wanted, WHERE)
    return taken, dict(zip(taken.batch.schema.names, taken.batch.columns, strict=True))
