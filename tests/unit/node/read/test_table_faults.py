"""Faults of tables as queries read them, through a session that answers what the test says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.node.messages import RepairOrder, ShownTable
from skyshard.node.read.table_faults import find_faults, repair_tables

Answers = dict[str, Any]


class Session:
    """Answers by the beginning of a statement; an answer that is an error is raised."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.told: list[str] = []
        self.endpoint = "node1"

    def _answer(self, sql: str) -> Any:
        self.told.append(sql)
        found: Any = next((value for begin, value in self.answers.items() if sql.startswith(begin)), [])
        if isinstance(found, Exception):
            raise found
        return found(sql) if callable(found) else found

    def execute(self, sql: str) -> Any:
        return self._answer(sql)

    def rows(self, sql: str) -> Any:
        return self._answer(sql)

    def value(self, sql: str) -> Any:
        return self._answer(sql)


def opened(session: Session) -> Callable[[], Any]:
    @contextmanager
    def open_session() -> Iterator[Session]:
        yield session

    return open_session


def checked(*faults: tuple[str, str, str]) -> list[tuple[str, str, str, str]]:
    """What CHECK TABLE returns: table, kind and text of each message."""
    return [(f"sky.{name}", "check", kind, text) for name, kind, text in faults]


ONE = ShownTable("t_1", ("t_1",), 5)
TWO = ShownTable("t_2_g3", ("t_2", "t_2_p3"), 7)


def test_sound_tables_have_no_faults() -> None:
    """Warnings are none, and a table that was checked before is sound."""
    session = Session({
        "CHECK": checked(
            ("t_1", "status", "OK"), ("t_2", "status", "Table is already up to date"), ("t_2", "warning", "old")
        ),
        "SHOW CREATE": [("t_2_g3", "CREATE ... UNION=(`t_2`,`t_2_p3`)")], "SELECT COUNT": 7,
    })  # fmt: skip
    assert find_faults(opened(session), [ONE, TWO]) == {}


def test_the_first_message_of_an_index_is_told() -> None:
    """Errors, and any status that is not good."""
    session = Session({"CHECK": checked(("t_1", "error", "Found key at page 1"), ("t_1", "status", "Corrupt"))})
    assert find_faults(opened(session), [ONE]) == {"t_1": "index: Found key at page 1"}


def test_a_list_that_shows_other_parts_is_told() -> None:
    """One that misses a part, and one that counts other rows."""
    answers: Answers = {"CHECK": [], "SHOW CREATE": [("t_2_g3", "CREATE ... UNION=(`t_2`)")], "SELECT COUNT": 3}
    assert find_faults(opened(Session(answers)), [TWO]) == {"t_2_g3": "it shows t_2 where it must show t_2, t_2_p3"}
    answers["SHOW CREATE"] = [("t_2_g3", "CREATE ... UNION=(`t_2`,`t_2_p3`)")]
    assert find_faults(opened(Session(answers)), [TWO]) == {"t_2_g3": "it shows 3 rows where its parts have 7"}


def test_a_list_over_a_part_at_fault_is_not_read() -> None:
    """The part's own fault is the one to be told."""
    session = Session({"CHECK": checked(("t_2", "error", "broken"))})
    assert find_faults(opened(session), [TWO]) == {"t_2": "index: broken"}
    assert not any(sql.startswith("SELECT COUNT") for sql in session.told)


def test_a_table_that_ends_the_session_hides_no_other() -> None:
    """Tables are then checked one by one."""

    def check(sql: str) -> list[tuple[str, str, str, str]]:
        if "`t_2`" in sql:
            raise ClusterError("the server went away")
        return checked(("t_1", "error", "broken"))

    session = Session({"CHECK": check})
    faults = find_faults(opened(session), [ONE, ShownTable("t_2", ("t_2",), 1)])
    assert faults == {"t_1": "index: broken", "t_2": "the server went away"}


@pytest.mark.parametrize("refused", [UserError("access denied (1045)"), ClusterError("TLS: certificate has expired")])
def test_a_session_that_cannot_be_opened_says_nothing_of_tables(refused: Exception) -> None:
    """Neither of parts nor of lists: whoever asks gets to know why."""

    @contextmanager
    def refusing() -> Iterator[Any]:
        raise refused
        yield

    with pytest.raises(type(refused)):
        find_faults(refusing, [ONE, TWO])


@pytest.mark.parametrize("text", ["Can't open file: 't_1.MYI' (errno: 24)", "Query execution was interrupted"])
def test_a_check_that_the_server_could_not_make_says_nothing_of_tables(text: str) -> None:
    """Whoever asks gets an error that may pass."""
    session = Session({"CHECK": checked(("t_1", "error", text), ("t_1", "status", "Operation failed"))})
    with pytest.raises(ClusterError, match=re.escape(text)) as raised:
        find_faults(opened(session), [ONE])
    assert raised.value.retryable


def test_indexes_are_repaired_from_what_is_there() -> None:
    """From the index file itself, or from the definition where that is gone."""
    session: Any = Session({})
    repair_tables(session, RepairOrder("sky", ("t_1", "t_2"), "index"))
    repair_tables(session, RepairOrder("sky", ("t_1",), "definition"))
    assert session.told == ["REPAIR TABLE `t_1` QUICK", "REPAIR TABLE `t_2` QUICK", "REPAIR TABLE `t_1` USE_FRM"]
