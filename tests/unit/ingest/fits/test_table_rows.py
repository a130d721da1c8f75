"""Rows of FITS tables: every type of the standard, at its ends; astropy and the stored bytes are the oracles."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn
from tests.support.fits_tables import FitsColumn, column, fits_file, header, image_hdu, table_hdu

from skyshard.basics.errors import UserError
from skyshard.ingest.fits.table_rows import FitsTable, row_batches
from skyshard.ingest.values.text_values import RowError


def read(path: Path, most: int = 1000, **wanted: Any) -> pa.Table:
    table = FitsTable.of(path, wanted.get("hdu"))
    fields = [field for field in table.fields if not field.is_list]
    batches = [batch for _, batch in row_batches(table, fields, most, wanted.get("rows"), is_checked=True)]
    return pa.Table.from_batches(batches) if batches else pa.table({field.name: [] for field in fields})


def read_columns(folder: Path, *columns: FitsColumn, heap: bytes = b"", **cards: Any) -> dict[str, list[Any]]:
    path = folder / "a.fits"
    path.write_bytes(fits_file(table_hdu(columns, heap, **cards)))
    found: dict[str, list[Any]] = read(path).to_pydict()
    return found


ENDS: dict[str, tuple[Any, ...]] = {
    "B": (0, 255), "I": (-(1 << 15), (1 << 15) - 1), "J": (-(1 << 31), (1 << 31) - 1),
    "K": (-(1 << 63), (1 << 63) - 1, (1 << 53) + 1),
    "E": (1.5, float("nan"), float("inf"), 2.0**-149), "D": (0.1, float("nan"), float("-inf"), 5e-324, -0.0),
}  # fmt: skip


@pytest.mark.parametrize("form", ENDS)
def test_numbers_are_as_they_are_stored(form: str, tmp_path: Path) -> None:
    """Integers and floats keep each value, up to the ends of their type, NaN and infinities among them."""
    found = read_columns(tmp_path, column("x", form, ENDS[form]))["x"]
    assert str(found) == str(np.array(ENDS[form], {"E": "f4", "D": "f8"}.get(form, "i8")).tolist())


@pytest.mark.parametrize(
    ("form", "zero", "kind"),
    [
        ("B", -128, pa.int8()), ("I", 1 << 15, pa.uint16()), ("J", 1 << 31, pa.uint32()),
        ("K", 1 << 63, pa.uint64()), ("K", "9.223372036854775808E18", pa.uint64()),
    ],
)  # fmt: skip
def test_unsigned_integers_are_exact(form: str, zero: Any, kind: pa.DataType, tmp_path: Path) -> None:
    """TZERO of half the range makes unsigned integers (and signed bytes), TNULL is looked for before it."""
    ends = {"B": (0, 255, 7), "I": (*ENDS["I"], 7), "J": (*ENDS["J"], 7), "K": (*ENDS["K"], 7)}[form]
    path = tmp_path / "a.fits"
    raw = type("Raw", (), {"__str__": lambda self: str(zero)})()
    path.write_bytes(fits_file(table_hdu([column("x", form, ends, TZERO=raw, TNULL=7)])))
    found = read(path)
    whole = int(float(zero)) if isinstance(zero, str) else zero
    assert found.schema.field("x").type == kind
    assert found.to_pydict()["x"] == [*(value + whole for value in ends[:-1]), None]


def test_scaled_numbers_are_doubles_unless_they_remain_whole(tmp_path: Path) -> None:
    """TSCAL x stored + TZERO in doubles, as astropy computes it; a whole TZERO alone keeps whole numbers whole."""
    stored = [-3, 0, 32767]
    found = read_columns(
        tmp_path, column("a", "I", stored, TSCAL=0.01, TZERO=5.5), column("b", "I", stored, TZERO=1000),
        column("c", "E", [1.5, float("nan"), 3.25], TSCAL=2), column("d", "J", stored, TSCAL=2, TNULL=0),
    )  # fmt: skip
    with fits.open(tmp_path / "a.fits") as file:
        assert found["a"] == file[1].data["a"].tolist()
    assert found["b"] == [997, 1000, 33767]
    assert str(found["c"]) == "[3.0, nan, 6.5]"
    assert found["d"] == [-6.0, None, 65534.0]


def test_a_whole_number_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    """No rounding where a TZERO leads out of 64 bits."""
    with pytest.raises(RowError, match="9223372036854775808 is beyond 64 bits") as caught:
        read_columns(tmp_path, column("x", "K", [1, (1 << 63) - 1], TZERO=1))
    assert (caught.value.row, caught.value.column) == (1, "x")


def test_logicals_and_bits(tmp_path: Path) -> None:
    """T, F, and 0 for undefined; bits from the most significant on."""
    found = read_columns(
        tmp_path, column("l", "L", [b"T", b"F", b"\0"]), column("x", "11X", [[129, 64], [0, 32], [0, 0]])
    )
    assert found["l"] == [True, False, None]
    assert [[found[f"x_{bit}"][row] for bit in (0, 1, 7, 9, 10)] for row in (0, 1)] == [
        [True, False, True, True, False], [False, False, False, False, True],
    ]  # fmt: skip


def test_a_wrong_logical_is_refused_by_row_and_column(tmp_path: Path) -> None:
    """A byte that is neither of the three is no value."""
    with pytest.raises(RowError, match="byte 89 is no logical") as caught:
        read_columns(tmp_path, column("flag", "L", [b"T", b"Y"]))
    assert (caught.value.row, caught.value.column) == (1, "flag")


TEXTS = [b"ab", b"a b  ", b"  ab", b"", b"     ", b"ab\0cd", b"\0abcd", b"abcde"]
TRIMMED = ["ab", "a b", "  ab", "", "", "ab", "", "abcde"]


def test_texts_end_at_a_nul_and_lose_blanks_at_their_end(tmp_path: Path) -> None:
    """What follows the first NUL is undefined, blanks at the end say nothing, those in front do; none is NULL."""
    assert read_columns(tmp_path, column("t", "5A", TEXTS))["t"] == TRIMMED


def test_texts_of_variable_length(tmp_path: Path) -> None:
    """PA and QA columns are texts, wherever in the heap they lie, by the same rules."""
    heap = b"".join(TEXTS)
    starts = np.cumsum([0, *(len(text) for text in TEXTS)])[:-1]
    places = [[len(text), start] for text, start in zip(TEXTS, starts, strict=True)][::-1]
    columns = column("p", "1PA(5)", places), column("q", "QA", places), column("n", "B", range(len(places)))
    assert read_columns(tmp_path, *columns, heap=heap) == {
        "p": TRIMMED[::-1], "q": TRIMMED[::-1], "n": [*range(len(places))],
    }  # fmt: skip
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    assert read(packed).equals(read(tmp_path / "a.fits"))


def test_what_follows_a_nul_has_no_meaning(tmp_path: Path) -> None:
    """Of texts of a width and of variable length alike, whatever the bytes are; texts may share bytes of the heap."""
    stored = [b"ab\0\xe9z", b"\0\xff", b"ok", b"o k "]
    columns = column("t", "5A", stored), column("p", "PA", [[5, 0], [2, 5], [0, -9], [1, 1]])
    found = read_columns(
        tmp_path, *columns, column("q", "QA", [[0, 99], [2, 5], [4, 9], [2, 7]]), heap=b"".join(stored)
    )
    assert found == {"t": ["ab", "", "ok", "o k"], "p": ["ab", "", "", "b"], "q": ["", "", "o k", "ok"]}


@pytest.mark.parametrize("place", [[3, 3], [3, 5], [-1, 0], [1, -1], [(1 << 31) - 1, (1 << 31) - 1]], ids=str)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_text_beyond_the_heap_is_refused(pack: Callable[[bytes], bytes], place: list[int], tmp_path: Path) -> None:
    """What follows a table's data, such as the next unit of the file, is none of its texts."""
    table = table_hdu([column("p", "PA", [[2, 0], place])], b"abcde")
    path = tmp_path / "a.fits"
    path.write_bytes(pack(fits_file(table, image_hdu())))
    with pytest.raises(UserError, match="HDU 1, column 'p': texts beyond its end"):
        read(path)


