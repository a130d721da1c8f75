"""Segments go when no table is behind them any more, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from tests.support.small_segments import DATABASE, write_parts

from skyshard.columns.segment_folder import SegmentFolder, table_names


def test_a_segment_stays_while_one_of_its_tables_is_there(tmp_path: Path) -> None:
    """It is removed with the last one; a damaged file stays, for those who verify."""
    data = tmp_path / "data"
    both = write_parts(data, [(7, 0, 3), (8, 5, 2)])
    other = write_parts(data, [(7, 0, 3)], is_overlap=True)
    damaged = write_parts(data, [(9, 0, 3)])
    damaged.write_bytes(b"")
    folder = SegmentFolder.of(data, DATABASE)
    assert [sorted(table_names(one.index)) for one in folder.segments()[0]] == [
        ["ObjectFullOverlap_7"],
        ["Object_7", "Object_8_p5"],
    ]
    assert folder.sweep(["Object_8_p5", "ObjectFullOverlap_7"]) == 0
    assert folder.sweep(["Object_8_p6", "ObjectFullOverlap_7"]) == 1
    assert folder.files() == sorted([other, damaged])
    assert not both.exists()


def test_drafts_and_empty_folders_go(tmp_path: Path) -> None:
    """What a killed build leaves is removed with the next removal."""
    data = tmp_path / "data"
    path = write_parts(data, [(7, 0, 3)])
    path.with_name(f".{path.name}.123.tmp").write_bytes(b"half")
    folder = SegmentFolder.of(data, DATABASE)
    assert folder.files() == [path]
    folder.remove_drafts()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    folder.remove([path, path.with_name("gone.arrow")])
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_aside_is_no_segment_any_more(tmp_path: Path) -> None:
    """Queries do not see it; who repairs does."""
    data = tmp_path / "data"
    path = write_parts(data, [(7, 0, 3)])
    folder = SegmentFolder.of(data, DATABASE)
    folder.set_aside([path, path.with_name("gone.arrow")])
    assert folder.files() == []
    assert folder.aside() == [path.with_suffix(".damaged")]
