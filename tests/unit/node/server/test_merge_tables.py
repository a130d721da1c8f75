"""Tables over several parts, made through a session that notes what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skyshard.catalog.schema import Column, Table
from skyshard.node.messages import MergeTableOrder
from skyshard.node.server.merge_tables import make_merge_tables
from skyshard.node.server.server_files import ServerFiles, file_name
from skyshard.rowimage.sqltype import parse_type

TABLE = Table("t", (Column("i", parse_type("int")),))


class Session:
    """Stands in for a session: a CREATE makes the definition and the list, as the server does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []

    def execute(self, sql: str) -> int:
        self.told.append(sql)
        if sql.startswith("CREATE TABLE"):
            name = file_name(sql.split("`")[1])
            (self.folder / f"{name}.frm").write_text("definition")
            (self.folder / f"{name}.MRG").write_text("by the server")
        return 0


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "sky").mkdir()
    return Session(tmp_path / "sky")


def make(session: Any, engine: str, **parts: tuple[str, ...]) -> None:
    make_merge_tables(session, ServerFiles(session.folder.parent), MergeTableOrder("sky", TABLE, engine, parts))


def test_one_merge_table_is_created_and_the_others_get_its_definition(session: Session) -> None:
    """The second table costs no CREATE: its definition is the first one's file, its list names its own parts."""
    make(session, "MyISAM", t_1_g2=("t_1", "t_1_p2"), t_2_g2=("t_2", "t_2_p2"))
    assert [sql.split("(")[0] for sql in session.told] == ["CREATE TABLE `t_1_g2` "]
    assert (session.folder / "t_2_g2.frm").samefile(session.folder / "t_1_g2.frm")
    assert (session.folder / "t_2_g2.MRG").read_text() == "t_2\nt_2_p2\n"


def test_a_part_with_an_odd_name_is_listed_by_the_server(session: Session) -> None:
    """Who spells a name in a list of parts otherwise than in SQL leaves that to the server."""
    make(session, "MyISAM", **{"t_1_g2": ("t_1", "t_1_p2"), "a-b_g2": ("a-b", "a-b_p2")})
    assert len(session.told) == 2
    assert (session.folder / "a@002db_g2.MRG").read_text() == "by the server"


def test_what_was_there_is_replaced(session: Session) -> None:
    """A table of the name is dropped, and half a one that a killed loader left goes too."""
    for name in ("t_1_g2.frm", "t_1_g2.MRG", "t_2_g2.MRG"):
        (session.folder / name).write_text("old")
    make(session, "MyISAM", t_1_g2=("t_1", "t_1_p2"), t_2_g2=("t_2", "t_2_p2"))
    assert session.told[0] == "DROP TABLE IF EXISTS `t_1_g2`"
    assert (session.folder / "t_1_g2.frm").read_text() == "definition"
    assert (session.folder / "t_2_g2.MRG").read_text() == "t_2\nt_2_p2\n"


def test_other_engines_get_views(session: Session) -> None:
    """Only MyISAM tables can be merged; the others are shown by a view each."""
    make(session, "InnoDB", t_1_g2=("t_1", "t_1_p2"), t_2_g2=("t_2", "t_2_p2"))
    assert session.told[:2] == ["DROP VIEW IF EXISTS `t_1_g2`, `t_2_g2`", "DROP TABLE IF EXISTS `t_1_g2`, `t_2_g2`"]
    assert [sql.split(" AS ")[0] for sql in session.told[2:]] == ["CREATE VIEW `t_1_g2`", "CREATE VIEW `t_2_g2`"]
