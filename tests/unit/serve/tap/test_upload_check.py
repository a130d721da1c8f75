"""Documents that clients upload are seen before the parser is, which would follow, unpack and allocate."""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import io
import lzma
import struct
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import from_table
from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile
from astropy.table import Table

from skyshard.basics.errors import UserError
from skyshard.serve.tap.result_formats import VOTableWriter
from skyshard.serve.tap.uploads import read_upload
from skyshard.serve.votable.document import Serialization, Status
from skyshard.serve.votable.fields import Field as OwnField

BYTES = '<FIELD name="b" datatype="unsignedByte"/>'
TEXT = '<FIELD name="t" datatype="char" arraysize="*"/>'


def document(fields: str, data: str, more: str = "") -> str:
    inside = f"<TABLE{more}>{fields}<DATA>{data}</DATA></TABLE>"
    return f'<VOTABLE version="1.4"><RESOURCE>{inside}</RESOURCE></VOTABLE>'


def stream(content: bytes, kind: str = "BINARY") -> str:
    return f'<{kind}><STREAM encoding="base64">{base64.b64encode(content).decode()}</STREAM></{kind}>'


def refused(content: bytes | str, words: str, most_rows: int = 10) -> None:
    with pytest.raises(UserError, match=words):
        read_upload("x", content.encode() if isinstance(content, str) else content, most_rows)


@pytest.mark.parametrize(
    "data",
    [
        '<BINARY><STREAM href="{}"/></BINARY>',
        '<BINARY2><STREAM encoding="gzip" href="{}"/></BINARY2>',
        '<v:BINARY xmlns:v="v"><v:STREAM href="{}"/></v:BINARY>',
        '<BINARY><a:STREAM xmlns:a="v" a:href="{}"/></BINARY>',
        '<BINARY><sTream HREF="{}"/></BINARY>',
        "<BINARY><STREAM\nhref\n=\n'{}'/></BINARY>",
        '<FITS extnum="1"><STREAM href="{}"/></FITS>',
        '<PARQUET type="VOTable-remote-file"><STREAM href="{}"/></PARQUET>',
        '<v:fits xmlns:v="v"/>',
    ],
)
def test_no_file_of_the_host_is_read(tmp_path: Path, data: str) -> None:
    """However a document names it; its bytes would come back as rows."""
    secret = tmp_path / "tls.key"
    secret.write_bytes(b"secret")
    refused(document(BYTES, data.format(secret.as_uri())), "rows elsewhere|rows as")


def test_nothing_packed_and_no_other_encoding_hides_a_document(tmp_path: Path) -> None:
    """The parser would unpack them, and find there what was not seen before."""
    hidden = document(BYTES, f'<BINARY><STREAM href="{tmp_path.as_uri()}"/></BINARY>')
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.xml", hidden)
    plain = hidden.encode()
    for content in (gzip.compress(plain), bz2.compress(plain), lzma.compress(plain), packed.getvalue()):
        refused(content, "it is packed, or no XML in UTF-8")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        refused(hidden.encode(encoding), "it is packed, or no XML in UTF-8")
    for encoding in ("cp037", "utf-7", "UTF-16", "nonsense"):
        refused(f'<?xml version="1.0" encoding="{encoding}"?>' + hidden, "encoding")


