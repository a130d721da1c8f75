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
from skyshard.ingest.values.arrow_values import column_kind, from_arrow, plain_array
from skyshard.ingest.values.column_expression import evaluate, names_in
from skyshard.ingest.values.encoded_text import Given, stored_text
from skyshard.ingest.values.text_values import RowError, to_column, to_doubles, without_lost
from skyshard.rowimage.arrays import as_doubles, as_text
from skyshard.rowimage.sqltype import MOST_DIGITS, SqlType, TypeClass, parse_type

RuleValue = int | float | str
_EXACT = 2**53
_ANY_NUMBER = "decimal(65,30)"
_MOST_SCALE = 38
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
        if rule.column.name in exact and pa.types.is_temporal(values.type):
            raise _no_position(values, rule.column)
        try:
            made.columns.append(from_arrow(values, rule.column, conversions))
        except RowError as error:
            raise error.of_column(rule.column.name) from None
        if rule.column.name in exact:
            made.exact[rule.column.name] = _doubles(values, rule.column)
        if made.columns[-1].null_count > values.null_count and pa.types.is_floating(values.type):
            made.given_floats[rule.column.name] = values
    return made


def _raw(rule: Rule, inputs: Mapping[str, pa.Array], rows: int, conversions: Counter[str]) -> pa.Array:
    """A column before it takes its type."""
    name = rule.column.name
    if rule.constant is not None:
        return _constant(rule.constant, rule.column).take(pa.array(np.zeros(rows, np.int64)))
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
            values = pc.multiply(as_doubles(values), rule.factor)
    except pa.ArrowException as error:
        raise RowError(str(error).splitlines()[0], 0, name, "fix the rule or the input's type") from None
    return values


def _constant(value: RuleValue, column: Column) -> pa.Array:
    """One value, in a type that holds it."""
    try:
        if isinstance(value, int) and value >= 1 << 63:
            return pa.array([value], pa.uint64()) if value < 1 << 64 else pa.array([Decimal(value)])
        return pa.array([Decimal(value)]) if isinstance(value, int) and value < -(1 << 63) else pa.array([value])
    except pa.ArrowException:
        raise RowError(f"{value} does not fit {column.type.text}", 0, column.name, "fix the constant") from None


def _without_sentinels(values: pa.Array, rule: Rule, conversions: Counter[str]) -> pa.Array:
    """An input as its rule computes with it: texts for a column of numbers are read as numbers, words left out."""
    values = plain_array(values)
    if not _is_text(values.type) or (rule.column.type.type_class is TypeClass.BYTES and not rule.derive):
        return _without(rule.null_at, values, rule, conversions)
    texts = _without(rule.words, values, rule, conversions).cast(pa.large_binary()).cast(pa.binary())
    numbers = _numbers(texts, rule, conversions)
    return _without(tuple(value for value in rule.null_at if value not in rule.words), numbers, rule, conversions)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(texts: pa.Array, rule: Rule, conversions: Counter[str]) -> pa.Array:
    """Texts as the numbers that a rule computes with.

    What an expression makes exact is computed in whole numbers if all are whole, else in DOUBLEs; those have to hold
    all digits of what becomes whole.
    """
    name, to = rule.column.name, rule.column.type.type_class
    if not (rule.derive and to in (TypeClass.INTEGER, TypeClass.DECIMAL)):
        return to_column(texts, Column(name, _number_type([rule])), conversions)
    refused: RowError | None = None
    for kind in ("bigint", "bigint unsigned"):
        counted: Counter[str] = Counter()
        try:
            made = to_column(texts, Column(name, parse_type(kind)), counted)
        except RowError as error:
            refused = refused or error
        else:
            conversions.update(counted)
            return made
    made = to_column(texts, Column(name, parse_type("double")), conversions)
    if refused is not None and (pc.max(pc.abs(made)).as_py() or 0) >= _EXACT:
        if to is TypeClass.INTEGER:
            raise refused
        _require_held(texts, made, name)
    return made


