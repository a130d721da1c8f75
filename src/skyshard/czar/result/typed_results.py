"""Typed results: the types that MariaDB gives a statement's columns, and rows as Arrow without losing a bit.

Rules: the types of a result are those of the whole statement over the empty prototypes, so they are one server's.
``DOUBLE(M,D)`` and ``FLOAT(M,D)`` lose their (M,D), which would clip and round what a SELECT shows whole. Texts that
are no table's column are kept as LONGTEXT, as MariaDB declares too little for some (``CONCAT`` of a DOUBLE); DECIMALs
that are none as DECIMALs of 65 digits, or as texts where 65 may be too few (``BIT_COUNT(v) / 3``, ``SUM`` of such);
whole numbers that are none as BIGINTs (``1e18 DIV n`` declares an INT of four digits). A value that does not fit into
the type of the answer is refused. FLOAT travels as DOUBLE where it travels as text. Every column may be NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from skyshard.basics.errors import Refusal, UserError
from skyshard.basics.lazy import lazy_module
from skyshard.db.charsets import LATIN1
from skyshard.db.connection import Connection, at_once, quote_name
from skyshard.rowimage.sqltype import MOST_DIGITS, SqlType, TypeClass, parse_type

if TYPE_CHECKING:
    from skyshard.czar.result.row_images import RowImages
    from skyshard.rowimage.record import RecordLayout

pc = lazy_module("pyarrow.compute")

TEMPORAL = ("date", "time", "datetime", "timestamp", "year")
BINARY = ("binary", "varbinary", "bit", "tinyblob", "blob", "mediumblob", "longblob", "geometry")
NARROW_BYTES = 256
ALL_DIGITS = Context(prec=120, rounding=ROUND_HALF_UP)
"""Of DECIMALs, which have up to 65 digits where they are stored, and 81 while the server computes."""
SAFE_DIGITS, ARROW_DIGITS = 38, 76
"""A DECIMAL that declares so many digits at most never needs more than 65; so many an Arrow number has at most."""
ROOMY_DIGITS = 20
"""A BIGINT that declares fewer digits may come out of UNION ALL as an INT, which has no room for it, or as a BIT."""
SPARE_DIGITS = 8
"""So many digits more than MariaDB declares an answer's DECIMAL has room for, where functions declare too few."""
KEPT_LAYOUTS = 128
_SPELLED = "varchar(120)"
_AS_TEXT = {"uuid": "char(36)", "inet6": "varchar(39)", "inet4": "varchar(15)"}
"""Types that are no column's, but functions', and travel as text."""
_LOOSE = dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), "longtext")
_LOOSE |= dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "longblob")
"""Types whose lengths may be too small → what holds any."""
_DEFAULT_COLLATION = "latin1_swedish_ci"


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column of a scratch table: ``c0``, ``c1`` ... and its type, with character set where it is not latin1.

    ``is_rounded``: the server says DOUBLE(M,D), and clips values wherever it makes a table of them by itself.
    ``is_loose``: values may be longer than the type says; a scratch table holds them all the same.
    ``is_vague``: the number of digits is not known. ``is_spelled``: a table holds its digits as text.
    ``is_exact``: a quotient, with digits behind the point that it does not show.
    """

    name: str
    type: SqlType
    is_nullable: bool = True
    is_rounded: bool = False
    is_loose: bool = False
    is_vague: bool = False
    is_spelled: bool = False
    is_exact: bool = False

    def renamed(self, name: str) -> TypedColumn:
        return replace(self, name=name)

    def loosened(self, *, is_vague: bool = False) -> TypedColumn:
        """The same for values of any length, where it is a text, bytes, a DECIMAL or a whole number."""
        is_able = self.type.base in _LOOSE or self.type.base == "decimal" or self.is_integer
        return replace(self, is_loose=True, is_vague=is_vague) if is_able else self

    def spelled(self) -> TypedColumn:
        """The same for an answer, which nothing is computed from: as text where it may have more than 65 digits."""
        is_long = self.is_loose and self.type.base == "decimal" and self.digits[0] > SAFE_DIGITS
        return replace(self, is_spelled=True) if is_long else self

    @property
    def digits(self) -> tuple[int, int]:
        """Digits that a DECIMAL declares, and how many of them are behind the point."""
        precision, scale = (*self.type.arguments, 0)[:2]
        return precision, scale

    @property
    def is_integer(self) -> bool:
        return self.type.type_class is TypeClass.INTEGER

    @property
    def is_roomy(self) -> bool:
        """A whole number that stays a BIGINT in UNION ALL, as it declares the digits of one."""
        return self.type.base == "bigint" and self.type.length >= ROOMY_DIGITS

    @property
    def is_boundless(self) -> bool:
        """It has no place in records of one length."""
        return self.is_spelled or self.type.is_blob or (self.is_loose and self.type.base in _LOOSE)

    @property
    def stored(self) -> str:
        """The type of the column of a scratch table that holds it."""
        if self.is_spelled or not self.is_loose:
            return _SPELLED if self.is_spelled else self.type.text
        if self.type.base == "decimal":
            return f"decimal({MOST_DIGITS},{self.digits[1]})"
        if self.is_integer:
            return "bigint unsigned" if self.type.is_unsigned else "bigint"
        _, character_set, rest = self.type.text.partition(" character set ")
        return f"{_LOOSE[self.type.base]}{character_set}{rest}"

    @property
    def arrow(self) -> pa.DataType:
        """Arrow type of the result: strings for text, dates and times, binary for binary types and BIT."""
        if self.type.base == "decimal" and self.is_loose:
            return self._arrow_decimal
        if self.type.type_class is not TypeClass.BYTES:
            return self.type.arrow
        if self.type.base in BINARY:
            return pa.large_binary() if self.type.is_blob else pa.binary()
        return pa.large_string() if self.type.is_blob else pa.string()

    @property
    def _arrow_decimal(self) -> pa.DataType:
        """As MariaDB declares it; wider where it has reached its limit of digits, or declares too few."""
        precision, scale = self.digits
        if precision < MOST_DIGITS and not self.is_vague:
            return self.type.arrow
        is_short = precision + SPARE_DIGITS <= SAFE_DIGITS
        return pa.decimal128(SAFE_DIGITS, scale) if is_short else pa.decimal256(ARROW_DIGITS, scale)

    @property
    def is_temporal(self) -> bool:
        return self.type.base in TEMPORAL

    @property
    def fetched(self) -> str:
        """How a SELECT reads the column so that the text protocol carries it exactly."""
        name = quote_name(self.name)
        if self.type.base == "float":
            return f"CAST({name} AS DOUBLE)"
        return f"CAST({name} AS CHAR)" if self.is_temporal else name


def read_types(connection: Connection, select: str, scratch: str, names: Sequence[str]) -> tuple[TypedColumn, ...]:
    """Types of a SELECT's columns, called ``names`` here; nothing is executed over rows when its tables are empty."""
    columns = ", ".join(quote_name(name) for name in names)
    made = f"CREATE TEMPORARY TABLE {scratch} ENGINE=MyISAM AS WITH q ({columns}) AS (%s) SELECT * FROM q LIMIT 0"
    shown = (f"SHOW FULL COLUMNS FROM {scratch}", f"DROP TEMPORARY TABLE {scratch}")
    try:
        found = connection.rows(at_once(made % select, *shown))
    except UserError as error:
        # totals over no rows are one row, which is computed, and may be out of range: BIT_OR(u) - BIT_AND(u)
        try:
            found = connection.rows(at_once(made % f"({select}) LIMIT 0", *shown))
        except UserError:
            raise error from error.__cause__
    return tuple(_typed(str(row[0]), str(row[1]), row[2]) for row in found)


