"""Reads headers of FITS: cards of 80 bytes in blocks of 2,880 (FITS standard 4.0, sections 3.3 and 4).

Of a keyword that occurs twice the first counts. Long texts go on in CONTINUE cards. No I/O but the reading of blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import BinaryIO

from skyshard.ingest.fits.checksum import ones_sum

BLOCK_BYTES = 2880
_CARD_BYTES = 80
_MOST_BYTES = 64 << 20
_MOST_EXPONENT = 400
"""Beyond that of any double."""
_TEXT = re.compile(r"\s*'((?:[^']|'')*)'\s*(?:/(.*))?", re.DOTALL)

Value = str | bool | int | Decimal | None


class FitsError(Exception):
    """What is wrong with a file, and what to do; becomes a ``UserError`` where its name is known."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Header:
    """The keywords of one header-and-data unit."""

    values: dict[str, Value]
    comments: dict[str, str]
    bytes: int
    """Whole blocks."""
    sum: int
    """The ones' complement sum of its words."""

    def text(self, keyword: str) -> str:
        """A text without trailing blanks; empty if there is none."""
        value = self.values.get(keyword)
        return value.rstrip() if isinstance(value, str) else ""

    def whole(self, keyword: str, default: int | None = None) -> int:
        """A whole number.

        Raises:
            FitsError: it is not there, or no whole number.
        """
        value = self.values.get(keyword, default)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise FitsError(f"its header has no whole number {keyword}", "write the file again")
        return value

    def number(self, keyword: str, default: int) -> Decimal:
        """A number with all its digits.

        Raises:
            FitsError: it is none.
        """
        value = self.values.get(keyword, default)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise FitsError(f"{keyword} of its header is no number", "write the file again")
        return Decimal(value)


def read_header(file: BinaryIO, begin: bytes) -> Header | None:
    """The header that begins here, with these bytes; None where something else follows, or nothing.

    Raises:
        FitsError: it does not end.
    """
    content = bytearray()
    while block := file.read(BLOCK_BYTES):
        content += block
        if not content.startswith(begin):
            return None
        if len(block) < BLOCK_BYTES or len(content) > _MOST_BYTES:
            break
        if (end := _end(block)) >= 0:
            cards = bytes(content[: len(content) - BLOCK_BYTES + end])
            values, comments = _keywords(cards.decode("latin1"))
            return Header(values, comments, len(content), ones_sum(content))
    if not content:
        return None
    raise FitsError("is cut off in a header", "copy it again")


def _end(block: bytes) -> int:
    """Where the END card of a block is; -1 if it has none."""
    starts = range(0, len(block), _CARD_BYTES)
    return next((at for at in starts if block[at : at + 8] == b"END     "), -1)


def _keywords(cards: str) -> tuple[dict[str, Value], dict[str, str]]:
    values: dict[str, Value] = {}
    comments: dict[str, str] = {}
    for keyword, content in _whole_cards(cards):
        if keyword not in values:
            values[keyword], comments[keyword] = _value(content)
    return values, comments


def _whole_cards(cards: str) -> Iterator[tuple[str, str]]:
    """Keywords with what follows the value indicator, continued texts as one."""
    keyword, content = "", ""
    for at in range(0, len(cards), _CARD_BYTES):
        card = cards[at : at + _CARD_BYTES]
        if card.startswith("CONTINUE") and keyword and (joined := _joined(content, card[8:])):
            content = joined
            continue
        if keyword:
            yield keyword, content
        keyword, content = (card[:8].rstrip(), card[10:]) if card[8:10] == "= " else ("", "")
    if keyword:
        yield keyword, content


def _joined(content: str, more: str) -> str:
    """A text card with the one that continues it; empty where it does not go on."""
    first, second = _TEXT.match(content), _TEXT.match(more)
    if first is None or second is None or not first[1].rstrip().endswith("&"):
        return ""
    comment = " ".join(part.strip() for part in (first[2], second[2]) if part)
    return f"'{first[1].rstrip()[:-1]}{second[1]}' / {comment}"


def _value(content: str) -> tuple[Value, str]:
    """The value of a card, and its comment.

    >>> _value("'O''Neill  '  / who"), _value("   1.5D3 / x"), _value(" T"), _value("   / none")
    (("O'Neill", 'who'), (Decimal('1.5E+3'), 'x'), (True, ''), (None, 'none'))
    """
    found = _TEXT.match(content)
    if found is not None:
        return found[1].replace("''", "'").rstrip(), (found[2] or "").strip()
    text, _, comment = content.partition("/")
    text = text.strip()
    if text in ("T", "F"):
        return text == "T", comment.strip()
    try:
        number = Decimal(text.upper().replace("D", "E"))
    except InvalidOperation:
        return None, comment.strip()
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        return None, comment.strip()
    return int(number) if text.lstrip("+-").isdigit() else number, comment.strip()
