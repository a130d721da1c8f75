"""Where a command logs, by its options."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.cli.terminal.log_lines import write_log
from skyshard.log.line_output import FILE_VARIABLE, JSON_VARIABLE, LEVEL_VARIABLE, LogOutput, write_logs

VARIABLES = (LEVEL_VARIABLE, FILE_VARIABLE, JSON_VARIABLE)


@pytest.fixture(autouse=True)
def nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable is set before, none and no handler stays behind."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "x")  # so that what the command sets is undone
        monkeypatch.delenv(name)
    yield
    write_logs(LogOutput())
    logging.getLogger("skyshard").setLevel(logging.NOTSET)
    logging.getLogger("skyshard").propagate = True


def test_a_command_that_asks_for_nothing_changes_nothing() -> None:
    """No handler, no variable."""
    before = logging.getLogger("skyshard").handlers[:]
    write_log(0, None, is_json=False)
    assert logging.getLogger("skyshard").handlers == before
    assert not any(name in os.environ for name in VARIABLES)


def test_options_are_handed_on_to_child_processes(tmp_path: Path) -> None:
    """The environment says what the options said."""
    write_log(2, tmp_path / "skyshard.log", is_json=True)
    assert [os.environ[name] for name in VARIABLES] == ["debug", str(tmp_path / "skyshard.log"), "1"]


def test_the_environment_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SKYSHARD_LOG and SKYSHARD_LOG_FILE ask for what the options would."""
    monkeypatch.setenv(LEVEL_VARIABLE, "info")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "skyshard.log"))
    write_log(0, None, is_json=False)
    assert {type(one).__name__ for one in logging.getLogger("skyshard").handlers} >= {"_Lines", "_FileLines"}


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """One line with the file, the reason and the remedy."""
    with pytest.raises(UserError, match=r"cannot write the log .*gone/skyshard.log: No such file.*--log-file"):
        write_log(0, tmp_path / "gone" / "skyshard.log", is_json=False)
