"""Ones' complement sums of 32-bit words: CHECKSUM and DATASUM of FITS. No I/O.

See the FITS standard 4.0, appendix J. Sums of pieces add up, whatever their number, if each piece but the last is of
whole words.
"""

from __future__ import annotations

import numpy as np

ALL_ONES = 0xFFFFFFFF
"""The sum of a unit that is as its CHECKSUM says."""


def ones_sum(content: bytes | bytearray | memoryview, before: int = 0) -> int:
    """The sum of the content's words and of what came before it; a last piece is filled up with zeros.

    >>> ones_sum(bytes([255, 255, 255, 255, 0, 0, 0, 2])), ones_sum(b"")
    (2, 0)
    """
    whole = len(content) // 4 * 4
    total = before + int(np.frombuffer(content, ">u4", whole // 4).sum(dtype=np.uint64))
    if whole < len(content):
        total += int.from_bytes(bytes(content[whole:]).ljust(4, b"\0"), "big")
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total
