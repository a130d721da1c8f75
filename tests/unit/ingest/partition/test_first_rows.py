"""Rows that are not the first of their key: found over all slices, whatever ranges they are merged in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.partition import director_keys
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.first_rows import (
    KeySpec,
    count_later,
    later_rows,
    leave_out_later,
    read_keys,
    without_later,
)
from skyshard.ingest.source import InputBatch, InputSlice, Reader, SourceTable
from skyshard.rowimage.sqltype import parse_type

TABLE = Table("Object", tuple(Column(name, parse_type(kind)) for name, kind in (("id", "bigint"), ("v", "int"))))
LAYOUT = TableLayout(role=Role.DIRECTOR, key="id", position=("v", "v"), duplicates="keep-first")


@dataclass(frozen=True)
class Given:
    """Slices whose keys are given, in batches of two rows."""

    keys: tuple[tuple[int, ...], ...]

    def narrowed(self, table: Table, wanted: frozenset[str]) -> Reader:
        return self

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        keys = self.keys[int(piece.path)]
        for first in range(0, len(keys), 2):
            some = pa.array(keys[first : first + 2], pa.int64())
            yield InputBatch(pa.RecordBatch.from_arrays([some], names=["id"]), first + 1)


def left_out(folder: Path, keys: list[list[int]], earlier: DirectorKeys) -> list[list[int]]:
    """The rows of each slice, from 1, that are left out; the number that a survey counts is theirs."""
    pieces = tuple(InputSlice(str(i), 0) for i in range(len(keys)))
    spec = KeySpec.of(SourceTable(TABLE, LAYOUT, pieces, Given(tuple(map(tuple, keys)))), folder)
    files = [read_keys(spec, piece) for piece in pieces]
    total = leave_out_later(spec, pieces, files, earlier)
    found = [later_rows(str(folder), piece).tolist() for piece in pieces]
    assert total == sum(map(len, found)) == count_later(files, earlier).count
    return found


NO_KEYS = DirectorKeys([])


def keys_of(*keys: int) -> DirectorKeys:
    return DirectorKeys([(np.array(sorted(keys), np.int64), np.full((len(keys), 2), 7, np.int32))])


@given(st.lists(st.lists(st.integers(0, 9), max_size=9), min_size=1, max_size=4), st.sets(st.integers(0, 9)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=drawn(12))
def test_all_but_the_first_row_of_a_key_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: list[list[int]], known: set[int]
) -> None:
    """In the order of slices and rows, and all rows of keys that are known; also where ranges are of a few keys."""
    seen = set(known)
    right: list[list[int]] = []
    for some in keys:
        right.append([])
        for row, key in enumerate(some, 1):
            if key in seen:
                right[-1].append(row)
            seen.add(key)
    for most in (1 << 22, 4):
        monkeypatch.setattr(director_keys, "RANGE_KEYS", most)
        assert left_out(tmp_path, keys, keys_of(*known)) == right


def test_an_example_names_the_rows_of_the_least_key(tmp_path: Path) -> None:
    """Two of them, or the one whose key is known, with the chunk where its row is."""
    pieces = [InputSlice(str(i), 0) for i in range(2)]
    spec = KeySpec.of(SourceTable(TABLE, LAYOUT, tuple(pieces), Given(((5, 9, 3), (9, 3, 5)))), tmp_path)
    files = [read_keys(spec, piece) for piece in pieces]
    found = count_later(files, NO_KEYS)
    assert (found.count, found.key, found.rows, found.earlier_chunk) == (3, 3, ((0, 3), (1, 2)), None)
    found = count_later(files, keys_of(3))
    assert (found.count, found.key, found.rows, found.earlier_chunk) == (4, 3, ((0, 3),), 7)
    assert count_later([], NO_KEYS).count == 0


def test_rows_are_left_out_by_their_numbers_in_the_file() -> None:
    """Also of a batch from which other rows were taken before."""
    batch = InputBatch(pa.RecordBatch.from_pydict({"id": [4, 5, 6, 7]}), 11)
    kept = without_later(batch, np.array([3, 12, 14]))
    assert (kept.batch["id"].to_pylist(), kept.row_numbers().tolist()) == ([4, 6], [11, 13])
    assert kept.left_out == {"duplicates": 2}
    again = without_later(replace(kept, left_out=kept.left_out), np.array([13]))
    assert (again.batch["id"].to_pylist(), again.number(0), again.left_out) == ([4], 11, {"duplicates": 3})
    assert without_later(batch, np.empty(0, np.int64)) is batch
