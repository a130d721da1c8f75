"""Statements as bytes: read by their mark, as UTF-8 without one, and refused with the place of what is no text."""

from __future__ import annotations

import codecs
import io

import pytest

from skyshard.basics.errors import UserError
from skyshard.cli.terminal.statement_input import decoded, statement_of

SQL = "SELECT 'Çé→😀' AS a\nFROM Object"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_mark_says_how_to_read(mark: bytes, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement comes without its mark, whole."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(mark + SQL.encode(encoding))))
    assert statement_of("-") == SQL


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("SELECT 1,\n 'é'".encode("latin-1"), "UTF-8: byte 0xe9 at line 2, column 3"),
        ("SELECT 1".encode("utf-16-le"), "holds a NUL at line 1, column 2"),
        ("SELECT 1".encode("utf-16-be"), "holds a NUL at line 1, column 1"),
        (codecs.BOM_UTF16_LE + b"S\0E", "is not UTF-16-LE: byte 0x45 at line 1, column 2"),
        (b"SELECT '\0'", "holds a NUL at line 1, column 9"),
        (b"\x89PNG\r\n", "UTF-8: byte 0x89 at line 1, column 1"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(content: bytes, words: str) -> None:
    """Nothing is guessed: latin-1, UTF-16 without a mark and other files are said to be none."""
    with pytest.raises(UserError, match=f"a file.*{words}.*iconv"):
        decoded(content, "a file")


def test_a_statement_given_as_an_argument_is_read_alike() -> None:
    """A mark in front goes; a byte that is no text (as Python hands it over) is refused."""
    assert statement_of("\ufeffSELECT 1") == "SELECT 1"
    with pytest.raises(UserError, match="the statement is not UTF-8: byte 0xe9 at line 1, column 9"):
        statement_of("SELECT '\udce9'")


def test_a_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement, no bug."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UserError, match="standard input is closed"):
        statement_of("-")
