"""Log lines on standard error and in files."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import NODE_ANSWERS, NODE_SILENT, ROUND_BEGUN
from skyshard.log.line_output import LogOutput, write_logs, write_logs_of_environment

LOGGER = logging.getLogger("skyshard")


@pytest.fixture(autouse=True)
def logger_as_before() -> Iterator[None]:
    """Each test leaves the logger as it found it."""
    handlers, level, propagates = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    for handler in LOGGER.handlers:
        if handler not in handlers:
            handler.close()
    LOGGER.handlers[:], LOGGER.propagate = handlers, propagates
    LOGGER.setLevel(level)


def tell_all() -> None:
    """A warning, an info, a debug event."""
    ONLY_LOGGED.tell(NODE_SILENT, node="node1", silence_s=30.0, sessions=2)
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    ONLY_LOGGED.tell(ROUND_BEGUN, query="q_1", round=1, chunks=2, units=2, nodes="node1")


def test_a_library_is_silent() -> None:
    """Without being asked for, not even a warning reaches standard error."""
    program = "from skyshard.log.event_log import ONLY_LOGGED\nfrom skyshard.log import events\n"
    program += "ONLY_LOGGED.tell(events.NODE_SILENT, node='node1', silence_s=30.0, sessions=2)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 3), (5, 3)])
def test_more_vs_give_more_lines(verbose: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    """-v shows what happened, -vv how as well."""
    write_logs(LogOutput.of_options(verbose, None, False))
    tell_all()
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_line_has_time_level_process_event_and_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines for people."""
    write_logs(LogOutput.of_options(1, None, False))
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    moment, level, process, *rest = capsys.readouterr().err.split()
    assert (moment[10], moment[-1], level) == ("T", "Z", "INFO")
    assert process.strip("[]").isdigit()
    assert " ".join(rest) == "node_answers: node1: answers again"


def test_lines_go_where_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress bars put themselves in its place, and write what comes above them."""
    write_logs(LogOutput.of_options(1, None, False))
    bars = io.StringIO()
    monkeypatch.setattr(sys, "stderr", bars)
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    assert bars.getvalue().endswith("node_answers: node1: answers again\n")


def test_json_lines_have_the_fields(tmp_path: Path) -> None:
    """Lines for programs; a file alone has what -v shows."""
    file = tmp_path / "skyshard.log"
    write_logs(LogOutput.of_options(0, file, True))
    tell_all()
    silent, answers = map(json.loads, file.read_text().splitlines())
    assert silent["fields"] == {"node": "node1", "silence_s": 30.0, "sessions": 2}
    assert (answers["event"], answers["level"], answers["logger"]) == ("node_answers", "info", "skyshard.node")


def test_asking_again_replaces_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No line is written twice."""
    write_logs(LogOutput.of_options(1, tmp_path / "one.log", False))
    write_logs(LogOutput.of_options(0, tmp_path / "two.log", False))
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    assert capsys.readouterr().err == ""
    assert (tmp_path / "one.log").read_text() == ""
    assert len((tmp_path / "two.log").read_text().splitlines()) == 1


def test_child_processes_are_told_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was chosen goes through the environment and comes back the same."""
    chosen = LogOutput.of_options(2, tmp_path / "shared.log", True)
    assert LogOutput.of_environment(chosen.environment) == chosen
    for name, value in chosen.environment.items():
        monkeypatch.setenv(name, value)
    write_logs_of_environment()
    write_logs_of_environment()
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    assert len((tmp_path / "shared.log").read_text().splitlines()) == 1


def test_an_option_goes_before_the_environment() -> None:
    """What the command line leaves open is the environment's."""
    environment = LogOutput.of_environment(
        {"SKYSHARD_LOG": "debug", "SKYSHARD_LOG_FILE": "/tmp/x", "SKYSHARD_LOG_JSON": "0"}
    )
    assert LogOutput.of_options(1, None, False).or_else(environment) == LogOutput(logging.INFO, Path("/tmp/x"), False)


def test_a_log_that_cannot_be_written_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The disk may be full, standard error closed: the work goes on."""
    write_logs(LogOutput.of_options(0, Path("/dev/full"), False))
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    assert capsys.readouterr().err == ""
