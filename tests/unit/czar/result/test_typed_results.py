"""Columns of results: what holds them on the way, and what they are in an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError, Refusal
from skyshard.czar.result.row_images import BLOCK_BYTES, CarriedRows, FileRows
from skyshard.czar.result.typed_results import (
    TypedColumn,
    create_scratch,
    from_images,
    from_rows,
    loosened,
    record_layout,
    select_exactly,
)
from skyshard.rowimage.pack import pack
from skyshard.rowimage.sqltype import parse_type


def column(kind: str, name: str = "c0", **flags: Any) -> TypedColumn:
    return TypedColumn(name, parse_type(kind), **flags)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("varchar(7)", "longtext"),
        ("char(3) character set utf8mb4", "longtext character set utf8mb4"),
        ("varbinary(9)", "longblob"),
        ("decimal(10,3)", "decimal(65,3)"),
        ("int(11)", "bigint"),
        ("tinyint(3) unsigned", "bigint unsigned"),
        ("double", "double"),
        ("date", "date"),
    ],
)
def test_a_loose_column_is_stored_with_room(kind: str, stored: str) -> None:
    """Values may be longer than declared: texts, bytes, DECIMALs, whole numbers get the widest type of their kind."""
    assert column(kind).loosened().stored == stored
    assert column(kind).stored == parse_type(kind).text


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        ("bigint(20)", pa.int64()),
        ("bigint(20) unsigned", pa.uint64()),
        ("double", pa.float64()),
        ("float", pa.float32()),
        ("decimal(10,3)", pa.decimal128(10, 3)),
        ("decimal(50,3)", pa.decimal256(50, 3)),
        ("varchar(7)", pa.string()),
        ("longtext", pa.large_string()),
        ("varbinary(7)", pa.binary()),
        ("longblob", pa.large_binary()),
        ("bit(12)", pa.binary()),
        ("datetime(6)", pa.string()),
        ("year(4)", pa.string()),
        ("enum('a','b')", pa.string()),
    ],
)
def test_the_type_of_an_answer(kind: str, arrow: pa.DataType) -> None:
    """Numbers as numbers, texts, dates and times as texts, bytes and bits as bytes."""
    assert column(kind).arrow == arrow


def test_a_vague_decimal_has_spare_digits_in_an_answer() -> None:
    """Where nobody knows how many digits come: 38 where eight more fit in, 76 else; a known one keeps what it says."""
    assert column("decimal(20,3)").loosened(is_vague=True).arrow == pa.decimal128(38, 3)
    assert column("decimal(36,3)").loosened(is_vague=True).arrow == pa.decimal256(76, 3)
    assert column("decimal(20,3)").loosened().arrow == pa.decimal128(20, 3)
    assert column("decimal(65,3)").loosened().arrow == pa.decimal256(76, 3)


def test_only_what_is_named_is_loosened() -> None:
    """By its place; a DOUBLE or a DATE never is."""
    made = loosened([column("int(11)"), column("int(11)", "c1"), column("date", "c2")], frozenset({1, 2}), frozenset())
    assert [one.is_loose for one in made] == [False, True, False]


def test_a_scratch_table_holds_all_columns() -> None:
    """Short rows of a temporary table are in memory, keyed and long ones on disk; blobs make rows dynamic."""
    short = [column("bigint(20)"), column("double", "c1")]
    assert create_scratch("s.t", short, is_temporary=True) == (
        "CREATE TEMPORARY TABLE s.t (`c0` bigint(20) NULL DEFAULT NULL, `c1` double NULL DEFAULT NULL) "
        "ENGINE=MEMORY DEFAULT CHARSET=latin1"
    )
    keyed = create_scratch("s.t", short, is_temporary=True, keys=["c1"])
    assert "KEY (`c1`)) ENGINE=MyISAM ROW_FORMAT=FIXED" in keyed
    assert "ENGINE=MyISAM ROW_FORMAT=FIXED" in create_scratch("s.t", short, is_temporary=False)
    assert "ROW_FORMAT=DYNAMIC" in create_scratch("s.t", [column("longtext")], is_temporary=True)
    assert "ENGINE=MyISAM ROW_FORMAT=FIXED" in create_scratch("s.t", [column("char(255)"), column("char(9)", "c1")],
                                                              is_temporary=True)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "is_there"),
    [
        (column("bigint(20)"), True),
        (column("varchar(20)"), True),
        (column("decimal(38,3)").loosened(), True),
        (column("decimal(39,3)").loosened(), False),
        (column("varchar(20)").loosened(), False),
        (column("longblob"), False),
        (column("char(0)"), False),
        (replace(column("decimal(10,3)"), is_spelled=True), False),
    ],
)
def test_rows_travel_as_records_where_their_length_is_known(one: TypedColumn, is_there: bool) -> None:
    """Not with blobs, texts of any length, or more digits than a record can be sure of."""
    assert (record_layout([column("int(11)"), replace(one, name="c1")]) is not None) is is_there


def test_values_are_selected_so_that_text_carries_them() -> None:
    """FLOAT as DOUBLE, since its text is short of digits; times as their texts."""
    asked = [column("float"), column("datetime(6)", "c1"), column("bigint(20)", "c2")]
    assert select_exactly(asked, "q") == "SELECT CAST(`c0` AS DOUBLE), CAST(`c1` AS CHAR), `c2` FROM q"


def test_rows_of_the_driver_become_columns() -> None:
    """Latin-1 bytes, years of four digits, bits as bytes, DECIMALs with all their digits; None is NULL everywhere."""
    kinds = ["varchar(9)", "year(4)", "bit(12)", "decimal(6,3)", "varbinary(4)", "double"]
    columns = [column(kind, f"c{place}") for place, kind in enumerate(kinds)]
    rows = [(b"caf\xe9", 99, 0x0FFE, Decimal("1.5"), "a\xe9", 0.5), (None,) * 6]
    assert [tuple(row.values()) for row in from_rows(rows, columns).to_pylist()] == [
        ("caf\xe9", "0099", b"\x0f\xfe", Decimal("1.500"), b"a\xe9", 0.5), (None,) * 6,
    ]  # fmt: skip
    assert from_rows([], columns).schema.types == [one.arrow for one in columns]


def test_more_digits_than_can_be_carried_are_refused() -> None:
    """The column is named by its place, and the remedy is a DOUBLE or a text."""
    one = column("decimal(10,2)", "c4").loosened()
    assert from_rows([(Decimal("99999999.99"),)], [one])["c4"].to_pylist() == [Decimal("99999999.99")]
    with pytest.raises(Refusal, match=r"column 5 of the answer \(decimal\(10,2\)\)") as caught:
        from_rows([(Decimal("100000000.00"),)], [one])
    assert caught.value.code == "too-many-digits"
    with pytest.raises(Refusal, match="a whole number has more digits"):
        from_rows([(2**63,)], [column("bigint(20)")])
    with pytest.raises(Refusal, match="a whole number has more digits"):
        from_rows([(2**31,)], [column("int(11)")])


def test_records_of_a_data_file_are_read_back(tmp_path: Path) -> None:
    """From an offset, as many rows as are asked for; a file that ends before is a server's fault and can be retried."""
    columns = [column("int(11)"), column("varchar(9)", "c1"), column("date", "c2")]
    layout = record_layout(columns)
    assert layout is not None
    values = [pa.array([1, None, 3], pa.int32()), pa.array([b"caf\xe9", b"b", None]), pa.array([b"2026-01-02"] * 3)]
    names = [one.name for one in columns]
    np.asarray(pack(pa.RecordBatch.from_arrays(values, names=names), layout)).tofile(tmp_path / "t.MYD")
    found = pa.Table.from_batches(from_images(FileRows(tmp_path / "t.MYD", layout.length, 2), columns, layout))
    assert found.to_pydict() == {"c0": [None, 3], "c1": ["b", None], "c2": [str(date(2026, 1, 2))] * 2}
    with pytest.raises(ClusterError, match=f"ends {layout.length} of {3 * layout.length} bytes too early") as caught:
        list(from_images(FileRows(tmp_path / "t.MYD", layout.length, 3), columns, layout))
    assert caught.value.retryable


@pytest.mark.parametrize("is_carried", [False, True])
def test_rows_of_images_come_in_batches_of_bounded_size(tmp_path: Path, is_carried: bool) -> None:
    """Wherever they are: as many as there are of a long piece, a reader holds few at a time."""
    columns = [column("bigint(20)")]
    layout = record_layout(columns)
    assert layout is not None
    rows = 2 * BLOCK_BYTES // layout.length + 5
    numbers = pa.RecordBatch.from_arrays([pa.array(range(rows), pa.int64())], names=["c0"])
    raw = np.asarray(pack(numbers, layout)).tobytes()
    (tmp_path / "t.MYD").write_bytes(raw)
    images = CarriedRows([raw], rows) if is_carried else FileRows(tmp_path / "t.MYD", 0, rows)
    batches = list(from_images(images, columns, layout))
    assert max(batch.num_rows for batch in batches) * layout.length <= BLOCK_BYTES
    assert pa.Table.from_batches(batches)["c0"].to_pylist() == list(range(rows))
