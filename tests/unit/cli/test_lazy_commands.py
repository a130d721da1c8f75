"""Commands are imported when they run, and not before."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from skyshard.cli.app import app
from skyshard.cli.lazy_commands import LazyCommand, members

_LISTED = (
    "import sys; from skyshard.cli.app import main; sys.argv = ['skyshard', '--help']\n"
    "try: main()\n"
    "except SystemExit: print([name for name in sys.modules if name.startswith('skyshard.cli.commands.')])"
)


def test_help_reads_the_table_alone() -> None:
    """``skyshard --help`` imports the module of no command."""
    done = subprocess.run([sys.executable, "-c", _LISTED], capture_output=True, text=True, check=True)
    assert "bench" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_placeholder_becomes_its_command_when_its_words_are_parsed() -> None:
    """The context of a command is that of the function's own command, with its options."""
    placeholder = members("")["locate"]
    assert isinstance(placeholder, LazyCommand)
    assert [one.name for one in placeholder.params] == []
    context = placeholder.make_context("locate", [], resilient_parsing=True)
    assert {one.name for one in context.command.params} >= {"stripes", "substripes", "overlap", "file"}


def test_a_hidden_command_runs_but_is_not_listed() -> None:
    """``run-query`` is for a process of Skyshard's own."""
    assert members("")["run-query"].hidden
    assert "run-query" not in CliRunner().invoke(app, ["--help"]).stdout
    assert CliRunner().invoke(app, ["run-query", "--help"]).exit_code == 0


def test_a_group_without_a_command_shows_its_help_and_ends_with_2() -> None:
    """A script that forgot the command sees that it did."""
    found = CliRunner().invoke(app, ["bench"])
    assert found.exit_code == 2
    assert "compare" in found.stdout


def test_a_group_with_a_function_has_the_commands_of_the_table_too() -> None:
    """``transactions`` lists, and knows ``abort``."""
    group = members("")["transactions"].loaded
    assert list(group.commands) == ["abort"]
    assert {one.name for one in group.params} >= {"database", "cluster"}
    assert isinstance(typer.main.get_command(app).commands["transactions"], LazyCommand)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(
    "words",
    [
        ("compact", "sky", "--grace"),
        ("bench run", "quick", "--duration"),
        ("bench compare", "new", "--against", "old", "--threshold"),
        ("diff", "new", "old", "--radius"),
    ],
    ids=lambda words: words[0],
)
def test_no_option_takes_an_infinity_or_nan(words: tuple[str, ...], value: str) -> None:
    """A grace period or a threshold without end would be kept, or would let everything pass, whatever its bounds."""
    above, _, name = words[0].rpartition(" ")
    group = members("")[above].commands if above else members("")
    with pytest.raises(typer.BadParameter, match=f"{value} is no finite number|greater than or equal"):
        group[name].make_context(name, [*words[1:], value])


def test_an_option_takes_a_large_number() -> None:
    """Only infinities and NaN are refused."""
    assert members("")["compact"].make_context("compact", ["sky", "--grace", "1e9"]).params["grace"] == 1e9
