"""Folders with metadata.json: what they describe is read, their chunk numbers are checked, never trusted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.partitioned import conversions_of, digests_of, partition_all
from tests.support.small_metadata import edit_json, positions, write_metadata_folder

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.chunking import Chunker
from skyshard.ingest.partition.given_chunks import FOREIGN
from skyshard.ingest.sources.open_source import open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_metadata_folder(tmp_path / "handed")


def some(folder: Path, pattern: str) -> Path:
    """The first file of several rows."""
    return next(path for path in sorted(folder.glob(pattern)) if path.read_bytes().count(b"\n") > 2)


def own_file(folder: Path, step: str = "step1") -> Path:
    return next(p for p in sorted((folder / step).glob("chunk_*.txt"))
                if "overlap" not in p.name and p.read_bytes().count(b"\n") > 2)  # fmt: skip


def change_field(path: Path, row: int, field: int, value: str) -> None:
    lines = path.read_text().split("\n")
    values = lines[row].split(",")
    values[field] = value
    lines[row] = ",".join(values)
    path.write_text("\n".join(lines))


def refused(folder: Path, staging: Path) -> str:
    with pytest.raises(UserError) as caught:
        partition_all(open_source(folder), staging)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_description_is_read(folder: Path) -> None:
    """Tables, roles, indexes, slices with their chunks, and the dialect by file ending."""
    source = open_source(folder)
    table = source.tables["Object"]
    assert (source.kind, source.database) == ("folder with metadata.json", "handed")
    assert (table.layout.role, table.layout.key, table.layout.position) == (Role.DIRECTOR, "objectId", ("ra", "decl"))
    assert table.table.column_names == ["objectId", "ra", "decl", "name"]
    assert [(key.name, key.columns) for key in table.table.keys] == [("by_name", ("name(4)", "objectId"))]
    assert {piece.chunk for piece in table.slices if piece.is_overlap} <= {piece.chunk for piece in table.slices}
    assert source.tables["Source"].layout.director == "Object"
    assert source.tables["Filter"].layout.role is Role.REGULAR


def test_rows_and_overlap_are_those_of_the_files(folder: Path, tmp_path: Path) -> None:
    """Own rows, copies and dependents stand where geometry says, and nothing of the overlap files is loaded twice."""
    reports = partition_all(open_source(folder), tmp_path / "staging")
    chunker = Chunker(85, 12, 0.01667)
    ra, dec = positions(200)
    own, copies = chunker.locate(ra, dec)[0], chunker.overlap_copies(ra, dec).chunk_ids
    found = digests_of(reports["Object"])
    assert {chunk: d.rows for (chunk, is_copy), d in found.items() if not is_copy} == {
        int(chunk): int((own == chunk).sum()) for chunk in own
    }
    assert sum(d.rows for (_, is_copy), d in found.items() if is_copy) == len(copies) > 20
    assert sum(report.rows for report in reports["Object"]) == 200
    assert {c: d.rows for (c, _), d in digests_of(reports["Source"]).items()} == {
        int(chunk): 2 * int((own == chunk).sum()) for chunk in own
    }


def test_chunk_files_without_lists_of_overlaps_have_those_beside_them(folder: Path) -> None:
    """A director whose description lists no overlaps is compared with the overlap files that are there."""
    metadata = json.loads((folder / "metadata.json").read_text())
    del metadata["tables"][1]["data"][0]["overlaps"]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    slices = open_source(folder).tables["Object"].slices
    assert {p.chunk for p in slices if p.is_overlap} == {
        int(path.name.split("_")[1]) for path in folder.glob("step1/*_overlap.txt")
    } & {p.chunk for p in slices if not p.is_overlap}


def test_files_without_chunk_columns_are_located(folder: Path, tmp_path: Path) -> None:
    """Chunk files that do not repeat the numbers in their rows are checked against the chunk in their names."""
    with_numbers = digests_of(partition_all(open_source(folder), tmp_path / "one")["Object"])
    for path in folder.glob("step1/*.txt"):
        rows = [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()]
        path.write_text("".join(f"{row}\n" for row in rows))
    for path in folder.glob("step1/*_overlap.txt"):
        path.unlink()
    metadata = json.loads((folder / "metadata.json").read_text())
    del metadata["tables"][1]["data"][0]["overlaps"]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    assert digests_of(partition_all(open_source(folder), tmp_path / "two")["Object"]) == with_numbers
    path = own_file(folder)
    change_field(path, 1, 2, "-44.5")
    assert f"'{path}', row 2: the row belongs to chunk" in refused(folder, tmp_path / "three")


def test_claim_counts_by_its_decimal_text_and_the_row_by_what_is_stored(tmp_path: Path) -> None:
    """A FLOAT next to a chunk border: the files are right by their digits, the rows go where the rounded value is."""
    folder = write_metadata_folder(tmp_path / "near", rows=1)
    border = 180 / 85 - 90 + 30 * 180 / 85
    lower, _ = Chunker(85, 12, 0.01667).locate([10.0], [border - 1e-7])
    upper, _ = Chunker(85, 12, 0.01667).locate([10.0], [border + 1e-7])
    assert lower[0] != upper[0]
    chunks, subs = Chunker(85, 12, 0.01667).locate([10.0, 10.0], [border - 1e-7, border + 1e-7])
    for i, (chunk, sub) in enumerate(zip(chunks, subs, strict=True)):
        dec = border + (1e-7 if i else -1e-7)
        (folder / "step1" / f"chunk_{chunk}.txt").write_text(f"{i},10.0,{dec:.10f},x,{chunk},{sub}\n")
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["tables"] = [
        {"schema": "Object.json", "data": [{"directory": "step1", "chunks": [int(c) for c in chunks]}]}
    ]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    reports = partition_all(open_source(folder), tmp_path / "staging")["Object"]
    stored = np.array([border - 1e-7, border + 1e-7]).astype(np.float32).astype(np.float64)
    here, _ = Chunker(85, 12, 0.01667).locate([10.0, 10.0], stored)
    assert here[0] == here[1] != max(chunks)  # -24.352941 and -24.3529414 are one FLOAT
    assert [s.chunk for r in reports for s in r.segments if not s.is_overlap] == [here[0], here[0]]
    assert conversions_of(reports)["ra and decl: rounded into another sub-chunk"] == 1


ROUNDED = "objectId: its 'Object' rounded into another sub-chunk"


@pytest.mark.parametrize("has_numbers", [True, False])
def test_rows_follow_a_director_that_rounding_moved_into_another_chunk(tmp_path: Path, has_numbers: bool) -> None:
    """At 360 degrees, which is 0: given where the digits are, stored where the director is."""
    folder = write_metadata_folder(tmp_path / "near", rows=2000)
    ra, dec = positions(2000)
    given = Chunker(85, 12, 0.01667).locate(ra, dec)[0]
    assert (np.flatnonzero(ra.astype(np.float32) == 360.0).tolist(), given[1047]) == ([1047], 7308)
    stored = np.where(np.arange(2000) == 1047, 7140, given)
    if not has_numbers:
        for path in folder.glob("step2/*.txt"):
            path.write_text("".join(f"{line.rsplit(',', 2)[0]}\n" for line in path.read_text().splitlines()))
    reports = partition_all(open_source(folder), tmp_path / "staging")
    for name, each in (("Object", 1), ("Source", 2)):
        found = {chunk: d.rows for (chunk, is_copy), d in digests_of(reports[name]).items() if not is_copy}
        assert found == {int(chunk): each * int((stored == chunk).sum()) for chunk in stored}
    assert conversions_of(reports["Source"])[ROUNDED] == 2


def test_rows_farther_from_their_director_than_it_rounds_are_refused(tmp_path: Path) -> None:
    """Sub-chunks that do not meet its own, one in the same sub-stripe and one that does not exist, and far chunks."""
    folder = write_metadata_folder(tmp_path / "handed")
    path = own_file(folder, "step2")
    fields = path.read_text().split("\n")[1].split(",")
    for field, number in ((4, int(fields[4]) - 2), (4, int(fields[4]) + 2), (4, 999), (3, 0)):
        change_field(path, 1, field, str(number))
        assert "where director 'Object' says chunk" in refused(folder, tmp_path / f"staging{number}")
        change_field(path, 1, field, fields[field])


def test_row_in_the_wrong_chunk_is_refused(folder: Path, tmp_path: Path) -> None:
    """File, row and both numbers, for the chunk and for the sub-chunk."""
    path = own_file(folder)
    change_field(path, 2, 5, "999")
    message = refused(folder, tmp_path / "staging")
    assert f"'{path}', row 3: chunkId {path.stem.split('_')[1]}, subChunkId 999 where position (" in message
    change_field(path, 2, 4, "17")
    assert f"'{path}', row 3: chunkId 17, subChunkId 999 where position (" in refused(folder, tmp_path / "two")


def test_row_of_another_file_is_refused(folder: Path, tmp_path: Path) -> None:
    """A row whose numbers are right but which stands in another chunk's file is named with both chunks."""
    one, two = [p for p in sorted(folder.glob("step1/chunk_*.txt")) if "overlap" not in p.name][:2]
    one.write_text(one.read_text() + two.read_text().split("\n")[0] + "\n")
    rows = one.read_text().count("\n")
    message = refused(folder, tmp_path / "staging")
    assert f"'{one}', row {rows}: the row belongs to chunk {two.stem.split('_')[1]}, the file to chunk" in message


