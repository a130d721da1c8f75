"""Test files whose assertions several processes rewrite before they read them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support import shared_rewriting

BROKEN = {"of_no_python": b"def test_(", "of_nothing": b"\0"}


def test_a_file_that_is_broken_is_left_to_whoever_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The others are rewritten; it ended the whole run, of all processes, before its first test."""
    folder = tmp_path / "unit"
    folder.mkdir()
    for name, content in BROKEN.items():
        (folder / f"test_{name}.py").write_bytes(content)
    (folder / "test_whole.py").write_text("def test_it() -> None:\n    assert True\n")
    monkeypatch.setattr(shared_rewriting, "TESTS", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(request.config, "workerinput", {"workercount": 2, "workerid": "gw1"}, raising=False)
    shared_rewriting.rewrite_share(request.config, ["unit"])
    names = sorted(one.name.partition(".")[0] for one in (folder / "__pycache__").iterdir())
    assert names == ["test_whole"]
