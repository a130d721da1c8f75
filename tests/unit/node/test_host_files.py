"""Files of a host: read in parts, written in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError
from skyshard.node.host_files import BatchPart, FilePart, HostFiles

FILES = HostFiles()


def test_parts_of_files_come_one_after_the_other_and_go_to_their_places(tmp_path: Path) -> None:
    """One block brings the ends of two files into two others, of which one is continued."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(f"{name}-0123456789".encode())
    parts = (
        FilePart(str(tmp_path / "a"), 2, 10),
        FilePart(str(tmp_path / "b"), 2, 4),
        FilePart(str(tmp_path / "b"), 0, 0),
    )
    block = FILES.read(parts)
    assert block.tobytes() == b"01234567890123"
    one, two = str(tmp_path / "inner" / "one"), str(tmp_path / "inner" / "two")
    FILES.write((FilePart(one, 0, 10), FilePart(two, 0, 4)), block)
    FILES.write((FilePart(two, 4, 2),), np.frombuffer(b"xy", np.uint8))
    assert Path(one).read_bytes() == b"0123456789"
    assert Path(two).read_bytes() == b"0123xy"


def test_batches_of_several_files_become_one_file(tmp_path: Path) -> None:
    """In the order in which they are asked for."""
    for name, numbers in (("a", [[1], [2, 3]]), ("b", [[4]])):
        with pa.ipc.new_file(tmp_path / name, pa.schema([("i", pa.int64())])) as writer:
            for some in numbers:
                writer.write_batch(pa.record_batch([pa.array(some)], ["i"]))
    block = FILES.read((BatchPart(str(tmp_path / "b"), 0), BatchPart(str(tmp_path / "a"), 1)))
    FILES.write((FilePart(str(tmp_path / "c"), 0, 0),), block)
    with pa.memory_map(str(tmp_path / "c")) as source:
        opened = pa.ipc.open_file(source)
        assert [opened.get_batch(number)["i"].to_pylist() for number in range(2)] == [[4], [2, 3]]


@pytest.mark.parametrize("size", [4, 0])
def test_a_file_that_is_gone_or_too_short_is_named(tmp_path: Path, size: int) -> None:
    """A bundle of which a host lost the end, or all, is never taken for one with other rows."""
    path = tmp_path / "rows"
    if size:
        path.write_bytes(b"x" * (size - 1))
    with pytest.raises(ClusterError, match=r"rows'.*run the ingest again"):
        FILES.read((FilePart(str(path), 0, size),))


def test_only_one_folder_is_kept(tmp_path: Path) -> None:
    """Without a name, nothing is."""
    for name in ("7", "8"):
        (tmp_path / "sky" / name).mkdir(parents=True)
    FILES.keep_only(str(tmp_path / "sky"), "8")
    assert [path.name for path in (tmp_path / "sky").iterdir()] == ["8"]
    FILES.keep_only(str(tmp_path / "sky"), "")
    FILES.keep_only(str(tmp_path / "sky"), "8")
    assert not (tmp_path / "sky").exists()


def test_a_file_is_told_by_size_and_date_and_one_that_is_not_seen_is_none(tmp_path: Path) -> None:
    """So that hosts can say whether they see the same file."""
    (tmp_path / "a").write_bytes(b"abc")
    found, missing = FILES.states([str(tmp_path / "a"), str(tmp_path / "b")])
    assert found is not None
    assert (found.size, found.changed_ns) == (3, (tmp_path / "a").stat().st_mtime_ns)
    assert missing is None


def test_what_is_on_its_way_is_for_its_owner_only(tmp_path: Path) -> None:
    """Rows of a catalog are nobody else's; a folder that its operator made keeps its rights."""
    FILES.prepare(str(tmp_path / "made" / "staging"))
    assert (tmp_path / "made" / "staging").stat().st_mode & 0o777 == 0o700
    (tmp_path / "given").mkdir(mode=0o750)
    FILES.prepare(str(tmp_path / "given"))
    assert (tmp_path / "given").stat().st_mode & 0o777 == 0o750
