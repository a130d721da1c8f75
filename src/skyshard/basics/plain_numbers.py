"""Numbers in texts that people and programs write: ASCII digits, a sign, a point, an exponent.

Python's ``int()`` and ``float()`` take more for numbers: ``1_0``, digits of other scripts, blanks around, ``nan``.
"""

from __future__ import annotations

import math
import re

WHOLE = r"[+-]?[0-9]+"
NUMBER = r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]+)?"
"""Never read twice: a text of many digits that is no number takes no longer than one that is."""
_WHOLE, _NUMBER = re.compile(WHOLE), re.compile(NUMBER)


def whole_number(text: str) -> int:
    """A whole number.

    Raises:
        ValueError: the text is none.

    >>> whole_number("-10"), [text for text in ("1_0", "٣", " 3", "3.0", "") if not is_whole(text)]
    (-10, ['1_0', '٣', ' 3', '3.0', ''])
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is no whole number")
    return int(text)


def plain_number(text: str) -> float:
    """A number that is finite.

    Raises:
        ValueError: the text is none.

    >>> plain_number("-1.5e3"), [text for text in ("1_0", "٣", " 3", "nan", "inf", "1e999", ".") if not is_number(text)]
    (-1500.0, ['1_0', '٣', ' 3', 'nan', 'inf', '1e999', '.'])
    """
    if not _NUMBER.fullmatch(text) or not math.isfinite(found := float(text)):
        raise ValueError(f"'{text[:40]}' is no number")
    return found


def is_whole(text: str) -> bool:
    return bool(_WHOLE.fullmatch(text))


def is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))
