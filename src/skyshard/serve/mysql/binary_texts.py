"""Bytes within the text of a statement, as clients write them: ``_binary'...'``, whatever the rest is in. No I/O."""

from __future__ import annotations

import re

_ESCAPES = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
_ESCAPED = re.compile(rb"\\(.)|''|\"\"", re.DOTALL)
_TEXT = rb"'(?:[^'\\]|\\.|'')*+'|\"(?:[^\"\\]|\\.|\"\")*+\""
_ONE_TEXT = re.compile(_TEXT, re.DOTALL)
_LITERAL = re.compile(
    rb"(?P<skipped>`(?:[^`]|``)*+`|/\*(?:[^*]|\*(?!/))*+\*/|--(?=\s)[^\n]*+|#[^\n]*+)"
    rb"|(?P<set>\b_binary\s*)?(?P<texts>(?:" + _TEXT + rb")(?:\s+(?:" + _TEXT + rb"))*+)",
    re.DOTALL | re.IGNORECASE,
)


def in_digits(statement: bytes) -> bytes:
    """A statement whose ``_binary`` literals have hexadecimal digits; others stay as they are. Texts one behind the
    other are one literal.

    >>> in_digits(b"SELECT '_binary' FROM t WHERE raw = _binary'\\xff\\\\'\\0' -- _binary'a'")
    b"SELECT '_binary' FROM t WHERE raw = _binary X'FF2700' -- _binary'a'"
    >>> in_digits(b"SELECT _binary'\\xff' 'b', 'a'  'b' c")
    b"SELECT _binary X'FF62', 'a'  'b' c"
    """

    def written(found: re.Match[bytes]) -> bytes:
        if not found["set"]:
            return found.group()
        value = b"".join(map(_value, _ONE_TEXT.findall(found["texts"])))
        return b"_binary X'" + value.hex().upper().encode() + b"'"

    return _LITERAL.sub(written, statement)


def _value(text: bytes) -> bytes:
    """What a literal in quotes says."""
    quote = text[:1]

    def said(found: re.Match[bytes]) -> bytes:
        letter = found[1]
        if letter is None:
            return quote if found.group() == quote * 2 else found.group()
        return found.group() if letter in (b"%", b"_") else _ESCAPES.get(letter, letter)

    return _ESCAPED.sub(said, text[1:-1])
