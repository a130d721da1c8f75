"""A database keeps its columns: later files fit into them, or are refused by column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.butler_trees import objects

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.kept_columns import Definitions, with_kept_columns
from skyshard.ingest.source import Source
from skyshard.ingest.sources.open_source import open_source


def source_of(folder: Path, content: pa.Table) -> Source:
    folder.mkdir()
    pq.write_table(content, folder / "o.parquet")
    (folder / "mapping.yaml").write_text(
        "version: 1\ndatabase: made\nschema: infer\nlayout: qserv-340-3\ntables: {Object: {files: [o.parquet]}}\n"
    )
    return open_source(folder)


def definitions(source: Source) -> Definitions:
    return {name: (table.table, table.layout) for name, table in source.tables.items()}


def test_later_files_take_the_columns_of_the_database(tmp_path: Path) -> None:
    """A wider type, a longer text, another order and a column that is gone: the table stays as it is."""
    first = source_of(tmp_path / "a", objects(1, 1, flux=[0.5], band=["i"], old=[1]))
    known = definitions(first)
    content = objects(2, 1, band=["y" * 12], flux=pa.array([1.5], pa.float32())).select([4, 3, 2, 1, 0])
    later = with_kept_columns(source_of(tmp_path / "b", content), "made", known)
    table = later.tables["Object"]
    assert definitions(later) == known
    assert table.notes[-1] == "1 columns of the database that the files lack, NULL: old ..."
    (batch,) = table.reader.batches(table.slices[0], table.table, table.layout)
    assert batch.batch.to_pylist() == [
        {"objectId": 2, "coord_ra": 150.02, "coord_dec": 2.02, "flux": 1.5, "band": b"y" * 12, "old": None}
    ]
    assert batch.conversions == {"old: not in the file → NULL": 1}


def in_folders(folder: Path, *bands: str, declares: bool = False, omits: bool = False) -> Source:
    """Rows of each band in a folder that says it."""
    for number, band in enumerate(bands, 1):
        (folder / f"BAND={band}").mkdir(parents=True)
        pq.write_table(objects(number, 1), folder / f"BAND={band}" / "o.parquet")
    declared = ", declare: [{name: band, type: char(4)}]" * declares + ", omit: [Band]" * omits
    (folder / "mapping.yaml").write_text(
        "version: 1\ndatabase: made\nschema: infer\nlayout: qserv-340-3\n"
        f"tables: {{Object: {{files: ['*/o.parquet'], duplicates: keep-all{declared}}}}}\n"
    )
    return open_source(folder)


def test_folders_give_later_files_the_columns_that_the_database_has(tmp_path: Path) -> None:
    """Though the later mapping does not declare them: nothing of a path that a column is called by is lost."""
    first = in_folders(tmp_path / "a", "g", declares=True)
    later = in_folders(tmp_path / "b", "g", "__HIVE_DEFAULT_PARTITION__", "r")
    assert [note for note in later.tables["Object"].notes if "BAND=" in note] != []
    table = with_kept_columns(later, "made", definitions(first)).tables["Object"]
    batches = [batch for piece in table.slices for batch in table.reader.batches(piece, table.table, table.layout)]
    rows = [row for batch in batches for row in batch.batch.to_pylist()]
    assert {row["objectId"]: row["band"] for row in rows} == {1: b"g", 2: None, 3: b"r"}
    assert [+batch.conversions for batch in batches] == [{}, {}, {}]
    assert not any("band" in note.lower() for note in table.notes)
    assert {piece.fingerprint() for piece in first.tables["Object"].slices} < {
        piece.fingerprint() for piece in table.slices
    }


def test_a_column_that_the_mapping_omits_is_not_taken_from_folders(tmp_path: Path) -> None:
    """It is NULL, as one of the files that is omitted: what a mapping says goes before what folders offer."""
    first = in_folders(tmp_path / "a", "g", declares=True)
    later = in_folders(tmp_path / "b", "g", "r", omits=True)
    assert not any("band" in note.lower() for note in later.tables["Object"].notes)
    table = with_kept_columns(later, "made", definitions(first)).tables["Object"]
    batches = [batch for piece in table.slices for batch in table.reader.batches(piece, table.table, table.layout)]
    assert [row["band"] for batch in batches for row in batch.batch.to_pylist()] == [None, None]


def test_files_that_came_before_folders_gave_their_values_are_known(tmp_path: Path) -> None:
    """What an earlier release took in, with NULL there, is not taken in once more."""
    first = in_folders(tmp_path / "a", "g", declares=True)
    bare = in_folders(tmp_path / "b", "g", "r")
    table = with_kept_columns(bare, "made", definitions(first)).tables["Object"]
    for piece, before in zip(table.slices, bare.tables["Object"].slices, strict=True):
        assert [reading.fingerprint() for reading in piece.readings()][1:] == [before.fingerprint()]
        assert piece.fingerprint() != before.fingerprint()


def test_later_files_may_spell_a_column_in_another_case(tmp_path: Path) -> None:
    """SQL knows one column of that name: its values are taken, not NULL."""
    first = source_of(tmp_path / "a", objects(1, 1, flux=[0.5], band=["i"]))
    content = objects(2, 1, flux=[1.5], band=["y"]).rename_columns(
        ["OBJECTID", "coord_ra", "COORD_DEC", "Flux", "Band"]
    )
    table = with_kept_columns(source_of(tmp_path / "b", content), "made", definitions(first)).tables["Object"]
    (batch,) = table.reader.batches(table.slices[0], table.table, table.layout)
    assert batch.batch.to_pylist() == [
        {"objectId": 2, "coord_ra": 150.02, "coord_dec": 2.02, "flux": 1.5, "band": b"y"}
    ]


def test_policies_are_those_of_the_source(tmp_path: Path) -> None:
    """What becomes of bad rows is said anew each time; whether keys are unique is not."""
    first, later = source_of(tmp_path / "a", objects(1, 1)), source_of(tmp_path / "b", objects(2, 1))
    table = later.tables["Object"]
    policies = {"bad_positions": "skip", "duplicates": "keep-first"}
    asked = replace(table, layout=table.layout.model_copy(update=policies))
    kept = with_kept_columns(replace(later, tables={"Object": asked}), "made", definitions(first))
    assert kept.tables["Object"].layout == first.tables["Object"].layout.model_copy(update=policies)
    several = table.layout.model_copy(update={"unique_key": False, "duplicates": "keep-all"})
    known = {"Object": (first.tables["Object"].table, several)}
    assert with_kept_columns(later, "made", known).tables["Object"].layout == several


def test_new_column_is_refused(tmp_path: Path) -> None:
    """Rows would lose it: it is named, with both ways out."""
    known = definitions(source_of(tmp_path / "a", objects(1, 1)))
    later = source_of(tmp_path / "b", objects(2, 1, new=[1], more=[2]))
    with pytest.raises(
        UserError, match=r"column 'new' and 1 more columns that table 'made.Object' does not have; omit it"
    ):
        with_kept_columns(later, "made", known)


def test_source_without_a_required_column_is_refused(tmp_path: Path) -> None:
    """NULL is no value of a NOT NULL column."""
    known = definitions(source_of(tmp_path / "a", objects(1, 1)))
    later = source_of(tmp_path / "b", pa.table({"coord_ra": [1.0], "coord_dec": [1.0]}))
    with pytest.raises(UserError, match=r"no column 'objectId', which is NOT NULL in 'made.Object'"):
        with_kept_columns(later, "made", known)


def test_tables_that_the_database_has_not_stay(tmp_path: Path) -> None:
    """A first ingest changes nothing."""
    source = source_of(tmp_path / "a", objects(1, 1))
    assert with_kept_columns(source, "made", {}) == source
