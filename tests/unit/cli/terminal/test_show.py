"""What commands show of progress."""

from __future__ import annotations

import json

import pytest

from skyshard.basics.progress import Progress, Watcher, announce
from skyshard.cli.terminal.show import print_table, progress_bars


def work(watcher: Watcher) -> None:
    announce(watcher, "1/1 the only step")
    for done in (1, 2):
        watcher(Progress("load", done, 2, rows=1000 * done, bytes=500_000, elapsed_s=1.0))


def test_without_a_terminal_finished_stages_and_notes_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a stage, when it is finished; notes at once; nothing on standard output."""
    with progress_bars() as watcher:
        work(watcher)
    assert capsys.readouterr() == ("", "1/1 the only step\nload: 2/2, 2 000 rows, 500.0 kB, 2 krow/s\n")


def test_quiet_leaves_notes_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Sentences that a command says of itself are not progress."""
    with progress_bars(quiet=True) as watcher:
        work(watcher)
    assert capsys.readouterr().err == "1/1 the only step\n"


def test_notes_go_where_a_command_wants_them() -> None:
    """The demo says its steps on standard output."""
    said: list[str] = []
    with progress_bars(quiet=True, notes=said.append) as watcher:
        work(watcher)
    assert said == ["1/1 the only step"]


def test_events_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Every step is an object of its own."""
    with progress_bars(as_json=True, notes=lambda _: None) as watcher:
        work(watcher)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(event["stage"], event["done"], event["total"]) for event in events] == [("load", 1, 2), ("load", 2, 2)]


def test_lines_of_a_table_are_as_long_as_they_need_where_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """A path of 500 characters stands on one line, whole, without blanks after it."""
    path = "/data/" + "x" * 494
    print_table(["rows", "path"], [[1234, path], [5, "/y"]], is_folded=False)
    assert [line.split(maxsplit=1)[-1] for line in capsys.readouterr().out.splitlines()] == [
        "path", f"234  {path}", "/y"
    ]  # fmt: skip
    print_table(["path"], [[path]])
    assert path not in capsys.readouterr().out
