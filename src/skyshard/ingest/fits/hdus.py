"""Finds tables in FITS files: walks from header to header, packed or not.

Messages name a table as astronomers do: ``file.fits[2]``. Images, tables of tiles packed by fpack among them, are never
taken.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.ingest.fits.checksum import ALL_ONES, ones_sum
from skyshard.ingest.fits.header import BLOCK_BYTES, FitsError, Header, read_header
from skyshard.ingest.text.packed_streams import BrokenStreamError
from skyshard.ingest.text.text_file import open_unpacked

_PIECE_BYTES = 1 << 20
_MOST_BYTES = 1 << 62
_TABLES = ("BINTABLE", "TABLE")


@dataclass(frozen=True, slots=True)
class Hdu:
    """A header-and-data unit: its place in the file, unpacked, and what it is."""

    number: int
    """0 is the primary one."""
    header: Header
    data_at: int
    """Offset of its data."""
    data_bytes: int
    """Without what fills up the last block."""

    @property
    def name(self) -> str:
        return self.header.text("EXTNAME")

    @property
    def shown(self) -> str:
        """Number and name, for messages."""
        return f"{self.number} '{self.name}'" if self.name else str(self.number)

    @property
    def kind(self) -> str:
        return self.header.text("XTENSION") if self.number else "IMAGE"

    @property
    def is_table(self) -> bool:
        return self.kind in _TABLES and self.header.values.get("ZIMAGE") is not True

    @property
    def end(self) -> int:
        """Offset behind its last block."""
        return self.data_at + -(-self.data_bytes // BLOCK_BYTES) * BLOCK_BYTES


@contextmanager
def open_fits(path: str | Path) -> Iterator[io.BufferedReader]:
    """A FITS file, unpacked, at its beginning; faults found while it is read are those of the file.

    Raises:
        UserError: it is not there, broken, or no FITS file.
    """
    try:
        with open_unpacked(path) as file:
            yield file
    except FitsError as error:
        raise UserError(f"'{path}' {error.what}", remedy=error.remedy) from None
    except (EOFError, gzip.BadGzipFile, zlib.error, BrokenStreamError) as error:
        raise UserError(f"'{path}' is a broken packed file: {error}", remedy="copy it again") from None
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror or error}", remedy="check the file") from None


def walk(file: io.BufferedReader) -> Iterator[Hdu]:
    """The units of a file one after the other; what follows the last is none.

    Raises:
        FitsError: a header that is cut off, or does not say how long its data are.
    """
    number, at = 0, 0
    while (header := read_header(file, b"XTENSION" if number else b"SIMPLE  =")) is not None:
        try:
            size = _data_bytes(header)
        except FitsError as error:
            raise FitsError(f"HDU {number}: {error.what}", error.remedy) from None
        hdu = Hdu(number, header, at + header.bytes, size)
        yield hdu
        number, at = number + 1, hdu.end
        skip(file, hdu.data_at, at)
    if not number:
        raise FitsError("is no FITS file", "fix the pattern of the files, or say their format")


def is_plain(file: io.BufferedReader) -> bool:
    """True for a file that is not packed."""
    return isinstance(getattr(file, "raw", None), io.FileIO)


def skip(file: io.BufferedReader, at: int, to: int) -> None:
    """Go on from an offset to another, unpacking what is between; beyond the end of a packed file, to the end."""
    if is_plain(file):
        file.seek(to)
        return
    left = to - at
    while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
        left -= len(piece)


def _data_bytes(header: Header) -> int:
    axes = [header.whole(f"NAXIS{axis + 1}") for axis in range(header.whole("NAXIS"))]
    if axes and axes[0] == 0 and header.values.get("GROUPS") is True:
        axes = axes[1:]
    items = prod(axes) if axes else 0
    extra = header.whole("PCOUNT", 0)
    size = abs(header.whole("BITPIX")) // 8 * header.whole("GCOUNT", 1) * (extra + items)
    if size < 0 or extra < 0 or any(axis < 0 for axis in axes):
        raise FitsError("its header says that its data are less than nothing", "write the file again")
    if size > _MOST_BYTES:
        raise FitsError("its header says that its data are more bytes than a file holds", "write the file again")
    return size


@dataclass(frozen=True, slots=True)
class FoundTable:
    """The table of a file that is meant, and what else there is."""

    hdu: Hdu
    others: tuple[str, ...]
    """Other tables, as messages name them; of a packed file none is known."""
    is_packed: bool
    is_first: bool
    """The first table of its file, which is taken where none is named."""


def find_table(path: str | Path, wanted: str | int | None = None) -> FoundTable:
    """The table of a file that is meant.

    Args:
        wanted: the number of its unit, or its EXTNAME in any letter case; None for the first table. Of a packed file
            nothing behind the table is looked at.

    Raises:
        UserError: no such table; an image; a table that fpack has packed; a file that ends before its rows.
    """
    with open_fits(path) as file:
        found, is_first = None, True
        others: list[str] = []
        seen: list[Hdu] = []
        for hdu in walk(file):
            if found is None and _is_meant(hdu, wanted):
                found, is_first = hdu, not others
                if not is_plain(file):
                    break
            elif hdu.is_table:
                others.append(hdu.shown)
            seen.append(hdu)
        if found is None:
            raise _not_there(wanted, seen)
        _require_readable(found, Path(path).stat().st_size if is_plain(file) else None)
        return FoundTable(found, tuple(others), not is_plain(file), is_first)


def _is_meant(hdu: Hdu, wanted: str | int | None) -> bool:
    if wanted is None:
        return hdu.is_table
    return hdu.number == wanted if isinstance(wanted, int) else hdu.name.lower() == wanted.strip().lower()


def _not_there(wanted: str | int | None, seen: list[Hdu]) -> FitsError:
    kinds = ", ".join(f"{hdu.shown} is {'a table' if hdu.is_table else 'an image'}" for hdu in seen[:5])
    more = f" and {len(seen) - 5} more" if len(seen) > 5 else ""
    if wanted is None:
        return FitsError(f"has no table, only images: HDU {kinds}{more}", "give files with a binary table")
    return FitsError(f"has no HDU {wanted!r}: HDU {kinds}{more}", "name one of its tables in fits: {hdu: ...}")


def _require_readable(hdu: Hdu, file_bytes: int | None) -> None:
    header = hdu.header
    if not hdu.is_table:
        raise FitsError(f"HDU {hdu.shown} is an image, no table", "name a table in fits: {hdu: ...}")
    if header.values.get("ZTABLE") is True:
        raise FitsError(f"HDU {hdu.shown} is a table packed by fpack", "unpack it with funpack")
    if file_bytes is not None and file_bytes < hdu.data_at + hdu.data_bytes:
        raise FitsError(
            f"is cut off: HDU {hdu.shown} goes on to byte {hdu.data_at + hdu.data_bytes}, the file has {file_bytes}",
            "copy it again",
        )


def has_sums(header: Header) -> bool:
    """True if a header says a sum of its data; those that are not filled in are none."""
    said = header.values.get("DATASUM"), header.text("CHECKSUM").strip("0 ")
    return bool(said[0] or said[1])


class CheckedRows:
    """The data of a table from the front: whole rows, and the sum of all that was read."""

    def __init__(self, file: io.BufferedReader, hdu: Hdu, *, first_byte: int = 0, is_summed: bool) -> None:
        skip(file, 0, hdu.data_at + first_byte)
        self._file, self._hdu = file, hdu
        self._at = first_byte
        self._sum, self._is_summed = 0, is_summed

    def read(self, size: int) -> bytes:
        """So many bytes.

        Raises:
            FitsError: the file ends before.
        """
        content = self._file.read(size)
        if len(content) < size:
            raise FitsError(f"HDU {self._hdu.shown} is cut off at byte {self._at + len(content)}", "copy it again")
        self._at += size
        if self._is_summed:
            self._carry(content)
        return content

    def _carry(self, content: bytes) -> None:
        """Add to the sum; pieces begin anywhere, so that the sum of one that begins within a word is turned."""
        turn = (self._at - len(content)) % 4
        self._sum = ones_sum(b"\0" * turn + content, self._sum) if turn else ones_sum(content, self._sum)

    def finish(self) -> None:
        """Read the rest of the data, and hold them against CHECKSUM and DATASUM; a packed file is read to its end,
        where its packer's own sums are.

        Raises:
            FitsError: other data than the sums are of; the file ends before.
        """
        if self._is_summed:
            while left := min(self._hdu.data_bytes - self._at, _PIECE_BYTES):
                self.read(left)
            filled = self._hdu.end - self._hdu.data_at - self._at
            self._carry_last(self._file.read(filled))
            require_sums(self._hdu, self._sum)
        while not is_plain(self._file) and self._file.read(_PIECE_BYTES):
            pass

    def _carry_last(self, content: bytes) -> None:
        self._at += len(content)
        self._carry(content)


def require_sums(hdu: Hdu, data_sum: int) -> None:
    """Hold the sum of a unit's data against what its header says.

    Raises:
        FitsError: they differ.
    """
    header = hdu.header
    said, check = str(header.values.get("DATASUM") or "").strip(), header.text("CHECKSUM").strip("0 ")
    remedy = "copy it again; if only the sums are stale, say fits: {checksums: false}"
    if said.isdigit() and int(said) % ALL_ONES != data_sum % ALL_ONES:
        raise FitsError(f"HDU {hdu.shown}: the sum of its data is {data_sum}, DATASUM says {said}", remedy)
    if check and ones_sum(data_sum.to_bytes(4, "big"), header.sum) % ALL_ONES:
        raise FitsError(f"HDU {hdu.shown}: header and data are not what CHECKSUM says", remedy)