def _require_held(texts: pa.Array, made: pa.Array, name: str) -> None:
    """Refuse digits of a DECIMAL's input that DOUBLEs do not hold; numbers too long for any DECIMAL are DOUBLEs."""
    try:
        exact = to_column(texts, Column(name, parse_type(_ANY_NUMBER)), Counter())
    except RowError:
        return
    lost = pc.fill_null(pc.not_equal(exact, made.cast(pa.string()).cast(exact.type)), False)
    if (row := pc.index(lost, True).as_py()) >= 0:
        value = f"{exact[row].as_py().normalize():f}"
        what = f"{value} has more digits than a DOUBLE, in which values with decimals are computed"
        raise RowError(what, row, name, "take the column without 'derive', or let all of it be whole numbers")


def _without(sentinels: tuple[RuleValue, ...], values: pa.Array, rule: Rule, conversions: Counter[str]) -> pa.Array:
    if pa.types.is_null(values.type):  # a column of a file that has no value
        return values
    found = np.zeros(len(values), bool)
    compared = values.cast(pa.float32()) if pa.types.is_float16(values.type) else values
    if pa.types.is_boolean(values.type):
        compared = values.cast(pa.int8())
    for sentinel in sentinels:
        try:
            is_equal = pc.equal(compared, _comparable(sentinel, values, rule))  # NULL where the type has no such value
        except pa.ArrowException:
            raise _incomparable(sentinel, values, rule) from None
        found |= np.asarray(pc.fill_null(is_equal, False))
    if found.any():
        conversions[f"{rule.column.name}: {', '.join(map(str, sentinels))} → NULL"] += int(found.sum())
        values = pc.if_else(pa.array(found), pa.scalar(None, values.type), values)
    return values


def _comparable(sentinel: RuleValue, values: pa.Array, rule: Rule) -> pa.Scalar:
    """The sentinel in the input's type: -999 of a FLOAT is the float nearest to it. NULL where it has no such value."""
    try:
        if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
            return _whole(Decimal(str(sentinel)), pa.int8() if pa.types.is_boolean(values.type) else values.type)
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            return pa.scalar(encoded(str(sentinel), rule.column.type.charset or "latin1"), values.type)
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            return pa.scalar(str(sentinel), values.type)
        if pa.types.is_decimal(values.type):
            return pa.scalar(Decimal(str(sentinel)), values.type)
        number = float(sentinel) if pa.types.is_floating(values.type) else sentinel
        if pa.types.is_float16(values.type):
            with np.errstate(over="ignore"):  # an infinity, which means NULL anyway
                return pa.scalar(float(np.float16(number)), pa.float32())
        return pa.scalar(number, values.type)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError):
        raise _incomparable(sentinel, values, rule) from None


def _whole(number: Decimal, kind: pa.DataType) -> pa.Scalar:
    """A number as a whole one of 8 to 64 bits, NULL if it is none."""
    bits = kind.bit_width - pa.types.is_signed_integer(kind)
    low = -(1 << bits) if pa.types.is_signed_integer(kind) else 0
    is_one = number == number.to_integral_value() and low <= number < 1 << bits
    return pa.scalar(int(number) if is_one else None, kind)


def _incomparable(sentinel: RuleValue, values: pa.Array, rule: Rule) -> RowError:
    what = f"null_at value {sentinel!r} is no {values.type}"
    return RowError(what, 0, rule.column.name, "give one of the input's type")


def _doubles(values: pa.Array, column: Column) -> NDArray[np.float64]:
    """Numbers, or texts that were taken as some, at full precision."""
    plain = plain_array(values)
    if _is_text(plain.type):
        return to_doubles(plain.cast(pa.large_binary()).cast(pa.binary()))
    try:
        numbers: NDArray[np.float64] = as_doubles(plain).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        raise _no_position(values, column) from None
    return numbers


def _no_position(values: pa.Array, column: Column) -> RowError:
    return RowError(f"{values.type} is no position", 0, column.name, "give degrees as numbers")


def input_columns(rules: Iterable[Rule], given: Given, asked: Collection[str] = ()) -> dict[str, Column]:
    """What each input column of a text file is read as: the table's column where one rule takes it as it is, a type
    with room for sentinels and arithmetic, or, where rules and condition read it otherwise than each other, its text.

    Args:
        asked: input columns that a condition reads.
    """
    users = _users(rules, asked)
    texts = _texts(users, given, asked)
    return {
        source: Column(source, parse_type(_ANY_TEXT[given]))
        if source in texts
        else _input_column(source, found, is_asked=source in asked)
        for source, found in users.items()
    }