def test_dependent_in_another_chunk_than_its_director_is_refused(folder: Path, tmp_path: Path) -> None:
    """A dependent without position is checked against its director's place."""
    path = own_file(folder, "step2")
    change_field(path, 0, 4, "3")
    message = refused(folder, tmp_path / "staging")
    assert f"'{path}', row 1: chunkId" in message
    assert "where director 'Object' says chunk" in message


def test_orphan_without_position_stays_in_its_chunk(folder: Path, tmp_path: Path) -> None:
    """A dependent whose director is unknown is kept where the file has it, and counted."""
    path = own_file(folder, "step2")
    change_field(path, 0, 1, "77")
    reports = partition_all(open_source(folder), tmp_path / "staging")["Source"]
    orphans = {chunk: count for report in reports for chunk, count in report.orphans.items()}
    assert orphans == {int(path.stem.split("_")[1]): 1}


def test_overlap_row_that_is_no_copy_is_refused(folder: Path, tmp_path: Path) -> None:
    """A row in an overlap file outside the margin of the sub-chunk that it names is named."""
    path = some(folder, "step1/*_overlap.txt")
    change_field(path, 1, 5, "0")
    message = refused(folder, tmp_path / "staging")
    assert f"'{path}', row 2: position (" in message
    assert "is not in the overlap of chunk" in message


