"""Standard output and error, prepared once before any command runs.

Rules: a letter that the terminal lacks is written in ASCII; a stream that cannot be written is named in the error; a
stream that the caller closed stays closed, so that no file of Skyshard gets its number. Bytes that commands
write themselves (rows) are not changed.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import Any, TextIO

SPELT = {
    "→": "->", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "°": " deg", "µ": "u", "σ": "sigma", "±": "+/-",
    "≤": "<=", "≥": ">=", "▲": "^", "▼": "v", "·": ".", "•": "*", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
"""ASCII for the letters of Skyshard's own messages; other letters that a terminal lacks are shown by code."""
HANDLER = "skyshard.spelt"
ASCII = "skyshard-ascii"
"""ASCII under another name: Typer takes a stream that is called ASCII for a mistake, and writes UTF-8 to it."""
STREAMS = {0: "standard input", 1: "standard output", 2: "standard error"}


class _Named(io.FileIO):
    """A stream whose errors say which one it is."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STREAMS.get(self.fileno())
            raise


def prepare_streams() -> None:
    """Make standard output and error accept every text."""
    codecs.register_error(HANDLER, _spell)
    codecs.register(_ascii_again)
    for number in STREAMS:
        _keep_taken(number)
    sys.stdout = _prepared(sys.stdout, 1)
    sys.stderr = _prepared(sys.stderr, 2)


def give_up(number: int) -> None:
    """Discard the rest of a failed stream, so that it does not fail again when the interpreter exits."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _keep_taken(number: int) -> None:
    """Replace a closed stream by one that cannot be written."""
    try:
        os.fstat(number)
    except OSError:
        handle = os.open(os.devnull, os.O_RDONLY)
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)


def _prepared(stream: TextIO | None, number: int) -> TextIO:
    if stream is not None and not _is_plain(stream, number):
        return stream  # replaced by the caller, as in tests
    encoding = stream.encoding if stream is not None else "utf-8"
    if codecs.lookup(encoding).name == "ascii":
        encoding = ASCII
    if stream is not None:
        stream.flush()
    raw = _Named(number, "w", closefd=False)
    is_terminal = raw.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=HANDLER, line_buffering=is_terminal or number == 2
    )


def _ascii_again(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode, plain.decode, plain.streamreader, plain.streamwriter, plain.incrementalencoder,
        plain.incrementaldecoder, name=ASCII,
    )  # fmt: skip


def _is_plain(stream: TextIO, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SPELT.get(letter) or _code_of(letter) for letter in text), error.end


def _code_of(letter: str) -> str:
    r"""A letter by its code; bytes of file names that are not text, by their value.

    >>> _code_of("é"), _code_of("\udce9"), _code_of("\u2603")
    ('\\xe9', '\\xe9', '\\u2603')
    """
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("ascii", "backslashreplace").decode("ascii")
