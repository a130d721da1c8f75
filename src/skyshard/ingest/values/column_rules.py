"""Applies column rules: a batch of input columns → a column of the table, counted and strict.

No I/O. Rows in errors count from 0 within the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.catalog.schema import Column
from skyshard.db.charsets import encoded
from skyshard.ingest.values.arrow_values import from_arrow, plain_array
from skyshard.ingest.values.column_expression import evaluate, names_in
from skyshard.ingest.values.encoded_text import Given, stored_text
from skyshard.ingest.values.text_values import RowError, to_column
from skyshard.rowimage.arrays import as_text
from skyshard.rowimage.sqltype import SqlType, TypeClass, parse_type

RuleValue = int | float | str
_ANY_NUMBER = "decimal(65,30)"
_ANY_TEXT: dict[Given, str] = {"utf8": "longtext character set utf8mb4", "latin1": "longtext character set latin1"}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one column comes about: from an input column, an expression over some, or a constant."""

    column: Column
    source: str = ""
    derive: str = ""
    constant: RuleValue | None = None
    factor: float | None = None
    null_at: tuple[RuleValue, ...] = ()
    may_lack: bool = False

    @property
    def inputs(self) -> frozenset[str]:
        """Input columns that the rule reads."""
        return names_in(self.derive) if self.derive else frozenset({self.source} if self.source else ())

    @property
    def words(self) -> tuple[str, ...]:
        """Texts that mean NULL in a column of numbers."""
        if self.column.type.type_class is TypeClass.BYTES:
            return ()
        return tuple(value for value in self.null_at if isinstance(value, str) and not _is_number(value))

    @property
    def is_plain(self) -> bool:
        """Values are taken as the input has them."""
        return not (self.derive or self.null_at or self.factor is not None or self.constant is not None)

    def describe(self) -> str:
        """What the rule changes, for plan and documentation; empty when it changes nothing."""
        name = self.column.name
        steps = []
        if self.derive:
            steps.append(f"= {self.derive}")
        elif self.constant is not None:
            steps.append(f"= {self.constant}")
        elif self.source != name:
            steps.append(f"from {self.source}")
        if self.null_at:
            steps.append(f"{', '.join(map(str, self.null_at))} → NULL")
        if self.factor is not None:
            steps.append(f"x {self.factor:g}")
        return f"{name}: {', '.join(steps)}" if steps else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Made:
    """Columns of the table, and those asked for at full precision."""

    columns: list[pa.Array]
    exact: dict[str, NDArray[np.float64]]
    given_floats: dict[str, pa.Array]
    """By column: floats as the input has them, of the columns in which NaN or infinities became NULL."""


def make_columns(
    rules: Iterable[Rule],
    inputs: Mapping[str, pa.Array],
    rows: int,
    exact: Collection[str],
    conversions: Counter[str],
) -> Made:
    """All columns of a batch; an input that is not there is NULL where the rule allows that.

    Raises:
        RowError: the first value that has no place in its column.
    """
    made = Made([], {}, {})
    for rule in rules:
        values = _raw(rule, inputs, rows, conversions)
        if rule.column.name in exact:
            made.exact[rule.column.name] = _doubles(values, rule.column)
        try:
            made.columns.append(from_arrow(values, rule.column, conversions))
        except RowError as error:
            raise RowError(error.what, error.row, rule.column.name, error.remedy) from None
        if made.columns[-1].null_count > values.null_count and pa.types.is_floating(values.type):
            made.given_floats[rule.column.name] = values
    return made


def _raw(rule: Rule, inputs: Mapping[str, pa.Array], rows: int, conversions: Counter[str]) -> pa.Array:
    """A column before it takes its type."""
    name = rule.column.name
    if rule.constant is not None:
        return pa.array([rule.constant]).take(pa.array(np.zeros(rows, np.int64)))
    if any(source not in inputs for source in rule.inputs):
        conversions[f"{name}: not in the file → NULL"] += rows
        return pa.nulls(rows, rule.column.type.arrow)
    if rule.is_plain:
        return inputs[rule.source]
    taken = {source: _without_sentinels(inputs[source], rule, conversions) for source in rule.inputs}
    try:
        values = evaluate(rule.derive, taken, rows) if rule.derive else taken[rule.source]
        if rule.derive:
            conversions[f"{name} = {rule.derive}"] += rows
        if rule.factor is not None:
            conversions[f"{name}: x {rule.factor:g}"] += rows - values.null_count
            values = pc.multiply(values.cast(pa.float64()), rule.factor)
    except pa.ArrowException as error:
        raise RowError(str(error).splitlines()[0], 0, name, "fix the rule or the input's type") from None
    return values


def _without_sentinels(values: pa.Array, rule: Rule, conversions: Counter[str]) -> pa.Array:
    """An input as its rule computes with it: texts for a column of numbers are read as numbers, words left out."""
    values = plain_array(values)
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not is_text or (rule.column.type.type_class is TypeClass.BYTES and not rule.derive):
        return _without(rule.null_at, values, rule, conversions)
    texts = _without(rule.words, values, rule, conversions).cast(pa.large_binary()).cast(pa.binary())
    numbers = to_column(texts, Column(rule.column.name, _number_type([rule])), conversions)
    return _without(tuple(value for value in rule.null_at if value not in rule.words), numbers, rule, conversions)


