"""A folder of files becomes tables by names alone: which files are whose, which names tables get, what is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.butler_trees import CHAIN

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.folder_mapping import FolderMapping, map_folder

RUN = f"{CHAIN}/20260613T101500Z"


def mapped(folder: Path, *names: str, database: str = "") -> FolderMapping:
    """Of a folder with such Parquet files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"a": [1]}), folder / name)
    return map_folder(folder, database)


def patterns(found: FolderMapping) -> dict[str, Any]:
    return {name: table["files"] for name, table in found.content["tables"].items()}


def test_a_folder_is_a_table_and_so_is_a_stem_without_its_number(tmp_path: Path) -> None:
    """One pattern for a folder, at any depth; files of the folder itself are named."""
    found = mapped(tmp_path, "Object/a.parquet", "Object/deep/b.parquet", "Source-1.parquet", "Source-02.parquet")
    assert patterns(found) == {
        "Object": ["Object/**/*.parquet"],
        "Source": ["Source-02.parquet", "Source-1.parquet"],
    }
    assert found.left == {}


def test_files_are_named_where_a_pattern_would_take_others(tmp_path: Path) -> None:
    """Such as one that cannot be read; it is left, with why."""
    (tmp_path / "Object").mkdir()
    (tmp_path / "Object" / "torn.parquet").write_bytes(b"PAR1")
    found = mapped(tmp_path, "Object/b.parquet", "Object/a.parquet")
    assert patterns(found) == {"Object": ["Object/a.parquet", "Object/b.parquet"]}
    assert list(found.left) == ["Object/torn.parquet"]


def test_files_of_two_endings_have_two_patterns(tmp_path: Path) -> None:
    """In a fixed order."""
    assert patterns(mapped(tmp_path, "t/b.parquet", "t/a.parq")) == {"t": ["t/**/*.parq", "t/**/*.parquet"]}


@pytest.mark.parametrize(("top", "name"), [("", "sky"), ("objects/", "objects")])
@pytest.mark.parametrize("part", ["Norder={}/Dir=0", "band=b{}"])
def test_folders_that_give_a_value_are_parts_of_one_table(tmp_path: Path, top: str, name: str, part: str) -> None:
    """Whatever order of pixels, or band, they are of; one pattern finds them all."""
    found = mapped(tmp_path / "sky", *(f"{top}{part.format(n)}/Npix={n}.parquet" for n in (1, 2, 13)))
    parts = "" if top else f"{part.partition('=')[0]}=*/"
    assert patterns(found) == {name: [f"{top}{parts}**/*.parquet"]}
    assert found.left == {}


@pytest.mark.parametrize("top", ["", "dataset/"])
def test_a_sample_beside_the_parts_of_a_table_is_none_of_it(tmp_path: Path, top: str) -> None:
    """HATS has one: its rows would be there twice, or as another table."""
    found = mapped(tmp_path / "sky", f"{top}Norder=1/Dir=0/Npix=3.parquet", f"{top}data_thumbnail.parquet")
    assert patterns(found) == {top.rstrip("/") or "sky": [f"{top}Norder=*/**/*.parquet"]}
    assert found.left == {
        f"{top}data_thumbnail.parquet": f"it lies beside the parts of a table, such as '{top}Norder=1/Dir=0'"
    }


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """Nothing can write it down: neither the registry nor Arrow."""
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/t/odd\xff.parquet")
    mapped(tmp_path, "t/a.parquet", "t/b.parquet")
    (tmp_path / "t" / "b.parquet").rename(odd)
    (why,) = map_folder(tmp_path).left.values()
    assert "is not UTF-8; rename the file or folder" in why


def test_of_a_folder_without_a_file_that_can_be_read_the_first_is_named(tmp_path: Path) -> None:
    """With what is wrong with it."""
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"can be read, as 'torn.parquet': .*; copy it again"):
        map_folder(tmp_path)


def test_text_and_hidden_files_are_no_tables(tmp_path: Path) -> None:
    """Text is told; what is hidden, or Skyshard's own, is not even looked at."""
    (tmp_path / "note.csv").write_text("a,b\n1,2\n")
    found = mapped(tmp_path, "t/a.parquet", ".hidden/b.parquet", "_own/c.parquet", "t/_d.parquet")
    assert patterns(found) == {"t": ["t/a.parquet"]}
    assert list(found.left) == ["note.csv"]


def test_names_of_tables_are_sound_and_differ(tmp_path: Path) -> None:
    """Letters, digits and underscores, at most 40; case alone is no difference."""
    found = mapped(tmp_path, "my table!/a.parquet", "My-Table/b.parquet", "天/c.parquet", f"{'x' * 50}/d.parquet")
    names = list(patterns(found))
    assert sorted(names, key=str.lower) == ["My_Table", "my_tablex", "table", "x" * 40]


@pytest.mark.parametrize("name", ["we[ird]", "sta*r"])
def test_letters_that_patterns_have_a_meaning_for_are_names_here(tmp_path: Path, name: str) -> None:
    """The pattern finds the folder's files and no others."""
    found = mapped(tmp_path, f"{name}/a.parquet", "other/b.parquet")
    (pattern,) = patterns(found)[name.translate({ord(letter): "_" for letter in "[*"}).rstrip("]")]
    assert [path.name for path in tmp_path.glob(pattern)] == ["a.parquet"]


def test_of_dataset_types_of_one_table_the_first_that_are_there_count(tmp_path: Path) -> None:
    """Patches stand behind their tracts, by Butler's folders; a type that no table is known for is one of its own."""
    below = f"{RUN}/{{0}}/9813/{{0}}_9813_rings_DRP.parq"
    found = mapped(tmp_path, *(below.format(kind) for kind in ("objectTable_tract", "objectTable", "photoZ")))
    tables = found.content["tables"]
    assert tables["Object"] == {
        "files": ["**/objectTable_tract/**/*.parq*"], "otherwise": [["**/objectTable/**/*.parq*"]],
    }  # fmt: skip
    assert tables["photoZ"] == {"files": ["**/photoZ/**/*.parq*"]}
    assert found.content["runs"] == "newest"


def test_the_database_is_named_by_the_folder_or_as_it_is_asked_for(tmp_path: Path) -> None:
    """Only a Butler's tree has runs to choose from."""
    folder = tmp_path / "My Sky"
    content = mapped(folder, "t/a.parquet").content
    assert content["database"].lower().startswith("my")
    assert "runs" not in content
    assert content["input"] == str(folder)
    assert map_folder(folder, "named").content["database"] == "named"


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_parquet_is_refused(tmp_path: Path, name: str) -> None:
    """As one that is not there is."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"is no folder|no Parquet file or FITS table under"):
        map_folder(tmp_path / name)
