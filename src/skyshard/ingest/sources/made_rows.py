"""Makes a table's columns of a batch of columns by name, as files of typed values have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pyarrow as pa

from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputBatch, InputSlice, pair_of
from skyshard.ingest.sources.wanted_rows import wanted_rows
from skyshard.ingest.values.column_rules import Rule, make_columns
from skyshard.ingest.values.text_values import RowError


def made_batch(
    piece: InputSlice,
    given: InputBatch,
    rules: tuple[Rule, ...],
    where: str,
    table: Table,
    layout: TableLayout,
    shown: str = "",
) -> InputBatch:
    """The table's columns of a batch of the file's, of the rows that are wanted.

    Args:
        shown: what messages call the file, if it is not one of Parquet.

    Raises:
        UserError: a value that has no place in its column, by file and row.
    """
    conversions = Counter(given.conversions)
    named = dict(zip(given.batch.schema.names, given.batch.columns, strict=True))
    rows = given.batch.num_rows
    named |= {name: pa.repeat(pa.scalar(text, pa.string()), rows) for name, text in piece.given}
    taken, inputs = wanted_rows(piece, given, named, where)
    try:
        made = make_columns(rules, inputs, taken.batch.num_rows, frozenset(layout.position or ()), conversions)
    except RowError as error:
        raise error.in_file(shown or piece.path, taken.number(error.row), has_types=not shown) from None
    typed = pa.RecordBatch.from_arrays(made.columns, names=table.column_names)
    positions = pair_of(made.exact, layout.position)
    return replace(taken, batch=typed, positions=positions, conversions=conversions, given_floats=made.given_floats)
