"""Answers in files: the format that the name says, the whole answer or the file as it was."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cli.terminal.answer_output import form_of, write_answer
from skyshard.cli.terminal.answer_screen import _last_line, show_answer
from skyshard.czar.plan.query_plan import Kind, Lane
from skyshard.czar.result.answer import QueryStats, ReadyAnswer, distinct_names
from skyshard.czar.result.output import written_names

TABLE = pa.table({"c0": pa.array([1, None, 3]), "c1": pa.array(["a", "", None])})
COLUMNS = ("ra", "ra")


def held(batches: Iterable[pa.RecordBatch] | None = None) -> ReadyAnswer:
    stats = QueryStats(Kind.LOCAL, Lane.SCAN, 3, 3, 3, 0.1, 0.01)
    return ReadyAnswer(COLUMNS, TABLE.schema, TABLE.to_batches(max_chunksize=2) if batches is None else batches, stats)


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
        ("a", "table", "csv"),
        ("a.csv.gz", "table", "csv"),
        ("A.JSON.ZST", "table", "json"),
        ("a.dat", "tsv", "tsv"),
        ("a.gz", "json", "json"),
        ("a.parquet", "csv", "csv"),
    ],
)
def test_the_ending_gives_the_format(tmp_path: Path, name: str, asked: str, form: str) -> None:
    """A file's ending decides where no format was asked for, and CSV where it has none; an option goes first."""
    assert form_of(asked, tmp_path / name) == form


@pytest.mark.parametrize(
    ("name", "asked"),
    [("a.dat", "table"), ("a.fits", "table"), ("a.parquet.gz", "table"), ("a.bz2", "arrow")],
)
def test_an_ending_that_nobody_knows_is_refused(tmp_path: Path, name: str, asked: str) -> None:
    """The error names the file; nothing is written under a name that promises something else."""
    with pytest.raises(UserError, match=f"--out .*{name}: "):
        form_of(asked, tmp_path / name)


@pytest.mark.parametrize(("ending", "opened"), [("gz", gzip.open), ("bz2", bz2.open), ("GZ", gzip.open)])
def test_a_second_ending_packs_the_text(tmp_path: Path, ending: str, opened: Callable[[Path], IO[bytes]]) -> None:
    """What is unpacked is what the file without the second ending holds."""
    for name in ("a.csv", f"a.csv.{ending}"):
        write_answer(held(), form_of("table", tmp_path / name), tmp_path / name, header=True)
    with opened(tmp_path / f"a.csv.{ending}") as stream:
        assert stream.read() == (tmp_path / "a.csv").read_bytes() == b'ra,ra\n1,a\n\\N,""\n3,\\N\n'


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


@pytest.mark.parametrize(
    ("names", "different"),
    [
        (("a", "a_2", "a"), ["a", "a_2", "a_3"]),
        (("a", "a", "a_2"), ["a", "a_3", "a_2"]),
        (("a", "a", "a", "a_3", "a_2_2", "a_2", "a_2"), ["a", "a_4", "a_5", "a_3", "a_2_2", "a_2", "a_2_3"]),
        (("", "", "_2"), ["", "_3", "_2"]),
    ],
)
def test_names_made_different_are_different(names: tuple[str, ...], different: list[str]) -> None:
    """A name made for one column is never that of another."""
    assert distinct_names(names) == different


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("columns", [1, 3, 12, 1038])
def test_every_value_of_a_wide_answer_can_be_read(
    width: int, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each name and each value of the rows shown is on the terminal, in no line longer than it."""
    monkeypatch.setenv("COLUMNS", str(width))
    rows, names = 30, [f"column_{index}" for index in range(columns)]
    table = pa.table({f"c{index}": [f"v{row}c{index}e" for row in range(rows)] for index in range(columns)})
    show_answer(table, names, QueryStats(Kind.LOCAL, Lane.SCAN, 3, 3, rows, 0.1, 0.01))
    *lines, last = capsys.readouterr().out.splitlines()
    printed = "\n".join(lines)
    found = re.search(r"the first (\d+) are shown", last)
    shown = int(found.group(1)) if found else rows
    assert shown == (1 if columns == 1038 else rows)
    wanted = {*names, *(f"v{row}c{index}e" for row in range(shown) for index in range(columns))}
    assert wanted <= set(re.findall(r"\w+", printed))
    assert max(map(len, lines)) <= width


def test_a_wide_answer_without_rows_shows_its_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to guess what the columns would have been."""
    monkeypatch.setenv("COLUMNS", "40")
    names = [f"column_{index}" for index in range(30)]
    show_answer(pa.table({f"c{i}": pa.array([], pa.int64()) for i in range(30)}), names, held().stats())
    assert set(names) <= set(re.findall(r"\w+", capsys.readouterr().out))


def test_one_row_is_called_one_row() -> None:
    """The line under an answer counts in words that fit."""
    stats = QueryStats(Kind.REGULAR, Lane.NONE, 0, 0, 1, 0.5, 0.1)
    assert _last_line(stats, 1) == "1 row in 0.500 s (regular)"
    assert _last_line(replace(stats, rows=0), 0) == "0 rows in 0.500 s (regular)"
