"""What of a statement's text are its own words: not its comments, nor what its strings say. No I/O, no parser."""

from __future__ import annotations

import re

COMMENT = r"/\*(?!M?!)(?:[^*]|\*(?!/))*+(?:\*/|\Z)|--(?:(?=\s)[^\n]*+|$)|#[^\n]*+"
QUIET = re.compile(
    r"'(?:[^'\\]|\\.|'')*+(?:'|\Z)|\"(?:[^\"\\]|\\.|\"\")*+(?:\"|\Z)|(?P<name>`(?:[^`]|``)*+(?:`|\Z))"
    rf"|(?P<note>{COMMENT})",
    re.DOTALL,
)
"""What is no word of a statement; what is not closed goes to its end. Possessive, so that no text takes long."""
_PLAIN_NAME = re.compile(r"`\w+`")
_ESCAPED = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


def masked(text: str) -> str:
    """A statement with spaces for comments, strings and names that are no words: what is left stands where it stood.

    >>> masked("SELECT 'from', `b c` /* x */ FROM `a`")
    'SELECT       ,               FROM `a`'
    """
    return QUIET.sub(lambda one: one.group() if _PLAIN_NAME.fullmatch(one.group()) else " " * len(one.group()), text)


def literal_text(literal: str) -> str:
    r"""What a string of SQL says.

    >>> print(literal_text(r"'SELECT \'a\', ''b'' FROM t'"))
    SELECT 'a', 'b' FROM t
    """
    quote = literal[0]

    def said(found: re.Match[str]) -> str:
        if found[1] is not None:
            return _ESCAPES.get(found[1], found[1])
        return found[0][0] if found[0][0] == quote else found[0]

    return _ESCAPED.sub(said, literal[1:-1])
