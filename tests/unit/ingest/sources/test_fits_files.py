"""FITS tables as input of a mapping: equal to the same rows in Parquet, refused in one line where they are broken."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.fits_tables import PRIMARY, FitsColumn, column, fits_file, image_hdu, table_hdu
from tests.support.partitioned import digests_of, partition_all

from skyshard.basics.errors import UserError
from skyshard.ingest.source import Source
from skyshard.ingest.sources import fits_files
from skyshard.ingest.sources.first_mapping import first_mapping
from skyshard.ingest.sources.fits_files import fits_slices
from skyshard.ingest.sources.open_source import open_source

N = 500


def write_mapping(folder: Path, name: str = "m.yaml", **tables: dict[str, Any]) -> Path:
    content = {
        "version": 1, "database": "made", "schema": "infer", "tables": tables,
        "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667},
    }  # fmt: skip
    (folder / name).write_text(yaml.safe_dump(content))
    return folder / name


def rows(seed: int = 7) -> tuple[list[FitsColumn], pa.Table]:
    """The same rows twice: of every type, with NULL, NaN and the ends of each."""
    random = np.random.default_rng(seed)
    ids = random.permutation(N).astype(np.int64)
    ids[:2] = (1 << 63) - 1, (1 << 53) + 1
    unsigned = random.integers(0, 1 << 64, N, np.uint64, endpoint=False)
    unsigned[:2] = 0, (1 << 64) - 1
    flux = random.normal(size=(N, 3)).astype(np.float32)
    flux[3, 1] = np.nan
    small = random.integers(-5, 5, N, np.int16)
    bands = np.array([b"", b"g", b"HSC-I "])[random.integers(0, 3, N)]
    is_good = random.integers(0, 3, N)
    ra, dec = random.random(N) * 360, random.random(N) * 180 - 90
    columns = [
        column("id", "K", ids), column("ra", "D", ra), column("dec", "D", dec), column("flux", "3E", flux),
        column("small", "I", small, TNULL=-5), column("band", "6A", bands),
        column("u", "K", (unsigned ^ np.uint64(1 << 63)).view(np.int64), TZERO=1 << 63),
        column("good", "L", np.array([b"F", b"T", b"\0"])[is_good]), column("byte", "B", small & 255),
    ]  # fmt: skip
    texts = pa.array([band.decode().rstrip() for band in bands.tolist()])
    values = {
        "id": ids, "ra": ra, "dec": dec, **{f"flux_{place}": flux[:, place] for place in range(3)},
        "small": pa.array(small, mask=small == -5), "band": texts, "u": unsigned,
        "good": pa.array(is_good == 1, mask=is_good == 2), "byte": (small & 255).astype(np.uint8),
    }  # fmt: skip
    return columns, pa.table(values)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_fits_and_parquet_of_the_same_rows_are_equal_tables(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Chunk by chunk the same digests, with the columns that are inferred from the FITS file."""
    columns, table = rows()
    name = "a.fits" if pack is bytes else "a.fits.gz"
    (tmp_path / name).write_bytes(pack(fits_file(table_hdu(columns, datasum=True))))
    pq.write_table(table, tmp_path / "a.parquet")
    given = open_source(write_mapping(tmp_path, Object={"files": [name]}))
    declared = [{"name": c.name, "type": c.type.text, "nullable": c.is_nullable} for c in given.tables["Object"].table]
    roles = {"role": "director", "key": "id", "position": ["ra", "dec"]}
    other = open_source(
        write_mapping(tmp_path, "p.yaml", Object={"files": ["a.parquet"], "declare": declared, **roles})
    )
    mine = digests_of(partition_all(given, tmp_path / "s1")["Object"])
    assert mine == digests_of(partition_all(other, tmp_path / "s2")["Object"])
    assert len(mine) > 100
    inferred = open_source(write_mapping(tmp_path, "i.yaml", Object={"files": ["a.parquet"]})).tables["Object"].table
    types = {column.name: column.type.text for column in given.tables["Object"].table}
    assert {column.name: column.type.text for column in inferred if column.name != "band"} == {
        name: text for name, text in types.items() if name != "band"
    }


