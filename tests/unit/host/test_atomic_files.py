"""Files are complete or absent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skyshard.host.atomic_files import new_file, write_atomically


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    """Until then there is only a draft in the same folder; afterwards no draft is left."""
    path = tmp_path / "a.json"
    with new_file(path) as draft:
        draft.write_text("{}")
        assert not path.exists()
        assert draft.parent == tmp_path
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there_before(tmp_path: Path) -> None:
    """Neither half a file nor a draft."""
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail_halfway(draft: Path) -> None:
        draft.write_text("ne")
        raise RuntimeError

    with pytest.raises(RuntimeError), new_file(path) as draft:
        fail_halfway(draft)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("content", "found"), [("æ", "æ".encode()), (b"\0\1", b"\0\1"), (memoryview(b""), b"")])
@pytest.mark.parametrize("is_synced", [False, True])
def test_content_is_written_as_it_is_given(
    tmp_path: Path, content: str | bytes | memoryview, found: bytes, is_synced: bool
) -> None:
    """Text is UTF-8 on every host; bytes are bytes."""
    write_atomically(tmp_path / "a", content, is_synced=is_synced)
    assert (tmp_path / "a").read_bytes() == found


def test_several_threads_may_write_one_file(tmp_path: Path) -> None:
    """Each has a draft of its own: the file is that of one of them, whole."""
    path = tmp_path / "a"
    texts = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_atomically(path, text), texts))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
