"""Texts of JSON columns: what the server refuses is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.ingest.values.json_texts import DEEPEST, first_broken


def nested(depth: int, mark: str = "[]") -> bytes:
    return (mark[0] * depth + mark[1] * depth).encode()


@pytest.mark.parametrize(
    "text", [b"1", b'"a"', b"null", b'{"a": [1, 2.5e3]}', b" [] ", '"é"'.encode(), nested(DEEPEST)]
)
def test_json_is_taken(text: bytes) -> None:
    """Values of every kind, and arrays as deep as the server takes them."""
    assert first_broken(pa.array([text])) == -1


@pytest.mark.parametrize("text", [b"", b"{", b"'a'", b"NaN", b"Infinity", b"1.", b"[1,]", b"\xff", nested(DEEPEST + 1)])
def test_what_is_no_json_is_not(text: bytes) -> None:
    """Words that Python's reader would take are none, nor what is nested too deep."""
    assert first_broken(pa.array([b"1", text])) == 1


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    """Depth counts, not the number of brackets; those in strings do not count either."""
    wide = b"[" + b",".join([b"[]"] * 100) + b"]"
    assert first_broken(pa.array([wide, b'"' + b"[" * 100 + b'"'])) == -1


def test_null_is_no_text() -> None:
    """A NULL is not looked at, and the row of a later broken text counts it."""
    assert first_broken(pa.array([None, b"{"], pa.binary())) == 1
    assert first_broken(pa.array([None], pa.binary())) == -1
