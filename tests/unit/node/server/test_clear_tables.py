"""Names are free for new tables, whatever was left under them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skyshard.node.server.clear_tables import clear_tables
from skyshard.node.server.server_files import ServerFiles


class Session:
    """Notes what it is told; a dropped table's files go, as the server removes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []

    def execute(self, sql: str) -> int:
        self.told.append(sql)
        for name in sql.split("`")[1::2]:
            for path in self.folder.glob(f"{name}.*"):
                path.unlink()
        return 0


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "sky").mkdir()
    return Session(tmp_path / "sky")


def clear(session: Any, *names: str) -> None:
    clear_tables(session, ServerFiles(session.folder.parent), "sky", names)


def touch(session: Session, *names: str) -> None:
    for name in names:
        (session.folder / name).touch()


def left(session: Session) -> list[str]:
    return sorted(path.name for path in session.folder.iterdir())


def test_a_table_that_the_server_knows_is_dropped(session: Session) -> None:
    """One that has its definition; the others are files only, and no statement is lost on them."""
    touch(session, "a.frm", "a.MYD", "b.MYD", "b.MYI")
    clear(session, "a", "b", "c")
    assert session.told == ["DROP TABLE IF EXISTS `a`"]
    assert left(session) == []


def test_nothing_is_asked_of_the_server_where_no_table_is(session: Session) -> None:
    """Half-made files of any engine are removed."""
    touch(session, "a.MYD", "a.MAI", "a.ibd")
    clear(session, "a")
    assert session.told == []
    assert left(session) == []


def test_other_tables_stay(session: Session) -> None:
    """Also those whose names begin alike."""
    touch(session, "a.frm", "a_2.frm", "a_2.MYD", "db.opt")
    clear(session, "a")
    assert left(session) == ["a_2.MYD", "a_2.frm", "db.opt"]
