"""Files of several packed streams: all of their bytes, or an error that says which stream is broken."""

from __future__ import annotations

import bz2
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.ingest.text.packed_streams import open_bzip2, open_xz
from skyshard.ingest.text.text_fields import Dialect
from skyshard.ingest.text.text_file import row_blocks

PACK: dict[str, Callable[[bytes], bytes]] = {"bzip2": bz2.compress, "xz": lzma.compress}
OPEN = {"bzip2": open_bzip2, "xz": open_xz}
ROWS = [b"".join(b"%d,%d\n" % (number, part) for number in range(200)) for part in range(3)]
LONG = random.Random(1).randbytes(100_000) + bytes(1 << 20)
"""Two streams of it are longer than what is read at once, packed and unpacked."""


def read(path: Path) -> bytes:
    return b"".join(block.data for block in row_blocks(str(path), Dialect(b",")))


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("between", [b"", bytes(4), bytes(1 << 17)])
def test_all_streams_are_read(tmp_path: Path, kind: str, between: bytes) -> None:
    """Also behind zero bytes, with which some fill up blocks of a tape, and behind streams that hold nothing."""
    path, pack = tmp_path / "t.csv", PACK[kind]
    path.write_bytes(between.join([pack(b""), *map(pack, ROWS), pack(b""), b""]))
    assert read(path) == b"".join(ROWS)


@pytest.mark.parametrize("kind", PACK)
def test_a_file_of_nothing_has_no_rows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(PACK[kind](b""))
    assert read(path) == b""


@pytest.mark.parametrize("kind", PACK)
def test_streams_longer_than_what_is_read_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(2 * PACK[kind](LONG))
    assert path.stat().st_size > 1 << 17
    with OPEN[kind](path) as file:
        assert file.read() == LONG + LONG


def damaged(packed: bytes) -> bytes:
    """One byte of its beginning is another."""
    return packed[:5] + bytes([packed[5] ^ 0x10]) + packed[6:]


def damaged_inside(packed: bytes) -> bytes:
    return packed[:40] + bytes(byte ^ 0x10 for byte in packed[40:60]) + packed[60:]


def cut_off(packed: bytes) -> bytes:
    return packed[:-9]


def cut_off_early(packed: bytes) -> bytes:
    return packed[:3]


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("harm", [damaged, damaged_inside, cut_off, cut_off_early])
def test_a_broken_stream_is_named(tmp_path: Path, kind: str, number: int, harm: Callable[[bytes], bytes]) -> None:
    """None of its rows, nor of those behind it, is left out without a word."""
    path, streams = tmp_path / "t.csv", [*map(PACK[kind], ROWS)]
    streams[number - 1] = harm(streams[number - 1])
    path.write_bytes(b"".join(streams))
    with pytest.raises(UserError, match=rf"t\.csv' is a broken packed file: stream {number}\b.*copy the file again"):
        read(path)


@pytest.mark.parametrize("kind", PACK)
def test_rubbish_behind_the_last_stream_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(PACK[kind](ROWS[0]) + b"rubbish")
    with pytest.raises(UserError, match="is a broken packed file: stream 2"):
        read(path)
