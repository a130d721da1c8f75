"""An error of a command is one line of text, whatever stands in the names that it shows."""

from __future__ import annotations

import os
import subprocess
import sys


def test_the_name_of_a_file_is_spelled_out() -> None:
    """Neither its line ends, nor what tells a terminal to do something, nor what is no text are written as they are."""
    name = b"two\nlines, red\x1b[31m, \xce\xbb, no text\xff"
    shown = b"two\\nlines, red\\x1b[31m, \xce\xbb, no text\\xff"
    words = [os.fsencode(sys.executable), b"-m", b"skyshard.cli.app", b"plan", name]
    done = subprocess.run(words, capture_output=True, env=os.environ | {"PYTHONUTF8": "1"})
    assert done.returncode == 2
    assert done.stderr == b"skyshard: no source '" + shown + b"'; check the path\n"
