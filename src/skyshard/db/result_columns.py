"""The columns of a result, as a server announced them. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result as the server announced it.

    ``type_code``, ``flags`` and ``charset`` are the protocol's numbers (field type, column flags, collation id);
    ``length`` is the display width in bytes and ``decimals`` the digits after the point.
    """

    name: str
    type_code: int
    flags: int
    charset: int
    length: int
    decimals: int