def _typed(name: str, text: str, collation: str | None) -> TypedColumn:
    kind = parse_type(_AS_TEXT.get(text, text))
    if kind.type_class is TypeClass.FLOATING:
        plain = parse_type(kind.base + (" unsigned" if kind.is_unsigned else ""))
        return TypedColumn(name, plain, is_rounded=len(kind.arguments) == 2)
    if collation and collation != _DEFAULT_COLLATION:
        kind = parse_type(f"{kind.text} character set {collation.split('_')[0]} collate {collation}")
    return TypedColumn(name, kind)


def loosened(types: Sequence[TypedColumn], loose: frozenset[int], vague: frozenset[int]) -> tuple[TypedColumn, ...]:
    """The columns of a result, those at ``loose`` places with room for longer values than are declared."""
    return tuple(one.loosened(is_vague=place in vague) if place in loose else one for place, one in enumerate(types))


def create_scratch(table: str, columns: Sequence[TypedColumn], *, is_temporary: bool, keys: Sequence[str] = ()) -> str:
    """CREATE TABLE text of a scratch table."""
    lines = [f"{quote_name(column.name)} {column.stored} NULL DEFAULT NULL" for column in columns]
    lines += [f"KEY ({quote_name(key)})" for key in keys]
    row_format = "DYNAMIC" if any(column.is_boundless for column in columns) else "FIXED"
    kind = "TEMPORARY TABLE" if is_temporary else "TABLE"
    engine = "MEMORY" if is_temporary and not keys and _is_narrow(columns) else f"MyISAM ROW_FORMAT={row_format}"
    return f"CREATE {kind} {table} ({', '.join(lines)}) ENGINE={engine} DEFAULT CHARSET=latin1"


def _is_narrow(columns: Sequence[TypedColumn]) -> bool:
    """Rows are short and of one length, so that memory can hold those of a temporary table."""
    layout = record_layout(columns)
    return layout is not None and layout.length <= NARROW_BYTES


def record_layout(columns: Sequence[TypedColumn]) -> RecordLayout | None:
    """The record that holds these columns; None where rows must travel as text."""
    return _kept_layout(tuple(columns))


