"""What a server's numbers and words mean: who can mend it, and whether to try again."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import ClusterError, NoRoom, SkyshardError, UserError
from skyshard.db.server_errors import Kind, UnknownDatabase, error_of, harmed_index


@pytest.mark.parametrize(
    ("kind", "code", "words", "wanted", "is_retryable"),
    [
        (Kind.SERVER, 1064, "You have an error in your SQL syntax", UserError, False),
        (Kind.SERVER, 1146, "Table 'sky.Objct' doesn't exist", UserError, False),
        (Kind.SERVER, 1049, "Unknown database 'sky'", UnknownDatabase, False),
        (Kind.SERVER, 2006, "Server has gone away", ClusterError, True),
        (Kind.SYSTEM, 111, "Connection refused", ClusterError, True),
        (Kind.SERVER, 1205, "Lock wait timeout exceeded", ClusterError, True),
        (Kind.SERVER, 1021, "Disk full", NoRoom, False),
        (Kind.INTERNAL, 4000, "No space left on device", NoRoom, False),
        (Kind.INTERNAL, 4000, "something inside", ClusterError, False),
        (Kind.SERVER, 1030, "Got error 122 from storage engine", ClusterError, False),
        (Kind.SERVER, 23, "Out of resources when opening file './sky/t.MYD' (Errcode: 24)", ClusterError, True),
        (Kind.SERVER, 1016, "Can't open file: './sky/t.MYI' (errno: 24 \"Too many open files\")", ClusterError, True),
        (Kind.SERVER, 1016, "Can't open file: './sky/t.MYI' (errno: 2 \"No such file\")", ClusterError, False),
        (Kind.SERVER, 1041, "Out of memory.", ClusterError, True),
        (Kind.INTERNAL, 139, "Too big row", UserError, False),
        (Kind.SERVER, 1105, "XPATH syntax error: 'a'", UserError, False),
        (Kind.SERVER, 1105, "Unknown error", ClusterError, False),
    ],
)
def test_an_error_is_that_of_who_can_mend_it(
    kind: Kind, code: int, words: str, wanted: type[SkyshardError], is_retryable: bool
) -> None:
    """The statement, the machine, or a server that another try may find alive."""
    found = error_of(kind, code, words, "node1.sock", "SELECT 1\nFROM t")
    assert type(found) is wanted
    assert words in str(found)
    assert "\n" not in str(found)
    assert getattr(found, "retryable", False) is is_retryable


def test_a_long_statement_is_cut_and_stands_in_one_line() -> None:
    """Its beginning tells which it was."""
    sql = "\n  SELECT " + ", ".join(f"c{number}" for number in range(1000))
    found = error_of(Kind.SERVER, 1054, "Unknown column", "node1.sock", sql)
    assert found.what.startswith("node1.sock: Unknown column (1054) in 'SELECT c0, c1")
    assert len(found.what) < 200


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("Index for table './sky/Object_7.MYI' is corrupt; try to repair it", "skyshard verify sky"),
        ("Table 'skyshard_scratch/sky__p0.MYI' is marked as crashed and should be repaired", "skyshard verify sky"),
    ],
)
def test_a_harmed_index_names_what_mends_it(words: str, remedy: str) -> None:
    """The database is the user's, also where its table lies in one of Skyshard's own."""
    found = harmed_index(words)
    assert found is not None
    assert remedy in found.remedy
    assert harmed_index("Table 'sky.Object' doesn't exist") is None
