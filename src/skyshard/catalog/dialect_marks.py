"""Marks of text files, as LOAD DATA and Qserv spell them. Values only."""

from __future__ import annotations

from skyshard.basics.errors import UserError

SPELLED = {"\\t": "\t", "\\0": "", "\0": "", "\\\\": "\\", "\\n": "\n", '\\"': '"', "\\'": "'", "\\r\\n": "\r\n"}
LINE_ENDS = ("", "\n", "\r\n")


def mark_of(name: str, text: str) -> str:
    r"""One mark, empty for none; ``name`` is that of the setting.

    Raises:
        UserError: more than one character, one that is not ASCII, or the end of a line.

    >>> mark_of("fields_terminated_by", r"\t"), mark_of("fields_enclosed_by", r"\0"), mark_of("fields_escaped_by", "^")
    ('\t', '', '^')
    """
    mark = SPELLED.get(text, text)
    if len(mark) > 1 or not mark.isascii() or mark in ("\r", "\n"):
        raise UserError(f"{name} is '{text[:40]}'", remedy="use one character of ASCII")
    return mark


def require_line_end(text: str) -> None:
    """UserError for an end of lines that no file is read by."""
    if SPELLED.get(text, text) not in LINE_ENDS:
        raise UserError(f"lines_terminated_by is '{text[:40]}'", remedy="end lines with \\n or \\r\\n")
