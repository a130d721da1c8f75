"""Shells complete commands, options and values: asked by their own completion, with the scripts that are printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyshard.cli.app import app

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``skyshard`` is the command of this interpreter, and ``script`` what it prints for bash."""
    folder = tmp_path_factory.mktemp("bin")
    file = folder / "skyshard"
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -m skyshard.cli.app "$@"\n')
    file.chmod(0o755)
    script = subprocess.run([file, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    (folder / "script").write_text(script)
    return folder


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, first on the path."""
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def asked(words: list[str], text: str) -> list[str]:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=True)
    return done.stdout.split()


BASH = """
source script
complete_line() {
  COMP_WORDS=($1); [[ $1 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  _skyshard_completion skyshard
  printf '%s\\n' "${COMPREPLY[@]}"
}
complete_line "LINE"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("skyshard qu", {"quality", "query", "queries"}),
        pytest.param("skyshard cluster st", {"start", "stop", "status"}, marks=pytest.mark.deep),
        pytest.param("skyshard query --data", {"--database"}, marks=pytest.mark.deep),
        ("skyshard query --format pa", {"parquet"}),
        pytest.param("skyshard bench run --le", {"--leave-out"}, marks=pytest.mark.deep),
    ],
)
def test_bash_completes(command: Path, line: str, wanted: set[str]) -> None:
    """The function that the script defines gives what begins with the word: commands, options, values of options."""
    assert "complete -o default -F _skyshard_completion skyshard" in (command / "script").read_text()
    found = asked(["bash", "--norc", "-c", f"cd {command}; {BASH.replace('LINE', line)}"], "")
    assert set(found) == wanted


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish here")
def test_fish_completes(command: Path) -> None:
    """fish's own ``complete -C`` gives commands with their help."""
    text = "skyshard completion fish | source\ncomplete -C 'skyshard qu'\n"
    assert {"query", "queries"} <= set(asked(["fish", "--no-config"], text))


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
def test_zsh_reads_the_script(command: Path) -> None:
    """zsh takes the script as it is printed, and knows the function afterwards."""
    text = 'autoload -Uz compinit; compinit -D; eval "$(skyshard completion zsh)"; print ${_comps[skyshard]}\n'
    assert asked(["zsh", "-f"], text) == ["_skyshard_completion"]


def test_an_unknown_shell_is_refused() -> None:
    """Only shells whose script there is can be named."""
    assert CliRunner().invoke(app, ["completion", "ksh"]).exit_code == 2
