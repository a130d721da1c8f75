"""Several processes rewrite the assertions of test files in turn, each file once, before they read all of them.

pytest rewrites a file where it is imported, and keeps the result for the next process. Processes that begin at the same
time in a fresh clone import the files in the same order, so that each one rewrote all of them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

TESTS = Path(__file__).parents[1]


def rewrite_share(config: pytest.Config, folders: Sequence[str]) -> None:
    """Rewrite files that nobody has rewritten yet, and begin with the share of this process; one alone does nothing.

    What another process wrote meanwhile is left alone. What is out of date is made anew where it is imported.
    """
    told = getattr(config, "workerinput", None)
    state = config.stash.get(rewrite.assertstate_key, None)
    if told is None or told["workercount"] < 2 or state is None or state.hook is None or sys.dont_write_bytecode:
        return
    files = sorted(file for folder in folders for file in (TESTS / folder).rglob("test_*.py"))
    for file in _turned(files, int(told["workerid"].removeprefix("gw")), told["workercount"]):
        kept = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
        if not kept.exists() and rewrite.try_makedirs(kept.parent):
            with contextlib.suppress(OSError, SyntaxError, ValueError):  # said of that file where it is imported
                found, code = rewrite._rewrite_test(file, config)
                rewrite._write_pyc(state, code, found, kept)


def _turned(files: Sequence[Path], worker: int, workers: int) -> list[Path]:
    """The files from the place of a worker on, and then those before it."""
    begin = len(files) * (worker % workers) // workers
    return [*files[begin:], *files[:begin]]