def test_the_heap_begins_where_the_header_says(tmp_path: Path) -> None:
    """There may be a gap between the rows and the heap; a heap within the rows is none."""
    texts = column("p", "PA", [[2, 0], [3, 2]])
    assert read_columns(tmp_path, texts, heap=b"gapabcde", THEAP=19) == {"p": ["ab", "cde"]}
    for place in (15, 25):
        with pytest.raises(UserError, match=f"THEAP {place} is not within its data"):
            read_columns(tmp_path, texts, heap=b"gapabcde", THEAP=place)


def test_elements_behind_those_of_tdim_have_no_meaning(tmp_path: Path) -> None:
    """TDIM of fewer elements than TFORM takes the first ones; of more it does not count."""
    found = read_columns(
        tmp_path, column("p", "5I", [[0, 1, 10, 11, 99]], TDIM="(2,2)"), column("s", "8A", [b"ab cdexx"], TDIM="(3,2)"),
        column("m", "2I", [[7, 8]], TDIM="(2,2)"), column("n", "B", [3]),
    )  # fmt: skip
    assert found == {
        "p_0_0": [0], "p_0_1": [1], "p_1_0": [10], "p_1_1": [11], "s_0": ["ab"], "s_1": ["cde"], "m_0": [7], "m_1": [8],
        "n": [3],
    }  # fmt: skip


