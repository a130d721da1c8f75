"""Reads delimited text by a mapping: its dialect, its header, and its rows by the rules of the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.db.charsets import codec_of
from skyshard.ingest.source import InputBatch, InputSlice, pair_of
from skyshard.ingest.sources.mapping import TextFormat
from skyshard.ingest.sources.wanted_rows import asked_columns, wanted_rows
from skyshard.ingest.text.delimited_text import Dialect, Fields, read_text
from skyshard.ingest.text.text_file import first_rows
from skyshard.ingest.values.column_rules import Rule, asked_inputs, input_columns, make_columns, text_inputs
from skyshard.ingest.values.text_values import RowError


def dialect_of(text: TextFormat) -> Dialect:
    """The dialect of a mapping; an escape that is the quote itself is what doubled quotes are anyway."""
    escape = "" if text.escape == text.quote else text.escape
    separator, quote, escape_mark = (mark.encode("latin1") for mark in (text.separator, text.quote, escape))
    null = text.null_text.encode(codec_of(text.charset))
    return Dialect(separator, quote, escape_mark, null, int(text.header), text.charset, text.null_word)


def header_names(path: Path, dialect: Dialect, wanted: Set[str]) -> list[str]:
    """The names of a file's fields: its first row, read as all rows are.

    Args:
        wanted: columns that are looked for; where none is there, the message says what the line looks like.

    Raises:
        UserError: a first line that does not name fields, or one of them twice.
    """
    try:
        names = next(iter(first_rows(path, dialect, 1)), [])
    except RowError as error:
        raise UserError(f"'{path}', header: {error.what}", remedy=error.remedy) from None
    reason = _no_header(names, wanted)
    if reason:
        raise UserError(f"'{path}' has no header: {reason}", remedy="let the first line name the columns")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"'{path}' has column '{twice}' twice", remedy="name each column once")
    return names


def _no_header(names: list[str], wanted: Set[str]) -> str:
    """Why a first line names no columns; empty when it does."""
    line = "".join(names)
    if "\r" in line:
        return "there is a CR in its first line; lines end in LF or CR LF"
    if "\0" in line:
        return "there are zero bytes in its first line; UTF-16 needs a byte-order mark"
    if not names:
        return "its first line is empty"
    if line.startswith("#") and not wanted & set(names):
        return f"its first line is a comment ({line[:40]})"
    return ""


@dataclass(frozen=True, slots=True)
class MappedTextReader:
    """Reads delimited text by rules."""

    dialect: Dialect
    fields: Fields
    rules: tuple[Rule, ...]
    where: str = ""
    """Which rows are taken: a condition over the files' fields; all if empty."""
    others: tuple[Rule, ...] = ()
    """Rules of columns that are not wanted; they say, too, as what the condition's fields are read."""

    def narrowed(self, table: Table, wanted: frozenset[str]) -> MappedTextReader:
        rules = tuple(rule for rule in self.rules if rule.column.name in wanted)
        asked = asked_columns(self.where)
        others = tuple(rule for rule in self.rules if rule.column.name not in wanted and rule.inputs & asked)
        narrow = replace(self, rules=rules, others=(*self.others, *others))
        read = input_columns(narrow.read_rules, self.dialect.charset, asked)
        return replace(narrow, fields=tuple(read.get(field.name) if field else None for field in self.fields))

    @property
    def read_rules(self) -> tuple[Rule, ...]:
        """Rules by which the fields are read."""
        return (*self.rules, *self.others)

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        asked, charset = asked_columns(self.where), self.dialect.charset
        exact = frozenset(layout.position or ())
        by_name = {rule.column.name: rule for rule in self.rules}
        typed_fields = {field.name for field in self.fields if field is not None and not field.type.charset}
        plain = {by_name[name].source: name for name in exact if by_name[name].is_plain}
        plain = {source: name for source, name in plain.items() if source in typed_fields}
        for read in read_text(piece, self.fields, self.dialect, frozenset(plain)):
            conversions = Counter(read.conversions)
            given = text_inputs(read.batch, self.read_rules, charset, asked)
            seen = asked_inputs(given, self.read_rules, charset, asked)
            taken, inputs = wanted_rows(piece, InputBatch(read.batch, read.first_row), given, self.where, seen)
            try:
                made = make_columns(self.rules, inputs, taken.batch.num_rows, exact, conversions)
            except RowError as error:
                raise error.in_file(piece.path, taken.number(error.row), has_types=False) from None
            typed = pa.RecordBatch.from_arrays(made.columns, names=table.column_names)
            at = slice(None) if taken.numbers is None else taken.numbers - read.first_row
            numbers = made.exact | {plain[source]: values[at] for source, values in read.exact.items()}
            positions = pair_of(numbers, layout.position)
            yield replace(taken, batch=typed, positions=positions, conversions=conversions)