@pytest.mark.parametrize("before", ["<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "a.dtd">', '<!DOCTYPE x [<!ENTITY a "b">]>'])
def test_a_document_with_a_dtd_is_refused(before: str) -> None:
    """Also where it comes late, behind a long comment."""
    table = document(BYTES, "<TABLEDATA/>")
    refused(before + table, "has a DTD")
    refused(f"<!--{'x' * 10_000}-->{before}{table}", "has a DTD")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (document(BYTES, "<TABLEDATA/>", ' nrows="2000000000"'), "more than 10 rows"),
        (document(BYTES, "<TABLEDATA/>", ' nrows="-1"'), "announces '-1' rows"),
        (document(BYTES, f"<TABLEDATA>{'<TR><TD>1</TD></TR>' * 11}</TABLEDATA>"), "more than 10 rows"),
        (document(BYTES, stream(bytes(11))), "more than 10 rows"),
        (document(BYTES, stream(bytes(22), "BINARY2")), "more than 10 rows"),
        (document(TEXT, stream(bytes(4 * 11))), "more than 10 rows"),
        (document(TEXT.replace("*", "900000000"), "<TABLEDATA><TR><TD>a</TD></TR></TABLEDATA>"), "512 MiB"),
        (document(TEXT.replace("*", "900000000*"), "<TABLEDATA><TR><TD>a</TD></TR></TABLEDATA>"), "512 MiB"),
        (document(TEXT.replace("*", "0"), "<TABLEDATA/>"), "an arraysize '0' is not taken"),
        (document("", stream(b"abc")), "rows and no columns"),
        (document(BYTES + TEXT, stream(b"\1\0\0\0\5abc")), "ends within a row"),
        (document(BYTES.replace("unsignedByte", "long"), stream(bytes(12))), "ends within a row"),
        (document(BYTES, "<TABLEDATA/>", ' ref="other"'), "of the columns of, another one"),
        (document(f"<TABLE>{BYTES}</TABLE>", "<TABLEDATA/>"), "a table within"),
        (document(BYTES * 20_000, "<TABLEDATA/>"), "more than 20,000 elements"),
        ("<VOTABLE>" + "<TABLE/>" * 20_000, "more than 20,000 elements"),
        (document(TEXT + BYTES + TEXT, stream(b"\0\0\0\1a\1\0\0\0\2ab" * 2 + b"\0")), "ends within a row"),
        (document(TEXT.replace("*", "3x2"), "<TABLEDATA/>"), r"char\[3x2\] is not taken"),
        (document(TEXT.replace("*", "3x*"), "<TABLEDATA/>"), r"char\[3x\*\] is not taken"),
        ("<VOTABLE>", "is no VOTable"),
    ],
)
def test_what_would_take_memory_or_lose_rows_is_refused_unparsed(content: str, words: str) -> None:
    """Rows are counted, or added up from a stream; what documents announce is looked at before it is allocated."""
    refused(content, words)


@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_tables_that_others_write_are_read(form: str) -> None:
    """Numbers, texts of fixed and any length, bytes: the same rows in each form, the most that may come."""
    made, resource = VOTableFile(version="1.4"), Resource()
    made.resources.append(resource)
    table = TableElement(made)
    resource.tables.append(table)
    table.fields.extend(
        Field(made, name=name, datatype=kind, arraysize=size)
        for name, kind, size in (
            ("n", "long", None), ("x", "double", "1"), ("t", "char", "*"), ("u", "unicodeChar", "*"),
            ("f", "char", "3"), ("b", "unsignedByte", "*"),
        )
    )  # fmt: skip
    table.create_arrays(2)
    table.array[0] = (7, 1.5, "abc", "äö", "xyz", np.ma.array([1, 2], np.uint8, mask=[False, False]))
    table.array[1] = (8, 2.5, "", "", "x", np.ma.array([], np.uint8, mask=[]))
    written = io.BytesIO()
    made.to_xml(written, tabledata_format=form)
    found = read_upload("x", b"\xef\xbb\xbf" + written.getvalue(), 2)
    assert [row[:2] for row in found.rows] == [(7, 1.5), (8, 2.5)]
    assert [row[2:] for row in found.rows] == [("abc", "äö", "xyz", b"\1\2"), ("", "", "x", b"")]


def test_what_is_absent_in_binary2_is_null() -> None:
    """Numbers, bytes, truths; of texts parsers keep no difference to an empty one."""
    fields = tuple(OwnField(name, kind, size) for name, kind, size in (
        ("n", "long", ""), ("b", "unsignedByte", "*"), ("t", "boolean", ""), ("s", "char", "*"),
    ))  # fmt: skip
    columns = [pa.array([1, None]), pa.array([b"\0\1", None]), pa.array([0, None], pa.int8()), pa.array(["x", None])]
    writer = VOTableWriter(fields, Serialization.BINARY2)
    rows = writer.rows(pa.record_batch(columns, names=[field.name for field in fields]))
    found = read_upload("x", writer.begin("") + rows + writer.end(Status.OK), 2)
    assert list(found.rows) == [(1, b"\0\1", 0, "x"), (None, None, None, "")]


