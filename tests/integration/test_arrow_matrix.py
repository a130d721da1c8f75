"""Every Arrow type against every column type: taken with the value that MariaDB makes of the same literal, or refused.

The oracle is MariaDB itself: beside each value that was taken stands what the server makes of its literal.
"""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.ingest.values.arrow_values import from_arrow
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.arrays import RefusedValue
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import unpack
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

DAY = datetime.date(2024, 2, 29)
INSTANT = 1_709_208_307_123_456_789
"""2024-02-29 12:05:07.123456789 UTC."""
CLOCK_NS = 43_507_123_456_789
INTS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


def arrays() -> dict[str, pa.Array]:
    """Some arrays of each type, by a name that begins with the type's kind."""
    made: dict[str, pa.Array] = {"null": pa.nulls(2), "bool": pa.array([True, None, False])}
    for name, bits in INTS.items():
        unsigned = name.startswith("u")
        top = 2 ** (bits - (not unsigned)) - 1
        kind = pa.type_for_alias(name)
        made[f"int small {name}"] = pa.array([0, 1, None, 100] + ([] if unsigned else [-3]), kind)
        made[f"int top {name}"] = pa.array([top], kind)
        made[f"int bottom {name}"] = pa.array([0 if unsigned else -top - 1], kind)
    made["int even"] = pa.array([2**60, -(2**62), 2024])
    made["int year"] = pa.array([1901, 2155, 0, None])
    made["int odd"] = pa.array([2**53 + 1])
    made["float half"] = pa.array([1.5, 0.25, None], pa.float16())
    made["float single"] = pa.array([0.1, -2.5, None, float("nan")], pa.float32())
    for name, values in {
        "whole": [3.0, -0.0, None], "digits": [0.125, -0.135, 1.005, 2.5e-9, 12.345678901234567],
        "huge": [1e300, 1e-300], "mixed": [99999999.995, 1e-7, 0.5, float("inf"), None],
        "large": [123456789012345.6, 0.1],
    }.items():  # fmt: skip
        made[f"float {name}"] = pa.array(values, pa.float64())
    for bits, precision in ((32, 9), (64, 18), (128, 38), (256, 60)):
        kind = getattr(pa, f"decimal{bits}")(precision, 3)
        made[f"decimal {bits}"] = pa.array([Decimal("1.125"), Decimal("-0.005"), None, Decimal("7.000")], kind)
    made["decimal exact"] = pa.array(
        [Decimal("0.1000000000"), Decimal("12345678901234567890.5")], pa.decimal128(38, 10)
    )
    made["decimal whole"] = pa.array([Decimal("7.000"), None], pa.decimal128(9, 3))
    made["date32"] = pa.array([DAY, None, datetime.date(1970, 1, 1)])
    made["date64"] = pa.array([DAY, None], pa.date64())
    made["date old"] = pa.array([datetime.date(800, 1, 2), datetime.date(9999, 12, 31)])
    for unit, divisor in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        made[f"timestamp {unit}"] = pa.array([INSTANT // divisor, None], pa.timestamp(unit))
        made[f"timestamp zoned {unit}"] = pa.array([INSTANT // divisor], pa.timestamp(unit, tz="Asia/Tokyo"))
        made[f"duration {unit}"] = pa.array([CLOCK_NS // divisor], pa.duration(unit))
        width = pa.time32 if unit in ("s", "ms") else pa.time64
        ticks = pa.array([CLOCK_NS // divisor, None], pa.int32() if width is pa.time32 else pa.int64())
        made[f"time {unit}"] = ticks.cast(width(unit))
    made["timestamp midnight"] = pa.array([1_709_164_800, None], pa.timestamp("s"))
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        made[f"text {kind}"] = pa.array(["a", None, "caf\xe9"], kind)
    made["text numbers"] = pa.array(["1", "NaN", " 7 ", None])
    made["text broken"] = pa.array(["1.5", "-0.25"])
    made["text day"] = pa.array(["2024-02-29"])
    made["text clock"] = pa.array(["12:05:07.120000"])
    made["text instant"] = pa.array(["2024-02-29 12:05:07"])
    made["text member"] = pa.array(["b", "a"]).dictionary_encode()
    made["text year"] = pa.array(["1999"])
    made["text json"] = pa.array(['{"a": 1}'])
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)):
        made[f"bytes {kind}"] = pa.array([b"ab", None], kind)
    made["bytes high"] = pa.array([b"\xff\x80"])
    made["int coded"] = pa.array([5, 6, 5]).dictionary_encode()
    made["list"] = pa.array([[1]])
    made["list large"] = pa.array([[1]], pa.large_list(pa.int8()))
    made["list fixed"] = pa.array([[1, 2]], pa.list_(pa.int8(), 2))
    made["struct"] = pa.array([{"a": 1}])
    made["map"] = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))
    made["interval"] = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    made["union"] = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    return made


COLUMNS = [
    "tinyint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned", "bigint",
    "bigint unsigned", "float", "double", "float unsigned", "double unsigned", "decimal(5,2)", "decimal(20,12)",
    "decimal(65,30) unsigned",
    "decimal(38,0)", "decimal(30,25)",
    "char(5)", "varchar(40)", "char(4) character set utf8mb4", "varchar(40) character set ascii", "text", "tinytext",
    "binary(2)", "varbinary(9)", "blob", "bit(1)", "bit(8)", "bit(33)", "bit(64)",
    "date", "time", "time(3)", "time(6)", "datetime", "datetime(1)", "datetime(6)", "timestamp", "timestamp(3)", "year",
    "enum('a','b')", "set('a','b')", "json",
]  # fmt: skip
NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal")
TIMES, TEXTS = ("date", "datetime", "timestamp"), ("char", "varchar", "text", "tinytext")
FITS = {
    "bool": (*NUMBERS, "bit"), "int": (*NUMBERS, "bit", "year"), "float": NUMBERS, "decimal": NUMBERS,
    "date": (*TIMES, *TEXTS), "timestamp": (*TIMES, *TEXTS), "time": ("time", *TEXTS),
}  # fmt: skip
"""What a kind is never refused for but by its value; texts and bytes fit everything by their content."""


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Connection]:
    with connect(private_cluster.endpoint("node1"), Account.ADMIN) as connection:
        connection.execute("CREATE DATABASE matrix CHARACTER SET latin1")
        connection.execute("USE matrix")
        connection.execute("SET sql_mode = '', time_zone = '+00:00'")
        yield connection
        connection.execute("DROP DATABASE matrix")


def literal(value: Any, given: pa.DataType) -> str:
    """A value as SQL spells it; of times no more than microseconds, of which the server cuts what it does not hold."""
    if value is None:
        return "NULL"
    if pa.types.is_floating(given):
        return f"{value!r}e0" if "e" not in repr(value) else repr(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, str):
        return f"_utf8mb4 X'{value.encode().hex()}'"
    return str(value)


DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def written(array: pa.Array, *, is_text: bool) -> list[str]:
    """The literals of an array's values; a text shows all digits of a second, of which the server reads six."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        digits, day = DIGITS[kind.unit], datetime.datetime(1970, 1, 1)
        pattern = "%Y-%m-%d %H:%M:%S" if pa.types.is_timestamp(kind) else "%H:%M:%S"
        ticks = array.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
        length = 99 if is_text else 26 if pa.types.is_timestamp(kind) else 15
        made = []
        for tick in ticks:
            whole, rest = divmod(tick or 0, 10**digits)
            text = (day + datetime.timedelta(seconds=whole)).strftime(pattern) + f".{rest:0{digits}d}" * bool(digits)
            made.append("NULL" if tick is None else f"'{text[:length]}'")
        return made
    if pa.types.is_date(kind):
        return ["NULL" if day is None else f"'{day.isoformat()}'" for day in array.to_pylist()]
    if pa.types.is_float16(kind):
        array, kind = array.cast(pa.float32()), pa.float32()
    values = array.to_pylist()
    if pa.types.is_floating(kind):
        values = [None if v is None or v != v or abs(v) == float("inf") else v for v in values]
    return [literal(value, kind) for value in values]


def stored(array: pa.Array, column: Column) -> list[str]:
    """The column's values as literals that mean exactly them, after a way through a record where one holds them."""
    if RecordLayout.is_packable([column]):
        batch = pa.record_batch([array], names=["c"])
        array = unpack(pack(batch, RecordLayout.of([column])), RecordLayout.of([column])).column(0)
    if column.type.base in ("date", "time", "datetime", "timestamp", "year", "enum", "set"):
        return ["NULL" if value is None else f"'{value.decode()}'" for value in array.to_pylist()]
    if column.type.charset:
        introducer = {"latin1": "latin1", "ascii": "ascii"}.get(column.type.charset, "utf8mb4")
        return ["NULL" if value is None else f"_{introducer} X'{value.hex()}'" for value in array.to_pylist()]
    return [literal(value, array.type) for value in array.to_pylist()]


@pytest.mark.parametrize("text", COLUMNS)
def test_each_type_is_taken_as_the_server_takes_it_or_refused(server: Connection, text: str) -> None:
    """No pair is a bug; what is taken equals what the server makes of the literal; what fits by kind is taken."""
    column = Column("c", parse_type(text))
    server.execute("DROP TABLE IF EXISTS t")
    server.execute(f"CREATE TABLE t (name varchar(40), ours {text} NULL, theirs {text} NULL)")
    taken, rows = set(), []
    for name, array in arrays().items():
        try:
            made = from_arrow(array, column, Counter())
            values = stored(made, column)
        except (RowError, RefusedValue):
            continue
        assert len(made) == len(array)
        taken.add(name)
        if text != "json":
            wanted = written(array, is_text=column.type.base in TEXTS)
            if name == "text numbers" and column.type.base in NUMBERS:
                wanted = ["1", "NULL", "7", "NULL"]
            rows += [f"('{name}', {ours}, {theirs})" for ours, theirs in zip(values, wanted, strict=True)]
    if rows:
        server.execute(f"INSERT INTO t VALUES {', '.join(rows)}")
    differing = server.rows("SELECT name, HEX(ours), HEX(theirs) FROM t WHERE NOT (BINARY ours <=> BINARY theirs)")
    assert differing == []
    kinds = {name.partition(" ")[0].rstrip("0123456789") for name in taken}
    is_short = column.type.base == "char"
    fitting = {kind for kind, bases in FITS.items() if column.type.base in bases and not is_short}
    assert kinds & {*FITS, "duration", "list", "struct", "map", "interval", "union"} == fitting
    assert "null" in taken


@pytest.mark.parametrize("kind", ["double", "text"])
@pytest.mark.parametrize("name", ["timestamp ns", "duration ns", "list", "struct", "time us", "decimal 256", "bool"])
def test_ingest_takes_or_refuses_by_file_and_column(testbed: Testbed, tmp_path: Path, kind: str, name: str) -> None:
    """Either all rows are there, or one line names file and column, and no transaction is left open."""
    values = arrays()[name].drop_null().slice(0, 1)
    pq.write_table(pa.table({"id": [1], "ra": [1.0], "dec": [1.0], "c": values}), tmp_path / "t.parquet")
    types = {"id": "int", "ra": "double", "dec": "double", "c": kind}
    entry = {
        "files": ["t.parquet"], "role": "director", "key": "id", "position": ["ra", "dec"],
        "declare": [{"name": n, "type": t} for n, t in types.items()],
    }  # fmt: skip
    mapping = {"version": 1, "database": "x", "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.1}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({**mapping, "tables": {"T": entry}}))
    database = f"m{uuid.uuid4().hex[:10]}"
    column = Column("c", parse_type(kind))
    try:
        from_arrow(values, column, Counter())
    except RowError:
        with pytest.raises(UserError) as caught:
            testbed.ingest(tmp_path, database=database)
        assert "t.parquet', row 1, column 'c'" in str(caught.value)
        assert testbed.registry.transactions.find_open(database) is None
    else:
        assert testbed.ingest(tmp_path, database=database).rows == 1