def test_rows_of_a_large_table_are_slices(tmp_path: Path) -> None:
    """Slices cover rows and bytes once, give the rows of the whole, and each has a digest of its own."""
    columns, _ = rows()
    path = tmp_path / "a.fits"
    path.write_bytes(fits_file(table_hdu(columns, datasum=True)))
    slices, schema = fits_slices(path, split_bytes=5000)
    assert len(slices) == 6
    assert sum(piece.bytes for piece in slices) == path.stat().st_size
    assert sum(piece.rows or 0 for piece in slices) == N
    assert len({piece.fingerprint() for piece in slices}) == len(slices)
    entry = open_source(write_mapping(tmp_path, Object={"files": ["a.fits"]})).tables["Object"]
    batches = [[*entry.reader.batches(piece, entry.table, entry.layout)] for piece in (*slices, entry.slices[0])]
    assert [one.first_row for several in batches[:-1] for one in several] == [
        1 + s.row_range[0] for s in slices if s.row_range
    ]
    parts = [one.batch for several in batches[:-1] for one in several]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([one.batch for one in batches[-1]]))
    assert schema.names == entry.table.column_names


def refused(source: Callable[[], Source], staging: Path) -> str:
    with pytest.raises(UserError) as caught:
        partition_all(source(), staging)
    assert "\n" not in str(caught.value)
    return str(caught.value)


PLAIN = [column("id", "K", [1, 2]), column("ra", "D", [1.0, 2.0]), column("dec", "D", [3.0, 4.0])]
PACKED = gzip.compress(fits_file(table_hdu(PLAIN), image_hdu()))
BROKEN: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "no FITS": (b"id,ra\n1,2\n" * 500, {}, "a.fits' is no FITS file; fix the pattern"),
    "empty": (b"", {}, "is no FITS file"),
    "images": (fits_file(image_hdu()), {}, "has no table, only images: HDU 0 is an image, 1 is an image"),
    "tiles": (fits_file(table_hdu(PLAIN, ZIMAGE=True)), {}, "has no table, only images"),
    "fpack": (fits_file(table_hdu(PLAIN, ZTABLE=True)), {}, "HDU 1 is a table packed by fpack; unpack it with funpack"),
    "cut off": (fits_file(table_hdu(PLAIN))[:5780], {}, "is cut off: HDU 1 goes on to byte 5808, the file has 5780"),
    "cut header": (PRIMARY + b"XTENSION= 'BINTABLE'".ljust(80), {}, "is cut off in a header"),
    "packed, cut": (gzip.compress(fits_file(table_hdu(PLAIN)))[:-20], {}, "is a broken packed file"),
    "other HDU": (fits_file(table_hdu(PLAIN)), {"hdu": "COADD"}, "has no HDU 'COADD': HDU 0 is an image, 1 is a table"),
    "image HDU": (fits_file(image_hdu(EXTNAME="I")), {"hdu": 1}, "HDU 1 'I' is an image, no table"),
    "sum": (fits_file(table_hdu(PLAIN, DATASUM="5")), {}, "HDU 1: the sum of its data is"),
    "form": (fits_file(table_hdu([*PLAIN, FitsColumn("x", "7S", np.zeros((2, 7), np.uint8))])), {},
             "HDU 1: column 'x': TFORM '7S' is none of the standard's"),
    "twins": (fits_file(table_hdu([*PLAIN, column("t", "2A", [b"a", b"b"]), column("t", "3A", [b"c", b"d"])])), {},
              "a.fits' has column 't' and another 't'; name each column once"),
    "one axis": (fits_file(table_hdu(PLAIN, NAXIS=1)), {}, "HDU 1: NAXIS is 1, that of a binary table is 2"),
    "endless": (fits_file(table_hdu(PLAIN, NAXIS2=1 << 61)), {}, "its data are more bytes than a file holds"),
    "exponent": (fits_file(table_hdu(PLAIN, PCOUNT=Decimal("1E9999999"))), {}, "HDU 1: its header has no whole number"),
    "packed, bits": (PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:], {}, "is a broken packed file: CRC check"),
    "widths": (fits_file(table_hdu(PLAIN, NAXIS1=25)), {}, "HDU 1: its columns take 24 bytes, its rows have 25"),
    "logical": (fits_file(table_hdu([*PLAIN, column("ok", "L", [b"T", b"1"])], EXTNAME="C")), {},
                "a.fits[C]', row 2, column 'ok': byte 49 is no logical"),
    "text": (fits_file(table_hdu([*PLAIN, column("t", "2A", [b"a", b"\xe9"])])), {},
             "a.fits[1]', row 2, column 't': '\\xe9' is not ASCII"),
    "radians": (fits_file(table_hdu([PLAIN[0], column("ra", "D", [1, 2], TUNIT="rad"), PLAIN[2]])), {},
                "column 'ra' is in radians, and positions are in degrees; give it a factor"),
}  # fmt: skip


