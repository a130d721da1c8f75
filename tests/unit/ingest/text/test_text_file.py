"""Text files as blocks of whole rows: packed or not, with byte-order marks, however they are cut; what is no text."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.ingest.text import text_file
from skyshard.ingest.text.text_fields import Dialect
from skyshard.ingest.text.text_file import TextBlock, TextFile, first_rows, open_text, row_blocks
from skyshard.ingest.values.text_values import RowError

CSV = Dialect(separator=b",", quote=b'"', escape=b"", null=b"NULL")
TSV = Dialect()


def blocks(path: Path, content: bytes, dialect: Dialect) -> list[TextBlock]:
    path.write_bytes(content)
    return list(row_blocks(str(path), dialect))


def content_of(found: list[TextBlock]) -> bytes:
    return b"".join(block.data for block in found)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gzip", "bz2", "xz"]
)
def test_a_packed_file_is_known_by_its_first_bytes(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Whatever its name says."""
    assert content_of(blocks(tmp_path / "rows.txt", pack(b"1\t2\n3\t4\n"), TSV)) == b"1\t2\n3\t4\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_byte_order_mark_is_no_part_of_the_text(mark: bytes, encoding: str, size: int) -> None:
    """The text comes as UTF-8, wherever reads cut its characters."""
    text = "µ\t天\t🌌\n"
    file = TextFile(io.BytesIO(mark + text.encode(encoding)))
    found = b"".join(iter(lambda: file.read(size), b""))
    assert (file.has_mark, found) == (True, text.encode())


def test_a_file_with_a_mark_is_utf8_whatever_was_declared(tmp_path: Path) -> None:
    """One without is what the dialect says."""
    for mark, charset in ((b"", "latin1"), (codecs.BOM_UTF8, "utf8")):
        (block,) = blocks(tmp_path / "t", mark + b"1\n", replace(TSV, charset="latin1"))
        assert block.dialect.charset == charset


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04rest", "is a zip archive, no text; unpack it"),
        (b"PAR1\x15rest", "is a Parquet file, no text; let its name end in .parquet"),
        (b"SIMPLE  = T", "is a FITS file, no text; let its name end in .fits"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, no text; write its rows as Parquet or text"),
        (b'<?xml version="1.0"?>\n<VOTABLE/>', "is an XML document, no text; write its rows as Parquet or text"),
        (gzip.compress(b"SIMPLE  = T", mtime=0), "is a FITS file, packed, no text; let its name end in .fits"),
        (bz2.compress(b"PAR1\x15rest"), "is a Parquet file, packed, no text; unpack it"),
        (gzip.compress(gzip.compress(b"1\n", mtime=0), mtime=0), "is packed twice, no text; unpack it"),
        (lzma.compress(b"1\n", lzma.FORMAT_ALONE), "is packed by lzma, no text; unpack it"),
        (gzip.compress(b"1\n" * 1000, mtime=0)[:30], "is a broken gzip file"),
        (lzma.compress(b"1\n" * 1000)[:40], "is a broken packed file"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00\x00", "is not what its byte-order mark says"),
    ],
)
def test_what_is_no_text_is_refused_by_name(tmp_path: Path, content: bytes, what: str) -> None:
    """File, what it is, and what to do."""
    path = tmp_path / "rows.csv"
    with pytest.raises(UserError, match=what) as caught:
        blocks(path, content, CSV)
    assert str(path) in caught.value.what
    assert caught.value.remedy


def test_a_file_that_is_not_there_is_a_users_error(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(UserError, match=r"cannot read '.*none': No such file"), open_text(tmp_path / "none"):
        pass


FIELDS = st.text(st.sampled_from('ab,"\n\r\\'), max_size=4)


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 64])
def test_blocks_are_whole_rows_however_the_file_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """Quoted newlines and separators among them: all bytes come, and each block begins and ends with a row."""
    monkeypatch.setattr(text_file, "BLOCK_BYTES", block_bytes)

    @given(st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=6))
    def compared(rows: list[list[str]]) -> None:
        lines = [b",".join(b'"' + field.replace('"', '""').encode() + b'"' for field in row) + b"\n" for row in rows]
        found = blocks(tmp_path / "rows", b"".join(lines), CSV)
        assert content_of(found) == b"".join(lines)
        ends = {sum(map(len, lines[:count])) for count in range(len(lines) + 1)}
        place = 0
        for block in found:
            place += len(block.data)
            assert place in ends

    compared()


@pytest.mark.parametrize("header_lines", [0, 1, 2])
def test_the_header_is_left_out(tmp_path: Path, header_lines: int) -> None:
    """Its lines may hold quoted newlines; a file of a header alone has no rows."""
    dialect = replace(CSV, header_lines=header_lines)
    lines = [b'"a\nb",c\n', b"d,e\n", b"1,2\n"]
    assert content_of(blocks(tmp_path / "rows", b"".join(lines), dialect)) == b"".join(lines[header_lines:])
    assert blocks(tmp_path / "head", b"".join(lines[:header_lines]), dialect) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_last_row_without_an_end_is_given_one(tmp_path: Path, end: bytes) -> None:
    """As the other lines have it."""
    assert content_of(blocks(tmp_path / "rows", end.join([b"1\t2", b"3\t4"]), TSV)) == b"1\t2" + end + b"3\t4" + end


@pytest.mark.parametrize(
    ("content", "dialect", "what"),
    [(b'1,2\n3,"4\n', CSV, "a quote that is never closed"), (b"1\t2\n3\t4\\", TSV, "ends behind an escape")],
)
def test_a_last_row_that_does_not_end_is_told_behind_the_others(
    tmp_path: Path, content: bytes, dialect: Dialect, what: str
) -> None:
    """Its number is that in the block which would be next."""
    (tmp_path / "rows").write_bytes(content)
    found = row_blocks(str(tmp_path / "rows"), dialect)
    assert next(found).data == content[:4]
    with pytest.raises(RowError, match=what) as caught:
        next(found)
    assert caught.value.row == 0


@pytest.mark.parametrize(
    ("content", "dialect", "is_plain"),
    [
        (b"1\t\\N\n", TSV, True),
        (b"1\t\\n\n", TSV, False),
        (b"1,2\n", CSV, True),
        (b'1,"2"\n', CSV, False),
    ],
)
def test_marks_are_found_at_once_only_where_something_is_quoted_or_escaped(
    tmp_path: Path, content: bytes, dialect: Dialect, *, is_plain: bool
) -> None:
    """Elsewhere they are the separators and newlines, which who reads the block finds itself."""
    (block,) = blocks(tmp_path / "rows", content, dialect)
    assert (block.marks is None) is is_plain
    assert block.all_marks().end == len(content)


def test_first_rows_are_names(tmp_path: Path) -> None:
    """Spaces around them go unless they are quoted; NULL is a name like others; an empty line has none."""
    path = tmp_path / "rows"
    path.write_bytes(b' a ," b ",NULL\n\n"c""d",e\nlast')
    assert first_rows(path, CSV, 10) == [["a", " b ", "NULL"], [], ['c"d', "e"], ["last"]]
    assert first_rows(path, CSV, 1) == [["a", " b ", "NULL"]]