def test_a_text_that_is_not_ascii_is_refused_by_row_and_column(tmp_path: Path) -> None:
    """Bytes above 127 have no meaning in FITS."""
    with pytest.raises(RowError, match=r"'caf\\xe9' is not ASCII") as caught:
        read_columns(tmp_path, column("name", "5A", [b"ok", b"caf\xe9"]))
    assert (caught.value.row, caught.value.column) == (1, "name")


def test_complex_numbers_and_vectors_are_several_columns(tmp_path: Path) -> None:
    """A column of several numbers is a column each, the last index changing fastest."""
    found = read_columns(
        tmp_path, column("z", "C", [1 + 2j]), column("m", "2E", [[1.5, 2.5]]),
        column("p", "6I", [[0, 1, 10, 11, 20, 21]], TDIM="(2,3)"), column("s", "6A", [b"ab cde"], TDIM="(3,2)"),
        column("w", "1D", [2.5]), column("none", "0J", [[]]),
    )  # fmt: skip
    assert found == {
        "z_re": [1.0], "z_im": [2.0], "m_0": [1.5], "m_1": [2.5], "p_0_0": [0], "p_0_1": [1], "p_1_0": [10],
        "p_1_1": [11], "p_2_0": [20], "p_2_1": [21], "s_0": ["ab"], "s_1": ["cde"], "w": [2.5],
    }  # fmt: skip