def test_radians_are_found_in_each_file(tmp_path: Path) -> None:
    """A file like the first one but for the unit of its positions is refused, also where sentinels are taken out."""
    for name, cards in (("a.fits", {}), ("b.fits", {"TUNIT": "rad"})):
        content = fits_file(table_hdu([PLAIN[0], column("ra", "D", [1, 2], **cards), PLAIN[2]]))
        (tmp_path / name).write_bytes(content)
    for columns in ({}, {"ra": {"null_at": [-999]}}):
        mapping = write_mapping(tmp_path, Object={"files": ["*.fits"], "columns": columns})
        with pytest.raises(UserError, match=r"b.fits': column 'ra' is in radians"):
            open_source(mapping)


@pytest.mark.parametrize("others", [["a.fits", "b.parquet"], ["a.parquet", "b.fits"]], ids=str)
def test_files_of_two_formats_are_no_table(others: list[str], tmp_path: Path) -> None:
    """They are refused when the mapping is opened, before anything is read or made."""
    for name in others:
        (tmp_path / name).write_bytes(fits_file(table_hdu(PLAIN)))
        if name.endswith(".parquet"):
            pq.write_table(pa.table({"id": [1], "ra": [1.0], "dec": [2.0]}), tmp_path / name)
    with pytest.raises(UserError, match=r"one is a FITS file, the other is none; give the files of a table in one"):
        open_source(write_mapping(tmp_path, Object={"files": others}))


