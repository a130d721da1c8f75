"""Input slices: what counts as the same input, and what as changed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.source import BATCH_ROWS, InputSlice, asked_for, batch_rows, without_chunk_columns
from skyshard.rowimage.sqltype import parse_type


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(b"0123456789")
    return path


def test_the_same_bytes_are_the_same_input(file: Path, tmp_path: Path) -> None:
    """Whatever the file's name and date."""
    other = tmp_path / "b.csv"
    other.write_bytes(file.read_bytes())
    os.utime(other, (0, 0))
    assert InputSlice.of(file).fingerprint() == InputSlice.of(other).fingerprint()


def test_other_bytes_another_chunk_or_other_row_groups_are_another_input(file: Path, tmp_path: Path) -> None:
    """The same bytes for two chunks are two inputs, and so are two spans of one file."""
    one = InputSlice.of(file)
    changed = tmp_path / "b.csv"
    changed.write_bytes(b"0123456780")
    slices = [
        one, InputSlice.of(changed), replace(one, chunk=7), replace(one, chunk=8),
        replace(one, chunk=7, is_overlap=True), replace(one, row_groups=(0, 0), span=(0, 5)),
        replace(one, row_groups=(1, 1), span=(5, 10)),
    ]  # fmt: skip
    assert len({piece.fingerprint() for piece in slices}) == len(slices)


def test_bytes_outside_the_span_do_not_count(file: Path) -> None:
    """A slice is its own row groups."""
    first = replace(InputSlice.of(file), row_groups=(0, 0), span=(0, 5))
    before = first.fingerprint()
    file.write_bytes(b"01234-----")
    assert first.fingerprint() == before
    file.write_bytes(b"0123------")
    assert first.fingerprint() != before


def test_a_slice_without_a_file_is_what_makes_it() -> None:
    """Its path is only its name."""
    made = InputSlice("recipe.yaml#Object/7", 0, made="seed 1 chunk 7")
    assert made.fingerprint() == replace(made, path="elsewhere").fingerprint()
    assert made.fingerprint() != replace(made, made="seed 2 chunk 7").fingerprint()


def test_a_file_that_changed_since_it_was_planned_is_refused(file: Path) -> None:
    """Both sizes are told; an unchanged one is not refused, nor one that was not looked at."""
    piece = InputSlice.of(file)
    piece.require_unchanged()
    file.write_bytes(b"longer than before")
    with pytest.raises(UserError, match=r"has changed since the ingest was planned \(10 bytes then, 18 now\)"):
        piece.require_unchanged()
    replace(piece, changed_ns=0).require_unchanged()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    """With what the system says."""
    with pytest.raises(UserError, match="No such file"):
        InputSlice.of(tmp_path / "gone.csv")
    with pytest.raises(UserError, match="No such file"):
        InputSlice(str(tmp_path / "gone.csv"), 1).fingerprint()


def test_wide_rows_come_in_smaller_batches() -> None:
    """A batch is bounded by rows and by bytes."""
    columns = tuple(Column(f"c{i}", parse_type("double")) for i in range(1000))
    assert batch_rows(Table("wide", columns)) == (64 << 20) // 8000
    assert batch_rows(Table("narrow", columns[:1])) == BATCH_ROWS


def test_chunk_columns_are_left_out_in_any_case_of_letters() -> None:
    """They come back at the table's end when it is stored."""
    names = ("objectId", "CHUNKID", "ra", "subChunkId")
    table = Table("Object", tuple(Column(name, parse_type("int")) for name in names))
    assert without_chunk_columns(table).column_names == ["objectId", "ra"]


def test_a_table_that_the_source_has_not_is_named_with_those_it_has() -> None:
    """None asks for all, in the source's order."""
    assert asked_for("sky", ["b", "a"], None) == ["b", "a"]
    assert asked_for("sky", ["b", "a"], ["a"]) == ["a"]
    with pytest.raises(UserError, match="has no table 'c'") as caught:
        asked_for("sky", ["b", "a"], ["c"])
    assert caught.value.remedy == "it has a, b"
