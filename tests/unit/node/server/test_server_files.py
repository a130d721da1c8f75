"""Files of tables in a server's data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.node.server.server_files import ServerFiles


@pytest.fixture
def data(tmp_path: Path) -> ServerFiles:
    """A database ``sky`` with one table, and a text of LOAD DATA."""
    for database in ("sky", SCRATCH_DATABASE):
        (tmp_path / database).mkdir()
    for ending in ("MYD", "MYI", "frm"):
        (tmp_path / "sky" / f"Object_12.{ending}").write_bytes(b"12345")
    (tmp_path / "sky" / "db.opt").touch()
    return ServerFiles(tmp_path)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_files_of_a_known_table_are_no_leftovers(data: ServerFiles) -> None:
    """Data, index and definition belong to the table, the options to the database."""
    assert data.leftovers("sky", ["Object_12"]) == []


def test_files_of_a_table_that_the_server_does_not_know_are_leftovers(data: ServerFiles) -> None:
    """All three files are listed, sorted."""
    assert names(data.leftovers("sky", [])) == ["Object_12.MYD", "Object_12.MYI", "Object_12.frm"]


def test_a_temporary_file_beside_a_table_is_a_leftover(data: ServerFiles) -> None:
    """A repair that was killed leaves a file whose ending no table has."""
    (data.path / "sky" / "Object_12.TMD").touch()
    assert names(data.leftovers("sky", ["Object_12"])) == ["Object_12.TMD"]


def test_texts_of_load_data_are_leftovers_of_their_database(data: ServerFiles) -> None:
    """The text of a killed load is found; that of another database is not this one's."""
    (data.path / SCRATCH_DATABASE / "load-sky-Object_12-77.tsv").touch()
    (data.path / SCRATCH_DATABASE / "load-sea-Object_12-77.tsv").touch()
    assert names(data.leftovers("sky", ["Object_12"])) == ["load-sky-Object_12-77.tsv"]


def test_leftovers_can_be_asked_for_by_the_begin_of_their_name(data: ServerFiles) -> None:
    """Files of other tables are not looked at."""
    (data.path / "sky" / "Source_12.MYD").touch()
    (data.path / SCRATCH_DATABASE / "load-sky-Source_12-77.tsv").touch()
    assert names(data.leftovers("sky", [], "Source")) == ["Source_12.MYD", "load-sky-Source_12-77.tsv"]


def test_odd_names_are_spelt_as_the_server_spells_them(data: ServerFiles) -> None:
    """A name with other letters has the server's spelling in database and table."""
    assert data.data_file("a-b", "x y") == data.path / "a@002db" / "x@0020y.MYD"


def test_bytes_of_a_table_are_those_of_all_its_files(data: ServerFiles) -> None:
    """Data, index and definition count; a table that is not there has none."""
    assert data.table_bytes("sky", "Object_12") == 15
    assert data.table_bytes("sky", "Object_13") == 0
