"""Writes FITS files byte by byte, also such as no library writes: any TFORM and cards over any bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyshard.ingest.fits.checksum import ones_sum

_KINDS = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_BLOCK = 2880


@dataclass(frozen=True)
class FitsColumn:
    """A column as it is stored: its bytes in each row, and the cards that say more of it (``{"TNULL": -1}``)."""

    name: str
    form: str
    stored: NDArray[np.uint8]
    cards: Mapping[str, object] = field(default_factory=dict)


def column(name: str, form: str, values: ArrayLike, **cards: object) -> FitsColumn:
    """A column of numbers, logicals (b"T") or texts; of bits the bytes are given."""
    code = form.lstrip("0123456789")[:1]
    width = form[: -len(form.lstrip("0123456789")) or len(form)]
    kind = {"A": f"S{width}", "X": "u1", "P": ">i4", "Q": ">i8"}.get(code) or _KINDS[code]
    array = np.array(values, kind)
    rows = len(array)
    return FitsColumn(name, form, np.frombuffer(array.tobytes(), np.uint8).reshape(rows, -1), cards)


def card(keyword: str, value: object) -> bytes:
    """One card, of long texts several."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        quoted = value.replace("'", "''")
        if len(quoted) > 68:
            return card(keyword, value[:60] + "&") + card("CONTINUE", value[60:])
        text = f"'{quoted:8}'"
    else:
        text = f"{value!s:>20}"
    mark = "  " if keyword == "CONTINUE" else "= "
    return f"{keyword:8}{mark}{text}".ljust(80).encode("latin1")


def header(cards: Mapping[str, object]) -> bytes:
    """A header, filled up with blanks."""
    content = b"".join(card(keyword, value) for keyword, value in cards.items()) + b"END".ljust(80)
    return content.ljust(-(-len(content) // _BLOCK) * _BLOCK)


PRIMARY = header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True})


def image_hdu(**cards: object) -> bytes:
    """An image of 3 x 2 numbers."""
    said = {"XTENSION": "IMAGE", "BITPIX": 16, "NAXIS": 2, "NAXIS1": 3, "NAXIS2": 2, "PCOUNT": 0, "GCOUNT": 1, **cards}
    return header(said) + bytes(12).ljust(_BLOCK, b"\0")


def table_hdu(columns: Sequence[FitsColumn], heap: bytes = b"", *, datasum: bool = False, **cards: object) -> bytes:
    """A binary table; with ``datasum`` it says the sum of its data."""
    rows = len(columns[0].stored) if columns else 0
    content = np.concatenate([one.stored for one in columns], axis=1).tobytes() if columns else b""
    width = sum(one.stored.shape[1] for one in columns)
    said: dict[str, object] = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": width, "NAXIS2": rows, "PCOUNT": len(heap),
        "GCOUNT": 1, "TFIELDS": len(columns),
    }  # fmt: skip
    for number, one in enumerate(columns, 1):
        said |= {f"TTYPE{number}": one.name, f"TFORM{number}": one.form}
        said |= {f"{keyword}{number}": value for keyword, value in one.cards.items()}
    content += heap
    content = content.ljust(-(-len(content) // _BLOCK) * _BLOCK, b"\0")
    said |= {"DATASUM": str(ones_sum(content))} if datasum else {}
    return header(said | cards) + content


def fits_file(*hdus: bytes) -> bytes:
    """A file of a primary unit without data, and extensions."""
    return PRIMARY + b"".join(hdus)
