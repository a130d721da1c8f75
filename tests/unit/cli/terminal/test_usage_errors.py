"""Wrong words on the command line end with one line and exit code 2."""

from __future__ import annotations

import sys

import pytest

from skyshard.cli import app

LINES = {
    "synth": "skyshard: synth: missing option '--out'; run skyshard synth --help",
    "plan": "skyshard: plan: missing argument 'source'; run skyshard plan --help",
    "synth tiny --out": "skyshard: synth: option '--out' requires an argument; run skyshard synth --help",
    "qeury": "skyshard: no such command 'qeury'; did you mean 'query'? run skyshard --help",
    "cluster start --nods 3": (
        "skyshard: cluster start: no such option: --nods; did you mean --nodes? run skyshard cluster start --help"
    ),
    "cluster start --nodes x": (
        "skyshard: cluster start: invalid value for '--nodes': Input should be a valid integer; "
        "run skyshard cluster start --help"
    ),
    "locate a b": "skyshard: locate: missing option '--stripes'; run skyshard locate --help",
    "transactions abort": "skyshard: transactions abort: missing argument 'N'; run skyshard transactions abort --help",
    "--none": "skyshard: no such option: --none; run skyshard --help",
}


@pytest.mark.usefixtures("untuned")
@pytest.mark.parametrize("words", LINES)
def test_wrong_words_are_told_in_one_line_with_what_helps(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the command, what is wrong with its words, and the help to run; the exit code is 2."""
    monkeypatch.setattr(sys, "argv", ["skyshard", *words.split()])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == [LINES[words]]
