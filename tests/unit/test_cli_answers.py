"""Answers in files: the format that the name says, the whole answer or the file as it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skyshard.cli.answers import form_of, write_answer
from skyshard.czar.answer import Held, QueryStats
from skyshard.czar.output import written_names
from skyshard.czar.plan import Kind, Lane
from skyshard.errors import ClusterError, UserError

TABLE = pa.table({"c0": pa.array([1, None, 3]), "c1": pa.array(["a", "", None])})
COLUMNS = ("ra", "ra")


def held(batches: Iterable[pa.RecordBatch] | None = None) -> Held:
    stats = QueryStats(Kind.LOCAL, Lane.SCAN, 3, 3, 3, 0.1, 0.01)
    return Held(COLUMNS, TABLE.schema, TABLE.to_batches(max_chunksize=2) if batches is None else batches, stats)


def breaking() -> Iterator[pa.RecordBatch]:
    yield TABLE.to_batches()[0]
    raise ClusterError("the node died")


@pytest.mark.parametrize(
    ("name", "asked", "form"),
    [
        ("a.parquet", "table", "parquet"),
        ("a.ARROW", "table", "arrow"),
        ("a.feather", "table", "arrow"),
        ("a.json", "table", "json"),
        ("a.tsv", "table", "tsv"),
        ("a.dat", "table", "csv"),
        ("a", "table", "csv"),
        ("a.parquet", "csv", "csv"),
    ],
)
def test_the_ending_gives_the_format(tmp_path: Path, name: str, asked: str, form: str) -> None:
    """A file's ending decides where no format was asked for, and CSV where it says nothing; an option goes first."""
    assert form_of(asked, tmp_path / name) == form


def test_files_hold_the_answer(tmp_path: Path) -> None:
    """Arrow and Parquet hold every value, with names made different, and the answer's own names beside them."""
    for name in ("a.arrow", "a.parquet"):
        path = tmp_path / name
        write_answer(held(), form_of("table", path), path, header=True)
        read = pa.ipc.open_file(path).read_all() if name == "a.arrow" else pq.read_table(path)
        assert read.column_names == ["ra", "ra_2"]
        assert written_names(read.schema) == COLUMNS
        assert read.rename_columns(["c0", "c1"]).to_pylist() == TABLE.to_pylist()
    write_answer(held(), "csv", tmp_path / "a.csv", header=True)
    assert (tmp_path / "a.csv").read_bytes() == b'ra,ra\n1,a\n\\N,""\n3,\\N\n'
    write_answer(held(), "json", tmp_path / "a.json", header=True)
    assert json.loads((tmp_path / "a.json").read_text())["rows"] == [[1, "a"], [None, ""], [3, None]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.arrow", "a.csv", "a.json", "a.parquet"]


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "parquet", "arrow"])
def test_an_answer_that_breaks_leaves_the_file_as_it_was(tmp_path: Path, form: str) -> None:
    """No half answer, neither in the file's place nor beside it."""
    path = tmp_path / "out"
    path.write_text("of yesterday")
    with pytest.raises(ClusterError, match="the node died"):
        write_answer(held(breaking()), form, path, header=True)
    assert path.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_itself() -> None:
    """/dev/null stays what it is."""
    write_answer(held(), form_of("csv", Path("/dev/null")), Path("/dev/null"), header=True)
    assert Path("/dev/null").is_char_device()


def test_places_that_cannot_be(tmp_path: Path) -> None:
    """Said before anything is asked: a folder, a file in a folder that is not there, a binary format for a terminal."""
    with pytest.raises(UserError, match="is a folder"):
        form_of("csv", tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        form_of("csv", tmp_path / "none" / "a.csv")
    with pytest.raises(UserError, match="arrow is not for a terminal"):
        form_of("arrow", None)
