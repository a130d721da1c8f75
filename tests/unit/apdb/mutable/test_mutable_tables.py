"""Mutable tables as SQL."""

from __future__ import annotations

from skyshard.apdb.mutable.mutable_tables import node_statements, node_table, partition_name
from skyshard.catalog.layout import Layout, Striping

LAYOUT = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), mutable=True, engine="Aria")


def test_rows_are_clustered_by_chunk_and_month() -> None:
    """What is read of a region in some months lies together."""
    assert node_table("DiaSource").primary_key == ("chunkId", "subChunkId", "month", "diaSourceId")


def test_the_newest_versions_are_not_parted_by_month() -> None:
    """An object's row stays where it is, whenever it was seen last."""
    assert node_table("DiaObjectLast").primary_key == ("chunkId", "subChunkId", "diaObjectId")
    assert node_table("DiaObjectLast").find("month") is None


def test_tables_have_the_engine_of_the_layout_and_a_partition_a_month() -> None:
    """The tables of visits; what says which objects are gone is changed with them, so its engine is theirs."""
    *tables, gone = node_statements(LAYOUT)
    assert all("ENGINE=Aria" in text for text in (*tables, gone))
    assert [("PARTITION BY LIST" in text) for text in tables] == [True, False, True, True]
    assert "`GoneObjects`" in gone


def test_months_before_the_first_have_names_that_mariadb_takes() -> None:
    """Clocks go wrong; a partition's name has no minus."""
    assert partition_name(-1) == "m_1"