def text_inputs(
    batch: pa.RecordBatch, rules: Iterable[Rule], given: Given, asked: Collection[str] = ()
) -> dict[str, pa.Array]:
    """The input columns of a text file's batch by name; texts that rules change, or several share, as strings."""
    inputs = dict(zip(batch.schema.names, batch.columns, strict=True))
    for source in inputs.keys() & _texts(_users(rules, asked), given, asked):  # a rule may allow that one is not there
        column = Column(source, parse_type(_ANY_TEXT["utf8"]))
        inputs[source] = as_text(stored_text(inputs[source], column, given, Counter()))
    return inputs


def asked_inputs(
    inputs: Mapping[str, pa.Array], rules: Iterable[Rule], given: Given, asked: Collection[str]
) -> dict[str, pa.Array]:
    """The input columns of a text file as a condition sees them: where they stand for numbers, NaN and the like are
    NULL, as they are in a file of numbers."""
    users = _users(rules, asked)
    texts = [source for source in _texts(users, given, asked) if source in asked]
    numbers = [source for source in texts if any(map(_takes_a_number, users[source]))]
    return {**inputs, **{source: without_lost(inputs[source]) for source in numbers}}


def _takes_a_number(rule: Rule) -> bool:
    return rule.column.type.type_class is not TypeClass.BYTES or bool(rule.derive) or rule.factor is not None


def _users(rules: Iterable[Rule], asked: Collection[str]) -> dict[str, list[Rule]]:
    """The rules that read each input column; none for one that only a condition reads."""
    users: dict[str, list[Rule]] = {name: [] for name in sorted(asked)}
    for rule in rules:
        for source in rule.inputs:
            users.setdefault(source, []).append(rule)
    return users


def _texts(users: Mapping[str, list[Rule]], given: Given, asked: Collection[str]) -> list[str]:
    """The input columns that are read as texts, whatever the columns are that they fill."""
    return [source for source, found in users.items() if _is_any_text(found, given, is_asked=source in asked)]


def _input_column(source: str, users: list[Rule], *, is_asked: bool = False) -> Column:
    if _is_taken_whole(users):
        kind = users[0].column.type
        return Column(source, _all_digits(kind) if is_asked and kind.type_class is TypeClass.DECIMAL else kind)
    classes = {rule.column.type.type_class for rule in users}
    if classes != {TypeClass.BYTES} or any(rule.derive for rule in users):
        return Column(source, _number_type(users))
    return Column(source, parse_type("longblob"))


def _all_digits(kind: SqlType) -> SqlType:
    """A DECIMAL of as many digits before the point, and the most behind it."""
    whole = kind.arrow.precision - kind.arrow.scale
    return parse_type(f"decimal({MOST_DIGITS},{min(_MOST_SCALE, MOST_DIGITS - whole)})")


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


def _is_any_text(users: list[Rule], given: Given, *, is_asked: bool = False) -> bool:
    """True where a text is read for columns whose types or character sets differ, or is changed or asked on the way.

    A column of bytes takes those of a text in UTF-8; one in latin1 is not a text for it.
    """
    if any(rule.words or _is_computed_exactly(rule) for rule in users):
        return True
    if not is_asked and _is_taken_whole(users):
        return False
    if all(rule.column.type.charset and not rule.derive for rule in users):
        return True
    is_bytes = [column_kind(rule.column.type) in ("binary", "bit") for rule in users]
    if all(is_bytes) or (given == "latin1" and any(is_bytes)):
        return False
    types = {_input_column("", [rule]).type.text for rule in users}
    return len(types) > 1 or (is_asked and not all(_is_read_exactly(rule) for rule in users))


def _is_read_exactly(rule: Rule) -> bool:
    """True where what is read for a rule says all that the text does: a condition may be asked of it."""
    return _input_column("", [rule]).type.type_class in (TypeClass.INTEGER, TypeClass.DECIMAL)


def _is_computed_exactly(rule: Rule) -> bool:
    """True for an expression of a column that holds more whole numbers than a DOUBLE, or a BIGINT."""
    kind = rule.column.type
    return bool(rule.derive) and (
        kind.type_class is TypeClass.DECIMAL or (kind.base == "bigint" and bool(kind.is_unsigned))
    )
