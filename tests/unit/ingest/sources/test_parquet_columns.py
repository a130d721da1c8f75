"""The columns of a table's Parquet files: types that hold all, files that lack one, lengths, what no type takes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.parquet_columns import InferredColumns, infer_columns


def inferred(folder: Path, *tables: pa.Table, given: tuple[str, ...] = ()) -> InferredColumns:
    """Of one file for each table."""
    files = [folder / f"{number}.parquet" for number in range(len(tables))]
    for path, table in zip(files, tables, strict=True):
        pq.write_table(table, path)
    return infer_columns("table 'T'", files, {path: pq.read_schema(path) for path in files}, given)


def whole(kind: pa.DataType, *values: int | None) -> pa.Table:
    return pa.table({"n": pa.array(values, kind)})


def test_columns_come_in_the_order_of_the_first_file_that_has_each(tmp_path: Path) -> None:
    """What a file lacks is NULL in its rows; what is described elsewhere is left out."""
    first = pa.table({"a": pa.array([1], pa.int32()), "given": [1]})
    second = pa.table({"b": pa.array([1], pa.int64()), "a": pa.array([2], pa.int32())})
    found = inferred(tmp_path, first, second, second, given=("given",))
    assert [(one.name, one.type, one.lacking) for one in found.columns] == [("a", "int(11)", 0), ("b", "bigint(20)", 1)]
    assert found.find("b") == found.columns[1]
    assert found.find("given") is None


@pytest.mark.parametrize("is_required", [True, False])
def test_a_column_is_required_where_every_file_says_so(tmp_path: Path, *, is_required: bool) -> None:
    """And no file lacks it; a float may be NaN, which is stored as NULL."""
    fields = [pa.field("n", pa.int32(), nullable=False), pa.field("x", pa.float64(), nullable=False)]
    table = pa.table({"n": pa.array([1], pa.int32()), "x": [1.0]}, schema=pa.schema(fields))
    other = table if is_required else pa.table({"n": pa.array([1], pa.int32()), "x": [1.0]})
    found = inferred(tmp_path, table, other)
    assert [one.is_nullable for one in found.columns] == [not is_required, True]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (pa.int16(), pa.int32(), "int(11)"),
        (pa.int32(), pa.int16(), "int(11)"),
        (pa.uint8(), pa.int8(), "smallint(6)"),
        (pa.uint32(), pa.int32(), "bigint(20)"),
    ],
)
def test_the_type_holds_the_values_of_all_files(
    tmp_path: Path, one: pa.DataType, other: pa.DataType, kind: str
) -> None:
    """Whatever their order; the types that were met are kept."""
    (column,) = inferred(tmp_path, whole(one, 1), whole(other, 2)).columns
    assert column.type == kind
    assert column.kinds == (str(one), str(other))


@pytest.mark.parametrize(("values", "is_held"), [((2**53, None), True), ((2**53 + 1,), False), ((None,), True)])
def test_whole_numbers_are_doubles_where_footers_show_that_none_is_rounded(
    tmp_path: Path, values: tuple[int | None, ...], *, is_held: bool
) -> None:
    """2^53 is the last that is exact; otherwise file, column and remedy are named."""
    tables = whole(pa.int64(), *values), pa.table({"n": [0.5]})
    if is_held:
        assert inferred(tmp_path, *tables).columns[0].type == "double"
        return
    with pytest.raises(UserError, match=r"table 'T': column 'n' is int64 in '.*0.parquet' and double in '.*1.parquet'"):
        inferred(tmp_path, *tables)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([b"0123456789abcdef"], pa.binary(16)).cast(pa.uuid()), "varbinary(64)"),
        (pa.array(["a"], pa.string_view()), "varchar(16)"),
        (pa.array([1], pa.int8()).cast(pa.bool8()), "tinyint(4)"),
    ],
)
def test_extensions_have_the_type_of_what_they_are_kept_as(tmp_path: Path, values: pa.Array, kind: str) -> None:
    """A UUID is its sixteen bytes."""
    assert inferred(tmp_path, pa.table({"u": values})).columns[0].type == kind


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_are_measured_however_they_are_encoded(tmp_path: Path, encoding: str) -> None:
    """DuckDB and Spark have others than Arrow's own."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"s": ["\u03bb" * 17]}), path, use_dictionary=False, column_encoding=encoding)
    (column,) = infer_columns("table 'T'", [path], {path: pq.read_schema(path)}).columns
    assert column.type == "varchar(255) character set utf8mb4"


def test_files_without_statistics_show_nothing(tmp_path: Path) -> None:
    """Whether a DOUBLE holds their whole numbers is then not known."""
    files = [tmp_path / "whole.parquet", tmp_path / "float.parquet"]
    pq.write_table(whole(pa.int64(), 1), files[0], write_statistics=False)
    pq.write_table(pa.table({"n": [0.5]}), files[1])
    with pytest.raises(UserError, match="no type holds both"):
        infer_columns("table 'T'", files, {path: pq.read_schema(path) for path in files})


@pytest.mark.parametrize(
    ("longest", "characters"), [("a" * 4, 16), ("a" * 5, 64), ("µ" * 4, 16), ("µ" * 17, 255), ("天" * 4, 16)]
)
def test_texts_have_room_for_the_longest_value(tmp_path: Path, longest: str, characters: int) -> None:
    """Four times as long, in characters, of whichever file; UTF-8 where one is none of latin1's."""
    texts = pa.table({"t": pa.array(["", None, longest], pa.string())})
    kind = inferred(tmp_path, pa.table({"t": ["a"]}), texts).columns[0].type
    assert kind.startswith(f"varchar({characters})")
    assert ("utf8" in kind) is ("天" in longest)


def test_what_no_column_takes_is_named_with_its_type(tmp_path: Path) -> None:
    """Lists are left out; so is the second of two names that differ in case only."""
    found = inferred(tmp_path, pa.table({"l": [[1]], "Ra": [1.0], "ra": [2.0]}))
    assert [one.name for one in found.columns] == ["Ra"]
    assert list(found.unsupported) == ["l"]
    assert found.unsupported["l"].startswith("list<")
    assert found.twins == ("ra",)


def test_a_file_that_breaks_while_it_is_read_is_named(tmp_path: Path) -> None:
    """Its footer is good, its values are not."""
    path = tmp_path / "torn.parquet"
    pq.write_table(pa.table({"t": ["a" * 50] * 1000}), path, compression="none", use_dictionary=False)
    schema = pq.read_schema(path)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"torn\.parquet"):
        infer_columns("table 'T'", [path], {path: schema})