@pytest.mark.parametrize("change", ["lost", "twice", "other value"])
def test_overlap_that_differs_is_refused(folder: Path, tmp_path: Path, change: str) -> None:
    """A copy that is lost, occurs twice or has another value is found by count or digest."""
    path = some(folder, "step1/*_overlap.txt")
    lines = path.read_text().splitlines()
    if change == "lost":
        lines = lines[1:]
    elif change == "twice":
        lines.append(lines[0])
    else:
        lines[0] = lines[0].replace(",n", ",m")
    path.write_text("".join(f"{line}\n" for line in lines))
    message = refused(folder, tmp_path / "staging")
    assert f"table 'Object': the overlap of chunk {path.stem.split('_')[1]} has" in message
    due = len(lines) + {"lost": 1, "twice": -1, "other value": 0}[change]
    assert ("other rows than due" if change == "other value" else f"{len(lines)} rows where {due} are due") in message


def test_overlap_of_chunks_that_were_not_handed_over_is_left_out(folder: Path, tmp_path: Path) -> None:
    """In a catalog cut out of a larger one, copies of rows that are not in it are counted and not stored."""
    metadata = json.loads((folder / "metadata.json").read_text())
    item = metadata["tables"][1]["data"][0]
    dropped = int(some(folder, "step1/*_overlap.txt").stem.split("_")[1])
    item["chunks"].remove(dropped)
    metadata["tables"] = metadata["tables"][1:2]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    reports = partition_all(open_source(folder), tmp_path / "staging")["Object"]
    chunker = Chunker(85, 12, 0.01667)
    ra, dec = positions(200)
    left = int((chunker.locate(ra, dec)[0][chunker.overlap_copies(ra, dec).row] == dropped).sum())
    assert conversions_of(reports)[FOREIGN] == left
    assert left > 0


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("metadata.json", {"database": "none.json"}, "cannot read"),
        ("metadata.json", {"charset_name": "koi8r"}, "charset_name 'koi8r'"),
        ("Object.json", {"longitude_key": "alpha"}, "no column 'alpha'"),
        ("Object.json", {"longitude_key": ""}, "director 'Object' has no position columns"),
        ("Source.json", {"director_table": "other.Object"}, "follows director 'other.Object' of another database"),
        ("idx_Object.json", {"columns": [{"column": "nix"}]}, "table 'Object' has no column 'nix'"),
        ("idx_Object.json", {"table": "Source"}, "describes an index of table 'Source'"),
        ("Filter.json", {"schema": [{"name": "shape", "type": "hypercube"}]}, "unsupported column type 'hypercube'"),
        ("database.json", {"num_stripes": 0}, "does not say how to stripe the sky"),
    ],
)
def test_wrong_description_is_one_line(folder: Path, name: str, changes: dict[str, object], words: str) -> None:
    """Each mistake in the small files names file and key."""
    edit_json(folder / name, **changes)
    with pytest.raises(UserError) as caught:
        open_source(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(folder: Path) -> None:
    """A chunk file that metadata.json names and that is not there is refused before anything is read."""
    path = own_file(folder)
    path.unlink()
    with pytest.raises(UserError, match=rf"metadata.json names '{path}', which is missing"):
        open_source(folder)


def test_overlap_file_of_a_dependent_is_refused(folder: Path) -> None:
    """Only directors have overlap."""
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["tables"][0]["data"][0]["overlaps"] = [7140]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    with pytest.raises(UserError, match=r"table 'Source' is no director but has overlap files \(chunk 7140\)"):
        open_source(folder)


def test_file_listed_twice_is_refused(folder: Path) -> None:
    """The same rows would be stored twice."""
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["tables"][0]["data"] *= 2
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    with pytest.raises(UserError, match="twice"):
        open_source(folder)


def test_compressed_chunk_files_are_found(folder: Path, tmp_path: Path) -> None:
    """chunk_<id>.txt.gz stands for chunk_<id>.txt."""
    plain = digests_of(partition_all(open_source(folder), tmp_path / "one")["Object"])
    for path in folder.glob("step1/*.txt"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert digests_of(partition_all(open_source(folder), tmp_path / "two")["Object"]) == plain


def test_utf8_is_stored_as_latin1(tmp_path: Path) -> None:
    """With charset_name utf8 an é of two bytes is one byte in the table, and counted; no UTF-8 is refused."""
    folder = write_metadata_folder(tmp_path / "utf8", charset="utf8mb4")
    path = own_file(folder)
    for overlap in folder.glob("step1/*_overlap.txt"):
        overlap.unlink()
    metadata = json.loads((folder / "metadata.json").read_text())
    del metadata["tables"][1]["data"][0]["overlaps"]
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b",n", ",é".encode(), 1))
    reports = partition_all(open_source(folder), tmp_path / "one", ["Object"])["Object"]
    assert conversions_of(reports).keys() == {"name: UTF-8 → latin1", "ra: rounded to FLOAT", "decl: rounded to FLOAT"}
    assert conversions_of(reports)["name: UTF-8 → latin1"] == 1
    path.write_bytes(raw.replace(b",n", b",\xe9", 1))
    assert "row 1, column 'name'" in refused(folder, tmp_path / "two")


def test_empty_chunk_files_are_no_rows(folder: Path, tmp_path: Path) -> None:
    """Empty files, several of them, are slices without rows."""
    metadata = json.loads((folder / "metadata.json").read_text())
    for chunk in (1, 2):
        (folder / "step1" / f"chunk_{chunk}.txt").write_text("")
        metadata["tables"][1]["data"][0]["chunks"].append(chunk)
    edit_json(folder / "metadata.json", tables=metadata["tables"])
    reports = partition_all(open_source(folder), tmp_path / "staging")["Object"]
    assert sum(report.rows for report in reports) == 200
    assert len({report.digest for report in reports}) == len(reports)
