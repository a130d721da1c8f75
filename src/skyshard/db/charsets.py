"""Character sets as MariaDB means them, and the Python codecs that agree with it. No I/O.

MariaDB's latin1 is cp1252 with the five bytes that cp1252 leaves out (81, 8D, 8F, 90, 9D) standing for the control
characters of their own numbers; neither Python's latin1 nor its cp1252 is that. ``utf8`` is utf8mb3, of three bytes.
"""

from __future__ import annotations

import codecs
from typing import Any

LATIN1 = "mariadb_latin1"
"""Name of the codec of MariaDB's latin1; it knows a character for every byte."""
BYTES_A_CHARACTER = {"latin1": 1, "ascii": 1, "binary": 1, "utf8": 3, "utf8mb3": 3, "utf8mb4": 4}
"""The character sets that tables may have, and the most bytes that a character takes."""
_CODECS = {"latin1": LATIN1, "ascii": "ascii", "utf8": "utf-8", "utf8mb3": "utf-8", "utf8mb4": "utf-8"}

_DECODING = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256))
_ENCODING = codecs.charmap_build(_DECODING)


def _decode(data: Any, errors: str = "strict") -> tuple[str, int]:
    return codecs.charmap_decode(data, errors, _DECODING)


def _encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
    return codecs.charmap_encode(text, errors, _ENCODING)


def _found(name: str) -> codecs.CodecInfo | None:
    return codecs.CodecInfo(_encode, _decode, name=LATIN1) if name == LATIN1 else None


codecs.register(_found)


def codec_of(charset: str) -> str:
    r"""Name of the Python codec of a character set that tables may have.

    >>> "€\x81".encode(codec_of("latin1")), b"\x80\x81".decode(codec_of("latin1"))
    (b'\x80\x81', '€\x81')
    """
    return _CODECS[charset]


def encoded(text: str, charset: str) -> bytes:
    """The bytes that a column of a character set stores.

    Raises:
        UnicodeEncodeError: a character that the set has not.
    """
    raw = text.encode(codec_of(charset))
    if BYTES_A_CHARACTER[charset] == 3 and (place := next((i for i, c in enumerate(text) if c > "\uffff"), -1)) >= 0:
        raise UnicodeEncodeError(charset, text, place, place + 1, "takes four bytes")
    return raw
