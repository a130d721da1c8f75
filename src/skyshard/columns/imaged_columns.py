"""Which columns of a table have images, and why others have none. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.catalog.schema import Column, Table, is_chunk_column

NOT_ASKED = "not asked for"
NO_BLOBS = "BLOB and TEXT stay in rows"


def imaged_columns(table: Table, wanted: Sequence[str] | None = None) -> tuple[tuple[Column, ...], dict[str, str]]:
    """The columns of a stored table that a segment holds, and those that it leaves out, with reasons.

    Args:
        wanted: names; all if None. The chunk columns always come along.
    """
    lowered = None if wanted is None else {name.lower() for name in wanted}
    held, left = [], {}
    for column in table:
        if column.type.is_blob:
            left[column.name] = NO_BLOBS
        elif lowered is not None and column.name.lower() not in lowered and not is_chunk_column(column.name):
            left[column.name] = NOT_ASKED
        else:
            held.append(column)
    return tuple(held), left


def has_images(table: Table, wanted: Sequence[str] | None) -> bool:
    """Whether a table has any of the columns that are wanted; None for all."""
    return wanted is None or any(table.find(name) is not None for name in wanted)
