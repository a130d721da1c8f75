"""Pages of a mapped file: what cannot be read is an error before anybody looks at it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pyarrow as pa
import pytest

from skyshard.host.mapped_pages import require_pages


def test_pages_behind_the_end_of_a_cut_file_are_an_error(tmp_path: Path) -> None:
    """Those before it are given; to look at the others would end the process."""
    path = tmp_path / "mapped"
    path.write_bytes(bytes(8 * mmap.PAGESIZE))
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        address = pa.py_buffer(mapped).address
        require_pages(address + 100, len(mapped) - 100)
        os.truncate(path, 4 * mmap.PAGESIZE)
        require_pages(address, 4 * mmap.PAGESIZE)
        with pytest.raises(OSError, match="pages cannot be read"):
            require_pages(address + 3 * mmap.PAGESIZE, 2 * mmap.PAGESIZE)