@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_single_bits_are_truths(form: str) -> None:
    """As which astropy writes its columns of them; arrays of bits are refused."""
    written = io.BytesIO()
    made = from_table(Table({"n": [7, 8], "is_star": [True, False]}))
    made.version = "1.4"
    made.to_xml(written, tabledata_format=form)
    found = read_upload("x", written.getvalue(), 2)
    assert [(field.name, field.datatype) for field in found.fields] == [("n", "long"), ("is_star", "boolean")]
    assert list(found.rows) == [(7, 1), (8, 0)]
    refused(written.getvalue().decode().replace('"bit"', '"bit" arraysize="8"'), r"bit\[8\] is not taken")


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ('"short"', "70000", "does not hold"), ('"int"', "-3000000000", "does not hold"),
        ('"long"', "9223372036854775808", "does not hold"), ('"unsignedByte"', "-1", "does not hold"),
        ('"unsignedByte"', "256", "does not hold"), ('"char" arraysize="3*"', "abcd", "does not hold"),
        ('"char"', "ab", "does not hold"), ('"double"', "1,5", "column 'v': '1,5' is no number"),
        ('"float"', "x", "column 'v': 'x' is no number"), ('"int"', "x", "column 'v': 'x' is no number"),
        *((kind, text, f"'{text}' is no number") for kind in ('"int"', '"double"') for text in ("1_0", "٣", "1 2")),
        ('"unsignedByte" arraysize="*"', "1 1_0", "'1 1_0' is no number"), ('"long"', "0x1_0", "is no number"),
    ],
)  # fmt: skip
def test_no_value_is_stored_as_another(kind: str, value: str, words: str) -> None:
    """The parser takes the nearest one, cuts a text, or sees none."""
    rows = f"<TABLEDATA><TR><TD>7</TD><TD>{value}</TD></TR></TABLEDATA>"
    refused(document(f'<FIELD name="n" datatype="int"/><FIELD name="v" datatype={kind}/>', rows), words)


def test_values_are_refused_while_other_documents_are_read() -> None:
    """Each thread hears what the parser says of its own document, and nobody's warnings are changed afterwards."""
    field, filters = '<FIELD name="v" datatype="short"/>', list(warnings.filters)
    rows = "".join(f"<TR><TD>{number % 99}</TD></TR>" for number in range(2_000))
    right = document(field, f"<TABLEDATA>{rows}</TABLEDATA>")
    wrong = document(field, f"<TABLEDATA>{3 * rows}<TR><TD>70000</TD></TR></TABLEDATA>")

    def read(text: str) -> bool:
        with contextlib.suppress(UserError):
            return bool(read_upload("x", text.encode(), 10_000).rows)
        return False

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, 6 * [right, wrong]))
    assert found == 6 * [True, False]
    assert list(warnings.filters) == filters


def test_absent_numbers_are_null() -> None:
    kinds = ("int", "float", "double")
    fields = "".join(f'<FIELD name="{kind}" datatype="{kind}"/>' for kind in kinds)
    rows = "<TR><TD/><TD/><TD> </TD></TR><TR><TD>1</TD><TD>NaN</TD><TD> 2.5 </TD></TR>"
    rows += "<TR><TD/><TD>-nan</TD><TD>NAN</TD></TR>"
    found = read_upload("x", document(fields, f"<TABLEDATA>{rows}</TABLEDATA>").encode(), 3)
    assert list(found.rows) == [(None, None, None), (1, None, 2.5), (None, None, None)]


def test_a_stream_of_the_most_rows_is_read() -> None:
    """Its rows are counted exactly, whatever its length."""
    texts = b"".join(struct.pack(">I", 3) + b"abc" for _ in range(10))
    assert len(read_upload("x", document(TEXT, stream(texts)).encode(), 10).rows) == 10
    assert len(read_upload("x", document(BYTES, stream(bytes(10))).encode(), 10).rows) == 10
