"""Reads Parquet files as slices and typed batches, row group by row group; columns are found by name.

A large file is several slices, so that it spreads over tasks.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputBatch, InputSlice, batch_rows
from skyshard.ingest.sources.column_names import wanted_names
from skyshard.ingest.sources.made_rows import made_batch
from skyshard.ingest.sources.parquet_types import intervals, old_timestamps, told_batches, told_schema
from skyshard.ingest.sources.wanted_rows import asked_columns
from skyshard.ingest.values.arrow_values import plain_array
from skyshard.ingest.values.column_rules import Rule

SPLIT_BYTES = 256 << 20
"""Files are split, between row groups, into slices of about this size."""
BUFFER_BYTES = 1 << 16
"""Read ahead for each column: without it whole column chunks are read at once, which takes twice the time."""
_NOT_READ = ("not yet implemented", "not supported", "encrypted", "decrypt")
"""Words of Arrow's for files that are whole: encryption, rare ways to write values."""

_ENDINGS = (".parquet", ".parq", ".pq")


def is_parquet(given: str, path: Path) -> bool:
    """True for a file that is read as Parquet: by the format that is given, else by its ending."""
    return given == "parquet" or (not given and path.suffix in _ENDINGS)


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Reads Parquet slices; without ``rules`` each column is the file's column of its name."""

    rules: tuple[Rule, ...] = ()
    where: str = ""
    """Which rows are taken: a condition over the files' columns; all if empty."""

    def narrowed(self, table: Table, wanted: frozenset[str]) -> ParquetReader:
        return replace(self, rules=tuple(rule for rule in self._rules(table) if rule.column.name in wanted))

    def _rules(self, table: Table) -> tuple[Rule, ...]:
        return self.rules or tuple(Rule(column, column.name) for column in table)

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        rules = self._rules(table)
        first_row = 1
        try:
            with _opened(piece.path, "us") as file:
                masks = _masks(file.schema_arrow)
                names = _wanted(piece, file, rules, table, asked_columns(self.where), masks)
                groups = range(file.num_row_groups)
                if piece.row_groups is not None:
                    groups = range(piece.row_groups[0], piece.row_groups[1] + 1)
                    first_row += sum(file.metadata.row_group(i).num_rows for i in range(piece.row_groups[0]))
                for batch, counted in _told(piece.path, file, batch_rows(table), groups, list(names)):
                    unmasked = _unmasked(batch, masks, counted)
                    called = unmasked.rename_columns([names.get(name, name) for name in unmasked.schema.names])
                    given = InputBatch(called, first_row, conversions=counted)
                    yield made_batch(piece, given, rules, self.where, table, layout)
                    first_row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise broken_file(piece.path, error) from None


def _opened(path: str, old_timestamps: str) -> pq.ParquetFile:
    """A file to read rows from; timestamps of 96 bits come in the unit that is given."""
    return pq.ParquetFile(
        path, buffer_size=BUFFER_BYTES, page_checksum_verification=True, coerce_int96_timestamp_unit=old_timestamps
    )


def _told(
    path: str, file: pq.ParquetFile, rows: int, groups: range, names: list[str]
) -> Iterator[tuple[pa.RecordBatch, Counter[str]]]:
    """Batches of the wanted columns in their own types, and what was dropped of them."""
    known = old_timestamps(file)
    old = [name for name in names if name in known]
    with ExitStack() as opened:
        exact = _batches(opened.enter_context(_opened(path, "ns")), rows, groups, old) if old else ()
        yield from told_batches(_batches(file, rows, groups, names), exact, intervals(file))


