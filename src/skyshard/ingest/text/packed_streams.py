"""Unpacks bzip2 and xz files of any number of streams, one behind the other, as parallel packers write them.

What follows a stream is another one, or zero bytes up to the end: Python's own readers take a stream that is damaged at
its beginning for rubbish behind the last one, and leave out all from there on without a word. gzip's does not.
"""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_BYTES = 1 << 16
_Decompressor = bz2.BZ2Decompressor | lzma.LZMADecompressor


class BrokenStreamError(Exception):
    """A stream that is damaged or cut off."""


def open_bzip2(path: str | Path, mode: str = "rb") -> io.BufferedReader:
    """The bytes that a bzip2 file holds."""
    return io.BufferedReader(_Streams(path, bz2.BZ2Decompressor))


def open_xz(path: str | Path, mode: str = "rb") -> io.BufferedReader:
    """The bytes that an xz file holds."""
    return io.BufferedReader(_Streams(path, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)))


class _Streams(io.RawIOBase):
    """All streams of a file as one."""

    def __init__(self, path: str | Path, begin: Callable[[], _Decompressor]) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed with the streams
        self._begin = begin
        self._stream = begin()
        self._number = 1

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while self._goes_on():
            given = self._file.read(_READ_BYTES) if self._stream.needs_input else b""
            if self._stream.needs_input and not given:
                raise BrokenStreamError(f"stream {self._number} is cut off")
            if unpacked := self._unpack(given, len(view)):
                view[: len(unpacked)] = unpacked
                return len(unpacked)
        return 0

    def _unpack(self, packed: bytes, most: int) -> bytes:
        try:
            return self._stream.decompress(packed, most)
        except (OSError, lzma.LZMAError) as error:
            raise BrokenStreamError(f"stream {self._number}: {error}") from None

    def _goes_on(self) -> bool:
        """Whether more is to come; of the next stream, where one has ended."""
        if not self._stream.eof:
            return True
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest and (more := self._file.read(_READ_BYTES)):
            rest = more.lstrip(b"\0")
        if not rest:
            return False
        self._stream, self._number = self._begin(), self._number + 1
        self._file.seek(-len(rest), io.SEEK_CUR)
        return True