def test_flags_of_the_pipelines_have_their_names(tmp_path: Path) -> None:
    """An array of bits with TFLAG cards is a column for each flag; long names go on in CONTINUE cards."""
    long = "base_PixelFlags_flag_" + "x" * 60
    cards: dict[str, Any] = {"TFLAG1": "detect_isPrimary", "TFLAG10": long, "TFDOC1": "true if primary", "FLAGCOL": 1}
    found = read_columns(tmp_path, column("flags", "10X", [[128, 0], [0, 64]]), column("n", "B", [1, 2]), **cards)
    assert found == {"detect_isPrimary": [True, False], long: [False, True], "n": [1, 2]}
    fields = FitsTable.of(tmp_path / "a.fits").schema
    assert fields.field("detect_isPrimary").metadata == {b"description": b"true if primary"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_any_range_of_rows_and_any_table_is_found(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Images and other tables are passed over; batches and ranges of rows are those of the whole."""
    one, two = column("a", "K", range(700)), column("b", "J", range(50))
    path = tmp_path / "a.fits"
    path.write_bytes(pack(fits_file(image_hdu(), table_hdu([one], datasum=True), table_hdu([two], EXTNAME="Two"))))
    assert read(path, 64).to_pydict() == {"a": [*range(700)]}
    assert read(path, 100, rows=(130, 420)).to_pydict() == {"a": [*range(130, 420)]}
    assert read(path, hdu="TWO").equals(read(path, hdu=3))
    assert read(path, hdu="TWO").to_pydict() == {"b": [*range(50)]}


PRIMARY_DATA: dict[str, tuple[dict[str, object], int]] = {
    "image": ({"BITPIX": -32, "NAXIS": 2, "NAXIS1": 1000, "NAXIS2": 3}, 5),
    "full block": ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": 2880}, 1),
    "groups": ({"BITPIX": 16, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 50, "GROUPS": True, "PCOUNT": 4, "GCOUNT": 30}, 2),
}


@pytest.mark.parametrize("kind", PRIMARY_DATA)
def test_data_of_the_primary_unit_are_passed_over(kind: str, tmp_path: Path) -> None:
    """By the length that its header says, and the last block of a file need not be filled up."""
    cards, blocks = PRIMARY_DATA[kind]
    path = tmp_path / "a.fits"
    data = (b"XTENSION" * 400 * blocks)[: 2880 * blocks]
    content = header({"SIMPLE": True, **cards}) + data + table_hdu([column("n", "J", [1, 2])], datasum=True)
    for cut in (0, 2872):
        path.write_bytes(content[: len(content) - cut])
        assert read(path).to_pydict() == {"n": [1, 2]}


@settings(max_examples=drawn(30), deadline=None)
@given(st.data())
def test_drawn_tables_are_read_as_astropy_reads_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any columns of numbers, in any order, rows and batches."""
    forms = data.draw(
        st.lists(st.sampled_from(["B", "I", "J", "K", "E", "D", "3I", "2D", "4A"]), min_size=1, max_size=12)
    )
    rows, seed = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 1000))
    random = np.random.default_rng(seed)
    columns = []
    for number, form in enumerate(forms):
        width = {"B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "A": 1}[form[-1]] * int(form[:-1] or 1)
        stored = random.integers(32 if "A" in form else 0, 127 if "A" in form else 256, (rows, width), np.uint8)
        columns.append(FitsColumn(f"c{number}", form, stored))
    path = tmp_path_factory.mktemp("drawn") / "a.fits"
    path.write_bytes(fits_file(table_hdu(columns, datasum=True)))
    found = read(path, data.draw(st.integers(1, 50)))
    with fits.open(io.BytesIO(path.read_bytes())) as file:
        for name, form in zip(file[1].columns.names, forms, strict=True):
            theirs = file[1].data[name]
            mine = [found.column(one) for one in found.column_names if one == name or one.startswith(f"{name}_")]
            assert len(mine) == (theirs.shape[1] if theirs.ndim == 2 else 1)
            for place, values in enumerate(mine):
                wanted = theirs[:, place] if theirs.ndim == 2 else theirs
                if form == "4A":
                    assert values.to_pylist() == [str(text).rstrip(" ") for text in wanted]
                else:
                    np.testing.assert_array_equal(np.array(values.to_pylist(), wanted.dtype.newbyteorder("=")), wanted)


def test_data_that_are_not_what_the_sums_say_are_refused(tmp_path: Path) -> None:
    """CHECKSUM and DATASUM as astropy writes them hold, and one changed bit is found in each part of the data."""
    path = tmp_path / "a.fits"
    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "J", array=np.arange(999)), fits.Column("b", "3B", array=np.ones((999, 3)))]
    )
    table.writeto(path, checksum=True)
    assert read(path, 10).num_rows == 999
    content = path.read_bytes()
    start = content.index(b"END ".ljust(80), 2880) // 2880 * 2880 + 2880
    for at in (start, start + 3000, start + 999 * 7 + 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(UserError, match="DATASUM says"):
            read(path)
    path.write_bytes(content.replace(b"TTYPE1  = 'x ", b"TTYPE1  = 'y "))
    with pytest.raises(UserError, match="not what CHECKSUM says"):
        read(path)