def _batches(file: pq.ParquetFile, rows: int, groups: range, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of the wanted columns; rows without columns where none is wanted."""
    if names:
        yield from file.iter_batches(rows, row_groups=groups, columns=names, use_threads=False)
        return
    for group in groups:
        count = file.metadata.row_group(group).num_rows
        yield pa.RecordBatch.from_arrays([pa.nulls(count)], names=["\0"])


def _masks(schema: pa.Schema) -> dict[str, str]:
    """Columns and the flags beside them that say which values mean nothing: masked columns as astropy writes them.

    >>> said = {b"table_meta_yaml": b"mask: !astropy.table.SerializedColumn {name: n.mask}"}
    >>> _masks(pa.schema([("n", pa.int8()), ("n.mask", pa.bool_()), ("m.mask", pa.bool_())], said))
    {'n': 'n.mask'}
    """
    said = (schema.metadata or {}).get(b"table_meta_yaml", b"").decode("utf-8", "replace")
    flags = {field.name for field in schema if pa.types.is_boolean(field.type)}
    return {
        name: f"{name}.mask"
        for name in schema.names
        if f"{name}.mask" in flags and f"mask: !astropy.table.SerializedColumn {{name: {name}.mask}}" in said
    }


def _unmasked(batch: pa.RecordBatch, masks: Mapping[str, str], conversions: Counter[str]) -> pa.RecordBatch:
    """The batch with NULL where a mask is set; values that this takes away are counted."""
    for name, mask in masks.items():
        if name in batch.schema.names:
            values = plain_array(batch.column(name))
            masked = pc.fill_null(batch.column(mask), False)
            if lost := int(pc.sum(pc.and_(masked, values.is_valid())).as_py() or 0):
                conversions[f"{name}: masked → NULL"] += lost
            values = pc.if_else(masked, pa.scalar(None, values.type), values)
            batch = batch.set_column(batch.schema.get_field_index(name), name, values)
    return batch


def _wanted(
    piece: InputSlice,
    file: pq.ParquetFile,
    rules: tuple[Rule, ...],
    table: Table,
    asked: frozenset[str],
    masks: Mapping[str, str],
) -> dict[str, str]:
    """The columns to read, in the file's order, and what rules call each; flags of masked ones among them."""
    given = file.schema_arrow.names
    wanted = wanted_names(piece, given, rules, table, asked)
    wanted |= {masks[name]: masks[name] for name in wanted.keys() & masks.keys()}
    return {name: wanted[name] for name in given if name in wanted}


def broken_file(path: str | Path, error: Exception) -> UserError:
    """What is to be said of a file that Arrow does not read: it is broken, or of a kind that Arrow does not know."""
    words = str(error).splitlines()[0]
    if any(known in words.lower() for known in _NOT_READ):
        return UserError(f"'{path}' is Parquet of a kind that is not read: {words}", remedy="write it in plainer ways")
    return UserError(f"'{path}' is no whole Parquet file: {words}", remedy="copy it again")


def parquet_slices(path: Path, split_bytes: int = SPLIT_BYTES) -> tuple[list[InputSlice], pa.Schema]:
    """A file's slices and its columns, by its footer.

    Raises:
        UserError: it is not there, or no whole Parquet file.
    """
    whole = InputSlice.of(path)
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, told_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise broken_file(path, error) from None
    whole = replace(whole, rows=metadata.num_rows)
    starts = [_start(metadata.row_group(i)) for i in range(metadata.num_row_groups)] if metadata.num_columns else []
    if whole.bytes <= split_bytes or starts != sorted(set(starts)):
        return [whole], schema
    firsts = [0]
    for i, start in enumerate(starts):
        if start - starts[firsts[-1]] >= split_bytes:
            firsts.append(i)
    bounds = [*firsts, len(starts)]
    edges = [0, *(starts[i] for i in firsts[1:]), whole.bytes]
    slices = [
        replace(
            whole, bytes=to - start, span=(start, to), row_groups=(first, past - 1),
            rows=sum(metadata.row_group(i).num_rows for i in range(first, past)),
        )
        for (first, past), (start, to) in zip(itertools.pairwise(bounds), itertools.pairwise(edges), strict=True)
    ]  # fmt: skip
    return slices, schema


def _start(group: pq.RowGroupMetaData) -> int:
    """Offset of a row group's first byte, or near it: the spans of slices cover the file in any case."""
    column = group.column(0)
    dictionary = column.dictionary_page_offset
    return int(dictionary if dictionary else column.data_page_offset)
