"""An error of a command is one line of text, whatever stands in the names that it shows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"two\nlines", b"two\\nlines"), (b"red\x1b[31m", b"red\\x1b[31m"), ("\u03bb".encode(), "\u03bb".encode()),
     (b"no text\xff", b"no text\\xff")],
)  # fmt: skip
def test_the_name_of_a_file_is_spelled_out(name: bytes, shown: bytes) -> None:
    """Neither its line ends nor what tells a terminal to do something are written as they are."""
    words = [os.fsencode(sys.executable), b"-m", b"skyshard.cli.app", b"plan", name]
    done = subprocess.run(words, capture_output=True, env=os.environ | {"PYTHONUTF8": "1"})
    assert done.returncode == 2
    assert done.stderr == b"skyshard: no source '" + shown + b"'; check the path\n"
