"""Files in the page cache: read, dropped, counted."""

from __future__ import annotations

from pathlib import Path

from skyshard.host.page_cache import disk_bytes, drop_page_cache, files_below, fill_page_cache


def test_files_are_read_and_dropped_and_stay_as_they_are(tmp_path: Path) -> None:
    """What a cold trial does to a data file changes nothing in it."""
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "rows.MYD"
    file.write_bytes(b"x" * 100_000)
    files = list(files_below([tmp_path, tmp_path / "none"]))
    assert files == [file]
    assert fill_page_cache(files, 1 << 30) == 100_000
    assert fill_page_cache(files, 0) == 0
    assert drop_page_cache([*files, tmp_path / "gone"]) == 1
    assert file.read_bytes() == b"x" * 100_000
    assert disk_bytes(files) >= 100_000
    assert disk_bytes([tmp_path / "gone"]) == 0
