"""SQL statements from the command line and from standard input, as text.

Rules: a byte-order mark gives the encoding and is not part of the statement; without one it is UTF-8. Bytes that are
not valid are refused with their place; nothing is guessed.
"""

from __future__ import annotations

import codecs
import sys

from skyshard.basics.errors import UserError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""The order matters: the mark of UTF-32 begins like that of UTF-16."""
_SAVE = "save it as UTF-8, or send it through `iconv -f ENCODING -t UTF-8`"


def statement_of(sql: str) -> str:
    """A statement as given, or from standard input for ``-``.

    Raises:
        UserError: its bytes are not text.
    """
    if sql == "-":
        return decoded(_standard_input(), "standard input")
    return decoded(sql.encode("utf-8", "surrogateescape"), "the statement")


def decoded(content: bytes, where: str) -> str:
    r"""Bytes as text.

    >>> decoded(b"\xff\xfeS\0", "a file"), decoded(b"\xef\xbb\xbfS", "a file")
    ('S', 'S')
    """
    mark, encoding = next((one for one in MARKS if content.startswith(one[0])), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        place = _place(error.object[: error.start].decode(encoding, "replace"))
        raise UserError(f"{where} is not {encoding.upper()}: byte {byte:#04x} at {place}", remedy=_SAVE) from error
    if "\0" in text:
        raise UserError(f"{where} holds a NUL at {_place(text[: text.index(chr(0))])}", remedy=f"is it text? {_SAVE}")
    return text


def _place(before: str) -> str:
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise UserError("standard input is closed", remedy="give the statement as an argument, or a file with <")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"standard input cannot be read: {reason}", remedy="give a file with <") from error