def _without(sentinels: tuple[RuleValue, ...], values: pa.Array, rule: Rule, conversions: Counter[str]) -> pa.Array:
    found = np.zeros(len(values), bool)
    for sentinel in sentinels:
        try:
            is_equal = pc.equal(values, _comparable(sentinel, values, rule))
        except pa.ArrowException:
            raise _incomparable(sentinel, values, rule) from None
        found |= np.asarray(pc.fill_null(is_equal, False))
    if found.any():
        conversions[f"{rule.column.name}: {', '.join(map(str, sentinels))} → NULL"] += int(found.sum())
        values = pc.if_else(pa.array(found), pa.scalar(None, values.type), values)
    return values


def _comparable(sentinel: RuleValue, values: pa.Array, rule: Rule) -> pa.Scalar:
    """The sentinel in the input's type: -999 of a FLOAT is the float nearest to it."""
    try:
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            return pa.scalar(encoded(str(sentinel), rule.column.type.charset or "latin1"), values.type)
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            return pa.scalar(str(sentinel), values.type)
        if pa.types.is_decimal(values.type):
            return pa.scalar(Decimal(str(sentinel)), values.type)
        number = float(sentinel) if isinstance(sentinel, str) else sentinel
        return pa.scalar(number) if pa.types.is_integer(values.type) else pa.scalar(number, values.type)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError):
        raise _incomparable(sentinel, values, rule) from None


def _incomparable(sentinel: RuleValue, values: pa.Array, rule: Rule) -> RowError:
    what = f"null_at value {sentinel!r} is no {values.type}"
    return RowError(what, 0, rule.column.name, "give one of the input's type")


def _doubles(values: pa.Array, column: Column) -> NDArray[np.float64]:
    try:
        plain = plain_array(values)
        if pa.types.is_temporal(plain.type):
            raise pa.ArrowInvalid("a time")
        numbers: NDArray[np.float64] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        raise RowError(f"{values.type} is no position", 0, column.name, "give degrees as numbers") from None
    return numbers


def input_columns(rules: Iterable[Rule], given: Given, asked: Collection[str] = ()) -> dict[str, Column]:
    """What each input column of a text file is read as: the table's column where one rule takes it as it is,
    else a type with room for sentinels and arithmetic, texts in the file's own character set.

    Args:
        asked: input columns that a condition reads.
    """
    users = _users(rules, asked)
    texts = _texts(users, asked)
    return {
        source: Column(source, parse_type(_ANY_TEXT[given])) if source in texts else _input_column(source, found)
        for source, found in users.items()
    }


def text_inputs(
    batch: pa.RecordBatch, rules: Iterable[Rule], given: Given, asked: Collection[str] = ()
) -> dict[str, pa.Array]:
    """The input columns of a text file's batch by name; texts that rules change, or several share, as strings."""
    inputs = dict(zip(batch.schema.names, batch.columns, strict=True))
    for source in _texts(_users(rules, asked), asked):
        column = Column(source, parse_type(_ANY_TEXT["utf8"]))
        inputs[source] = as_text(stored_text(inputs[source], column, given, Counter()))
    return inputs


def _users(rules: Iterable[Rule], asked: Collection[str]) -> dict[str, list[Rule]]:
    """The rules that read each input column; none for one that only a condition reads."""
    users: dict[str, list[Rule]] = {name: [] for name in sorted(asked)}
    for rule in rules:
        for source in rule.inputs:
            users.setdefault(source, []).append(rule)
    return users


def _texts(users: Mapping[str, list[Rule]], asked: Collection[str]) -> list[str]:
    """The input columns that are read as texts, whatever the columns are that they fill."""
    return [source for source, found in users.items() if _is_any_text(found, is_asked=source in asked)]


def _input_column(source: str, users: list[Rule]) -> Column:
    if _is_taken_whole(users):
        return Column(source, users[0].column.type)
    classes = {rule.column.type.type_class for rule in users}
    if classes != {TypeClass.BYTES} or any(rule.derive for rule in users):
        return Column(source, _number_type(users))
    return Column(source, parse_type("longblob"))


def _number_type(users: list[Rule]) -> SqlType:
    """A type with room for the values that the rules take, their sentinels and arithmetic."""
    types = [rule.column.type for rule in users]
    classes = {kind.type_class for kind in types}
    has_arithmetic = any(rule.derive or rule.factor is not None for rule in users)
    if classes == {TypeClass.INTEGER} and all(rule.factor is None for rule in users):
        is_wide = not has_arithmetic and any(kind.base == "bigint" and kind.is_unsigned for kind in types)
        return parse_type(_ANY_NUMBER if is_wide else "bigint")
    return parse_type(_ANY_NUMBER if classes == {TypeClass.DECIMAL} and not has_arithmetic else "double")


def _is_taken_whole(users: list[Rule]) -> bool:
    return len(users) == 1 and users[0].is_plain


def _is_any_text(users: list[Rule], *, is_asked: bool = False) -> bool:
    """True where a text is read for columns whose character sets may differ, or is changed or looked at on the way."""
    if any(rule.words for rule in users):
        return True
    return (is_asked or not _is_taken_whole(users)) and all(
        rule.column.type.charset and not rule.derive for rule in users
    )