def test_rows_with_long_texts_come_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded whatever the width that the file declares of its texts."""
    monkeypatch.setattr(fits_files, "BATCH_BYTES", 1 << 16)
    columns = [column("id", "K", range(100)), column("t", "5000A", [b"a"] * 100)]
    (tmp_path / "a.fits").write_bytes(fits_file(table_hdu(columns)))
    table = open_source(write_mapping(tmp_path, Object={"files": ["a.fits"], "role": "regular"})).tables["Object"]
    sizes = [one.batch.num_rows for one in table.reader.batches(table.slices[0], table.table, table.layout)]
    assert (sum(sizes), max(sizes)) == (100, (1 << 16) // 5008)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    """File, HDU, column and row, as far as the fault has them, and what to do."""
    content, fits, message = BROKEN[fault]
    (tmp_path / "a.fits").write_bytes(content)
    mapping = write_mapping(tmp_path, Object={"files": ["a.fits"], "fits": fits})
    assert message in refused(lambda: open_source(mapping), tmp_path / "staging")


def test_stale_sums_may_be_passed_over(tmp_path: Path) -> None:
    """``checksums: false`` takes the data as they are."""
    (tmp_path / "a.fits").write_bytes(fits_file(table_hdu(PLAIN, DATASUM="5")))
    source = open_source(write_mapping(tmp_path, Object={"files": ["a.fits"], "fits": {"checksums": False}}))
    assert partition_all(source, tmp_path / "staging")


def test_tables_of_one_file_are_inputs_of_their_own(tmp_path: Path) -> None:
    """Two tables of a catalog may be in one file; another HDU of it is other content, and what is not read is said."""
    second = table_hdu([column("visit", "J", [5])], EXTNAME="VISIT")
    (tmp_path / "a.fits").write_bytes(fits_file(table_hdu(PLAIN), second))
    source = open_source(
        write_mapping(tmp_path, Object={"files": ["a.fits"]}, Visit={"files": ["a.fits"], "fits": {"hdu": "visit"}})
    )
    assert source.tables["Visit"].table.column_names == ["visit"]
    digests = [source.tables[name].slices[0].fingerprint() for name in ("Object", "Visit")]
    assert digests[0] != digests[1]
    assert any("2 'VISIT'" in text for text in source.tables["Object"].conversions)


def test_lists_are_left_out_and_names_that_differ_in_case_are_one(tmp_path: Path) -> None:
    """What no column takes is left out and said, as it is of Parquet."""
    columns = [*PLAIN, column("Flux", "E", [1, 2]), column("flux", "E", [3, 4]),
               column("spec", "200E", np.ones((2, 200))), column("list", "PE(3)", [[0, 0], [0, 0]])]  # fmt: skip
    (tmp_path / "a.fits").write_bytes(fits_file(table_hdu(columns)))
    table = open_source(write_mapping(tmp_path, Object={"files": ["a.fits"]})).tables["Object"]
    assert table.table.column_names == ["id", "ra", "dec", "Flux"]
    assert any("spec list<item: float>, list list<item: float>" in note for note in table.notes)
    assert any("another differs in case only: flux" in note for note in table.notes)


def test_a_folder_of_fits_files_gets_a_mapping(tmp_path: Path) -> None:
    """Tables by folders and stems, packed or not; images, and files beside Parquet of their table, are left."""
    columns = fits_file(table_hdu(PLAIN))
    for name in ("sweep-1.fits.gz", "sweep-2.fits.gz", "star/a.fits", "star/b.fit", "mixed-1.fits", "image.fits"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = fits_file(image_hdu()) if name == "image.fits" else columns
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    pq.write_table(pa.table({"id": [1], "ra": [1.0], "dec": [2.0]}), tmp_path / "mixed-2.parquet")
    made = first_mapping(tmp_path)
    (tmp_path / "m.yaml").write_text(made.text)
    tables = open_source(tmp_path / "m.yaml").tables
    files = {name: sorted(Path(piece.path).name for piece in table.slices) for name, table in tables.items()}
    assert files == {
        "mixed": ["mixed-2.parquet"], "star": ["a.fits", "b.fit"], "sweep": ["sweep-1.fits.gz", "sweep-2.fits.gz"],
    }  # fmt: skip
    assert {name: table.layout.role for name, table in tables.items()} == dict.fromkeys(files, "director")
    assert made.left == {
        "image.fits": "HDU 0 is an image, 1 is an image; give files with a binary table",
        "mixed-1.fits": "it lies beside Parquet files of its table",
    }


def test_a_first_mapping_turns_radians_into_degrees(tmp_path: Path) -> None:
    """Tables of the pipelines have positions in radians; their first mapping gives the factor."""
    radians = np.radians([10.0, 350.0])
    columns = [column("id", "K", [1, 2]), column("coord_ra", "D", radians, TUNIT="rad"),
               column("coord_dec", "D", radians / 8, TUNIT="rad"), column("e", "D", radians, TUNIT="rad")]  # fmt: skip
    (tmp_path / "src.fits").write_bytes(fits_file(table_hdu(columns)))
    (tmp_path / "m.yaml").write_text(first_mapping(tmp_path).text)
    table = open_source(tmp_path / "m.yaml").tables["src"]
    assert (table.layout.role, table.layout.position) == ("director", ("coord_ra", "coord_dec"))
    (read,) = table.reader.batches(table.slices[0], table.table, table.layout)
    np.testing.assert_allclose(read.batch.column("coord_ra"), [10, 350], rtol=1e-15)
    np.testing.assert_array_equal(read.batch.column("e"), radians)