@lru_cache(maxsize=KEPT_LAYOUTS)
def _kept_layout(columns: tuple[TypedColumn, ...]) -> RecordLayout | None:
    """Each query asks several times, and the next one of its form again."""
    if any(column.is_boundless or column.type.arguments == (0,) for column in columns):
        return None
    if any(column.is_loose and not column.is_integer and column.digits[0] > SAFE_DIGITS for column in columns):
        return None
    fields = [replace(column, type=parse_type(column.stored)) if column.is_loose else column for column in columns]
    from skyshard.rowimage.record import RecordLayout  # only rows in files need it

    if not RecordLayout.is_packable(fields):
        return None
    try:
        return RecordLayout.of(fields)
    except UserError:
        return None


def select_exactly(columns: Sequence[TypedColumn], source: str) -> str:
    """SELECT of all columns from a table or derived table, in the form that :func:`from_rows` reads."""
    return f"SELECT {', '.join(column.fetched for column in columns)} FROM {source}"


def from_rows(rows: Sequence[Sequence[Any]], columns: Sequence[TypedColumn]) -> pa.Table:
    """Rows that the driver returned → Arrow."""
    arrays = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    made = [_array(values, column) for values, column in zip(arrays, columns, strict=True)]
    return pa.Table.from_arrays(made, names=[column.name for column in columns])


def _array(values: Sequence[Any], column: TypedColumn) -> pa.Array:
    kind = column.arrow
    if column.type.base == "year":
        values = [f"{value:04d}" if isinstance(value, int) else value for value in values]
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = [value.decode(LATIN1) if isinstance(value, bytes) else value for value in values]
    elif pa.types.is_decimal(kind):
        return _decimals(values, column)
    elif column.type.base == "bit":
        values = [_bits(value, column.type.length) for value in values]
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        values = [value.encode(LATIN1) if isinstance(value, str) else value for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):  # the latter beyond 64 bits
        raise too_long(column) from None


def _decimals(values: Sequence[Any], column: TypedColumn) -> pa.Array:
    """DECIMALs, or texts of them, with as many digits behind the point as the column has."""
    unit = Decimal(1).scaleb(-column.arrow.scale)
    read = [None if one is None else Decimal(one).quantize(unit, context=ALL_DIGITS) for one in values]
    clipped = _clipped(column)
    if any(one is not None and one.copy_abs() >= clipped for one in read):
        raise too_long(column)
    return pa.array(read, column.arrow)


def _clipped(column: TypedColumn) -> Decimal:
    """What an answer has no room for, or a scratch table has cut."""
    digits = column.arrow.precision
    if column.is_loose and column.digits[0] <= SAFE_DIGITS:
        digits = min(digits, MOST_DIGITS - 1)
    return Decimal(1).scaleb(digits - column.arrow.scale)


_LONG_DECIMAL = "a DECIMAL has more digits than can be carried"


def too_long(column: TypedColumn) -> Refusal:
    where = f"column {int(column.name[1:]) + 1} of the answer" if column.name[1:].isdigit() else f"'{column.name}'"
    what = "a whole number has more digits than the server declares" if column.is_integer else _LONG_DECIMAL
    return Refusal(
        "too-many-digits",
        f"{what}: {where} ({column.type.text})",
        remedy="compute it as DOUBLE, CAST(... AS DOUBLE), or make a text of it with CONCAT",
    )


def _bits(value: Any, length: int) -> bytes | None:
    """A BIT as it is stored; it travels as a number where an expression gives it."""
    return value.to_bytes((length + 7) // 8, "big") if isinstance(value, int) else value


def from_images(images: RowImages, columns: Sequence[TypedColumn], layout: RecordLayout) -> Iterator[pa.RecordBatch]:
    """Row images → Arrow, in batches of bounded size.

    Raises:
        ClusterError: there are fewer than were said.
    """
    from skyshard.czar.result.row_images import BLOCK_BYTES
    from skyshard.rowimage.unpack import unpack_blocks

    for block in images.blocks(layout.length):
        for batch in unpack_blocks(block, layout, BLOCK_BYTES):
            yield _as_result(batch, columns)


def _as_result(batch: pa.RecordBatch, columns: Sequence[TypedColumn]) -> pa.RecordBatch:
    arrays = [_decode(array, column) for array, column in zip(batch.columns, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([(column.name, column.arrow) for column in columns]))


def _decode(array: pa.Array, column: TypedColumn) -> pa.Array:
    kind = column.arrow
    if array.type == kind:
        return array
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return _narrowed(array, column)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return array.cast(kind)
    if column.type.charset.startswith("utf8") or pc.all(pc.string_is_ascii(_as_text(array))).as_py() is not False:
        return array.cast(kind)
    return pa.array([None if value is None else value.decode(LATIN1) for value in array.to_pylist()], kind)


def _narrowed(array: pa.Array, column: TypedColumn) -> pa.Array:
    """DECIMALs of 65 digits, or BIGINTs, in the type of the answer."""
    try:
        return array.cast(column.arrow)
    except pa.ArrowInvalid as error:
        raise too_long(column) from error


def _as_text(array: pa.Array) -> pa.Array:
    """The same bytes seen as text, unchecked: only to ask whether they are ASCII."""
    kind = pa.large_string() if pa.types.is_large_binary(array.type) else pa.string()
    return pa.Array.from_buffers(kind, len(array), array.buffers(), array.null_count, array.offset)
