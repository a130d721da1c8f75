"""A process is tuned where its program allows it, and only there."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from skyshard.host.process_tuning import allow_tuning, freeze_loaded, is_tuning_allowed

pytestmark = pytest.mark.usefixtures("untuned")


def test_nothing_is_frozen_unless_the_program_allows_it() -> None:
    """A library user's garbage collector is left as it is; a program that allows it has its objects frozen."""
    frozen = gc.get_freeze_count()
    freeze_loaded()
    assert gc.get_freeze_count() == frozen
    allow_tuning()
    assert is_tuning_allowed()
    freeze_loaded()
    try:
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


SECOND_CZAR = """
from skyshard.host.process_tuning import allow_tuning, freeze_loaded
allow_tuning()
import duckdb
freeze_loaded()
"""


def test_a_program_that_freezes_the_engine_of_columns_ends_without_a_word() -> None:
    """A second czar of a process freezes DuckDB, which the first has loaded: an experiment ended with 48 lines of
    objects that were left."""
    ended = subprocess.run([sys.executable, "-c", SECOND_CZAR], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_linear_algebra_keeps_the_threads_that_the_user_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread where nothing is said; what stands in the environment is left."""
    name = "OPENBLAS_NUM_THREADS"
    monkeypatch.delenv(name, raising=False)
    allow_tuning()
    assert os.environ[name] == "1"
    monkeypatch.setenv(name, "3")
    allow_tuning()
    assert os.environ[name] == "3"
