"""Partition tasks: alone, any number of times, anywhere, with the same result."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.support.small_match import write_catalog
from tests.support.small_metadata import edit_json, write_metadata_folder

from skyshard.basics.errors import UserError
from skyshard.ingest.partition import bundle
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_slice, require_distinct
from skyshard.ingest.source import Source
from skyshard.ingest.sources.open_source import open_source
from skyshard.ingest.text import text_file
from skyshard.node.messages import Loader


def spec_of(source: Source, table: str, staging: Path) -> PartitionSpec:
    entry = source.tables[table]
    return PartitionSpec(
        entry.table, entry.layout, source.layout.striping, entry.reader, Loader.IMAGE, str(staging)
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["mapping", "metadata"])
def test_task_that_travelled_gives_the_same(tmp_path: Path, kind: str) -> None:
    """Spec and slice survive pickling, as they do on the way to another process."""
    source = open_source(write_catalog(tmp_path) if kind == "mapping" else write_metadata_folder(tmp_path / "m"))
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    piece = source.tables["Object"].slices[0]
    here = partition_slice(spec_of(source, "Object", tmp_path / "here"), piece)
    spec, piece = pickle.loads(pickle.dumps((spec_of(source, "Object", tmp_path / "there"), piece)))
    there = partition_slice(spec, piece)
    assert here.segments == there.segments
    assert here.digest == there.digest


def test_finished_part_is_not_done_again(tmp_path: Path) -> None:
    """The second call finds the bundle, which it does not touch."""
    source = open_source(write_catalog(tmp_path))
    (tmp_path / "s").mkdir()
    spec, piece = spec_of(source, "Object", tmp_path / "s"), source.tables["Object"].slices[0]
    first = partition_slice(spec, piece)
    path = Bundle(tmp_path / "s", "Object", first.digest).path
    path.write_bytes(bytes(path.stat().st_size))
    assert partition_slice(spec, piece) == first
    assert not any(path.read_bytes())


@pytest.mark.parametrize("own_file_bytes", [1, 1 << 20])
def test_bundle_that_was_cut_off_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_file_bytes: int
) -> None:
    """A file that lost bytes or is gone, the bundle's or a segment's own, is seen before anybody reads it."""
    monkeypatch.setattr(bundle, "OWN_FILE_BYTES", own_file_bytes)
    source = open_source(write_catalog(tmp_path))
    (tmp_path / "s").mkdir()
    spec, piece = spec_of(source, "Object", tmp_path / "s"), source.tables["Object"].slices[0]
    first = partition_slice(spec, piece)
    assert any(segment.file for segment in first.segments) == (own_file_bytes == 1)
    content = _largest(tmp_path / "s", first).read_bytes()
    _largest(tmp_path / "s", first).write_bytes(content[:-1])
    cut = partition_slice(spec, piece)
    assert _largest(tmp_path / "s", cut).read_bytes() == content
    _largest(tmp_path / "s", cut).unlink()
    gone = partition_slice(spec, piece)
    assert _largest(tmp_path / "s", gone).read_bytes() == content
    for again in (cut, gone):
        assert [replace(s, file="") for s in again.segments] == [replace(s, file="") for s in first.segments]


def _largest(staging: Path, report: SliceReport) -> Path:
    return staging / max(report.files, key=lambda name: report.files[name])


def test_bundle_that_lost_its_keys_is_made_again(tmp_path: Path) -> None:
    """An ingest that is killed while it clears its bundles may have removed some files of one only."""
    source = open_source(write_metadata_folder(tmp_path / "c"))
    (tmp_path / "s").mkdir()
    spec, piece = spec_of(source, "Object", tmp_path / "s"), source.tables["Object"].slices[0]
    keys = Bundle(tmp_path / "s", "Object", partition_slice(spec, piece).digest).keys
    content = keys.read_bytes()
    keys.unlink()
    partition_slice(spec, piece)
    assert keys.read_bytes() == content


def test_refused_part_leaves_no_bundle(tmp_path: Path) -> None:
    """Neither bundle, sidecar nor temporary file."""
    folder = write_metadata_folder(tmp_path / "m")
    source = open_source(folder)
    piece = next(p for p in source.tables["Object"].slices if p.bytes and not p.is_overlap)
    path = Path(piece.path)
    path.write_text(path.read_text().replace(",n", ",far too long", 1))
    source = open_source(folder)
    piece = next(p for p in source.tables["Object"].slices if p.path == piece.path)
    (tmp_path / "s").mkdir()
    with pytest.raises(UserError, match="column 'name'"):
        partition_slice(spec_of(source, "Object", tmp_path / "s"), piece)
    assert list((tmp_path / "s").iterdir()) == []


def test_parts_of_equal_content_are_refused(tmp_path: Path) -> None:
    """Two files with the same bytes are named; two empty ones are no harm."""
    folder = write_metadata_folder(tmp_path / "m")
    (folder / "twice.tsv").write_bytes((folder / "Filter.tsv").read_bytes())
    (folder / "empty1.tsv").touch()
    (folder / "empty2.tsv").touch()
    metadata = (folder / "metadata.json").read_text()
    (folder / "metadata.json").write_text(metadata.replace('"Filter.tsv"', '"Filter.tsv", "empty1.tsv", "empty2.tsv"'))
    (tmp_path / "s").mkdir()
    source = open_source(folder)
    spec = spec_of(source, "Filter", tmp_path / "s")
    reports = [partition_slice(spec, piece) for piece in source.tables["Filter"].slices]
    require_distinct("Filter", reports)
    assert sum(report.rows for report in reports) == 2
    (folder / "metadata.json").write_text(metadata.replace('"Filter.tsv"', '"Filter.tsv", "twice.tsv"'))
    reports = [partition_slice(spec, piece) for piece in open_source(folder).tables["Filter"].slices]
    with pytest.raises(UserError, match=r"twice.tsv' and '.*Filter.tsv' have the same content"):
        require_distinct("Filter", reports)


LATE = {
    "no such day": ("date", "2023-02-28", "2023-02-29", "write YYYY-MM-DD"),
    "no such minute": ("datetime", "2023-02-28 10:59:00", "2023-02-28 10:60:00", "write YYYY-MM-DD HH:MM:SS"),
    "an hour too many": ("time(3)", "838:00:00", "839:00:00", "at most 838:59:59"),
    "before the first second": ("timestamp", "1970-01-02 00:00:00", "1969-12-31 23:59:59", "1970-01-01 00:00:01"),
    "no such year": ("year", "1901", "1900", "write four digits"),
    "no member": ("enum('u','g')", "u", "r", "write a declared member"),
    "no members": ("set('u','g')", "g,u", "g,r", "write a declared member"),
    "too many bits": ("bit(4)", "\x02", "zz", "BIT(4) is too narrow"),
    "a sign too many": ("decimal(4,1) unsigned", "2.5", "-2.5", "takes no negative value"),
}
"""Type, a value that fits, one that does not, words of the remedy."""


@pytest.mark.parametrize("loader", list(Loader))
@pytest.mark.parametrize("case", list(LATE))
def test_value_that_packing_refuses_is_named_by_file_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, loader: Loader
) -> None:
    """Whichever loader it is for, in whichever block: the file, its row, the column, the value and the remedy."""
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 40)
    kind, good, value, remedy = LATE[case]
    content = write_director(tmp_path, kind, [good, good, good, value, good])
    (tmp_path / "staging").mkdir()
    spec = replace(spec_of(content, "Object", tmp_path / "staging"), loader=loader)
    with pytest.raises(UserError) as caught:
        partition_slice(spec, content.tables["Object"].slices[0])
    where = f"'{tmp_path / 'objects.csv'}', row 4, column 'v': '{value}' does not fit {kind}"
    assert caught.value.what == where
    assert remedy in caught.value.remedy
    assert not list((tmp_path / "staging").glob("*.bundle"))


def write_director(folder: Path, kind: str, values: list[str]) -> Source:
    """A director in text, rows all over the sky, with a column ``v`` of a type."""
    rows = [f'{i},{(i * 83) % 360},{i * 7 - 30},"{value}"' for i, value in enumerate(values)]
    (folder / "objects.csv").write_text("\n".join(["id,ra,dec,v", *rows]) + "\n")
    declared = [("id", "bigint"), ("ra", "double"), ("dec", "double"), ("v", kind)]
    table = {
        "files": ["objects.csv"], "role": "director", "key": "id", "position": ["ra", "dec"],
        "declare": [{"name": name, "type": spelled} for name, spelled in declared],
    }  # fmt: skip
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
    content = {"version": 1, "database": "x", "striping": striping, "tables": {"Object": table}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
    return open_source(folder)


def test_refused_value_of_an_overlap_file_is_named_by_its_row(tmp_path: Path) -> None:
    """Rows of an overlap file are compared in another order than they stand in."""
    folder = write_metadata_folder(tmp_path / "m")
    path = max(folder.glob("step1/chunk_*_overlap.txt"), key=lambda path: path.stat().st_size)
    lines = path.read_text().splitlines()
    schema = json.loads((folder / "Object.json").read_text())
    schema["schema"][3]["type"] = "year"
    edit_json(folder / "Object.json", **schema)
    lines = [re.sub(r"n\d,", "2001,", line) for line in lines]
    lines[2] = lines[2].replace("2001,", "1850,")
    path.write_text("\n".join(lines) + "\n")
    source = open_source(folder)
    piece = next(piece for piece in source.tables["Object"].slices if piece.path == str(path))
    (tmp_path / "staging").mkdir()
    with pytest.raises(UserError, match=re.escape(f"'{path}', row 3, column 'name': '1850' does not fit year")):
        partition_slice(spec_of(source, "Object", tmp_path / "staging"), piece)
