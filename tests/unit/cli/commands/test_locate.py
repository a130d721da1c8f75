"""The locate command: CSV in, CSV out, errors with their row."""

import io
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker
from skyshard.cli.commands import locate as command

STRIPING = ["--stripes", "340", "--substripes", "3", "--overlap", "0.01667"]
HEADER = "row,chunkId,subChunkId,overlap\n"


def run(text: str, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(command.locate)
    result = CliRunner().invoke(app, [*STRIPING, *arguments], input=text)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_locate_writes_own_numbers_then_copies() -> None:
    """Rows come in input order, each with its own sub-chunk first and its overlap copies after it."""
    assert run("ra,dec\n10,-10\n0,0\n62,-37\n") == HEADER + (
        "0,102698,1,0\n1,114920,24,0\n1,116278,2,1\n1,115600,0,1\n1,115598,26,1\n2,68093,1,0\n2,68093,0,1\n"
    )


def test_locate_reads_a_file_and_ignores_other_columns(tmp_path: Path) -> None:
    """Columns are found by name, in any order; quotes, blank lines and line ends do not matter."""
    path = tmp_path / "positions.csv"
    path.write_bytes(b'\xef\xbb\xbf"dec",name,"ra"\r\n-10,"a,b",10\r\n\r\n-28.1,c,"53.16"\r\n')
    assert run("", str(path)) == HEADER + "0,102698,1,0\n1,78968,24,0\n"
    assert run(path.read_text(), "-") == HEADER + "0,102698,1,0\n1,78968,24,0\n"


def test_locate_writes_a_header_only_when_there_are_no_rows() -> None:
    """A header line in gives a header line out."""
    assert run("ra,dec\n") == HEADER


def test_locate_streams_when_the_input_spans_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are numbered on over the blocks that the input is read in."""
    monkeypatch.setattr(command, "_BLOCK_BYTES", 4096)
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 2000), rng.uniform(-90, 90, 2000)
    text = "ra,dec\n" + "".join(f"{a!r},{d!r}\n" for a, d in zip(ra.tolist(), dec.tolist(), strict=True))
    table = np.array([line.split(",") for line in run(text).splitlines()[1:]], dtype=int)
    own, copies = table[table[:, 3] == 0], table[table[:, 3] == 1]
    chunker = Chunker(340, 3, 0.01667)
    assert np.array_equal(own[:, :3], np.stack([np.arange(2000), *chunker.locate(ra, dec)], axis=1))
    assert np.array_equal(copies[:, :3], np.stack(chunker.overlap_copies(ra, dec), axis=1))
    assert (np.diff(table[:, 0]) >= 0).all()
    assert (table[np.unique(table[:, 0], return_index=True)[1], 3] == 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ra,dec\n1,2\n360.0,0\n", r"standard input, row 1: ra = 360.0 must be in \[0, 360\)"),
        ("ra,dec\n1,2\n1,2\n-0.5,0\n", r"row 2: ra = -0.5 must be in"),
        ("ra,dec\n1,90.5\n", r"row 0: dec = 90.5 must be in \[-90, 90\]"),
        ("ra,dec\n1,nan\n", r"row 0: dec = nan must be in"),
        ("ra,dec\ninf,0\n", r"row 0: ra = inf must be in"),
        ("ra,dec\n1,2\n1,abc\n", r"row 1: 'abc' is not a number; fix"),
        ("ra,dec\n1,2\n1,\n", r"row 1: '' is not a number"),
        ("ra,dec\n1,2\n1,NULL\n", r"row 1: 'NULL' is not a number"),
        ("ra,dec\n1,2\n1\n", r"row 1: Expected 2 columns, got 1"),
        ("ra,decl\n1,2\n", r"standard input: no column 'dec'; begin the file with the header line ra,dec"),
        ("1,2\n1,2\n", r"no column 'ra'"),
        ("", r"standard input: Empty CSV file; begin"),
    ],
)
def test_locate_names_the_row_when_the_input_is_wrong(text: str, message: str) -> None:
    """Each error is one line with source, row, value and remedy; nothing is written."""
    sink = io.BytesIO()
    with pytest.raises(UserError, match=message) as caught:
        command.locate_csv(Chunker(340, 3, 0.01667), io.BytesIO(text.encode()), sink, "standard input")
    assert "\n" not in str(caught.value)
    assert not sink.getvalue()


def test_locate_names_the_row_of_the_whole_input_when_it_spans_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in messages count over all blocks, for text and for numbers."""
    monkeypatch.setattr(command, "_BLOCK_BYTES", 1024)
    good = "ra,dec\n" + "10.5,20.5\n" * 1000
    for bad, message in (("x,1", "row 1000: 'x' is not a number"), ("400,1", "row 1000: ra = 400")):
        with pytest.raises(UserError, match=message):
            run(f"{good}{bad}\n")


def test_locate_names_the_file_when_it_cannot_be_read(tmp_path: Path) -> None:
    """A missing file is named with the reason."""
    with pytest.raises(UserError, match=r"cannot read '.*absent.csv': No such file"):
        run("", str(tmp_path / "absent.csv"))


def test_locate_refuses_a_striping_before_it_reads() -> None:
    """A striping that Qserv refuses is refused here."""
    with pytest.raises(UserError, match="exceeds the sub-stripe height"):
        run("ra,dec\n", "--overlap", "1")
