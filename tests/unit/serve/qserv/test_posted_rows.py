"""Rows of a JSON contribution as lines of a loader's file."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from skyshard.basics.errors import UserError
from skyshard.serve.qserv.posted_rows import lines_of

SCHEMA = [{"name": "n", "type": "BIGINT"}, {"name": "t", "type": "VARCHAR(9)"}, {"name": "b", "type": "BINARY(3)"}]


def test_fields_are_escaped_and_null_is_told_apart() -> None:
    """Tab, line end, backslash and zero bytes; a number as it was written, a truth as 0 or 1."""
    rows = [[1, "a\tb\\\n", "00095c"], [Decimal("2.50"), None, None], [True, "", "ff"]]
    assert lines_of(rows, SCHEMA, "utf8mb4", "hex") == (
        b"1\ta\\tb\\\\\\n\t\\0\\t\\\\\n" + b"2.50\t\\N\t\\N\n" + b"1\t\t\xff\n"
    )


@pytest.mark.parametrize(("charset", "written"), [("utf8mb4", b"\xc3\xa9"), ("latin1", b"\xe9")])
def test_texts_are_of_the_character_set(charset: str, written: bytes) -> None:
    """That of the contribution."""
    assert lines_of([["é"]], SCHEMA[1:2], charset, "hex") == written + b"\n"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"n": 1}, "'rows' has to be a list of rows"),
        ([[1, "a"]], "row 1 has not 3 values"),
        ([[1, "a", "00"], [1, "a", "0"]], "row 2: the value of column 'b' cannot be read"),
        ([[1, ["a"], "00"]], "row 1: the value of column 't' cannot be read"),
        ([[1, "→", "00"]], "row 1: the value of column 't' cannot be read"),
    ],
)
def test_what_is_no_row_is_refused_with_its_number(rows: Any, words: str) -> None:
    """A value that the column's form or character set has not, too."""
    with pytest.raises(UserError, match=words):
        lines_of(rows, SCHEMA, "latin1", "hex")
