"""Dialects by the words of Qserv's files: what LOAD DATA of MariaDB 10.11 makes of the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.source import InputSlice
from skyshard.ingest.sources.qserv_files import NO_TEXT, loaded_dialect
from skyshard.ingest.text.delimited_text import read_text
from skyshard.rowimage.sqltype import parse_type

COLUMNS = tuple(Column(name, parse_type("varchar(30)")) for name in "abc")


@pytest.mark.parametrize(
    ("quote", "escape", "content", "rows"),
    [
        ('"', '"', b'bN,"\n","N""""N\n"\n', [(b"bN", b"\n", b'N""N\n')]),
        ('"', '"', b'N""N,"",b""\n', [(b'N"N', b"", b'b"')]),
        ('"', '"', b',b"0N,a"""0\n', [(b"", b'b"0N', b'a""0')]),
        ('"', "", b'N""N,"a""b",b""\n', [(b'N""N', b'a"b', b'b""')]),
        ("", "^", b"^N,x^,a,^bN\n", [(None, b"x,a", b"\bN")]),
        ("'", "^", b"'^N',NULL,^0\n", [(None, None, b"\0")]),
        ("", "\\", b"\\N,N,\\\\N\n", [(None, b"N", b"\\N")]),
        ("\\0", "\\\\", b"\\N,NULL,\\\\N\n", [(None, b"NULL", b"\\N")]),
        ("", "", b"\\N,NULL,a\n", [(None, b"NULL", b"a")]),
    ],
)
def test_fields_are_those_of_load_data(
    tmp_path: Path, quote: str, escape: str, content: bytes, rows: list[tuple[bytes | None, ...]]
) -> None:
    """Pairs of quotes, and NULL by N behind whatever the escape is; without an escape the usual text means NULL."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    dialect = replace(loaded_dialect(quote, escape), separator=b",")
    read = list(read_text(InputSlice.of(path), COLUMNS, dialect, frozenset()))
    assert [tuple(row.values()) for batch in read for row in batch.batch.to_pylist()] == rows


@pytest.mark.parametrize(("quote", "last"), [("'", None), ("", b"NULL")])
def test_nothing_may_mean_null(tmp_path: Path, quote: str, last: bytes | None) -> None:
    """As of LOAD DATA where the escape is said to be none: only the word, and that where fields may be quoted."""
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\\N,,NULL\n")
    dialect = replace(loaded_dialect(quote, "", NO_TEXT), separator=b",")
    (read,) = read_text(InputSlice.of(path), COLUMNS, dialect, frozenset())
    assert [tuple(row.values()) for row in read.batch.to_pylist()] == [(b"\\N", b"", last)]


def test_the_text_for_null_may_be_said() -> None:
    """The partitioner's configuration goes before what the escape makes of it."""
    assert loaded_dialect("", "^", "\\N").null == b"\\N"
