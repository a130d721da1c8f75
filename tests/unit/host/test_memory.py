"""How much memory there is to plan with."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.host.memory import VARIABLE, host_memory_bytes, limits, memory_bytes


def test_a_user_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several clusters on one host share it so."""
    monkeypatch.setenv(VARIABLE, "2G")
    assert memory_bytes() == 2 << 30
    monkeypatch.setenv(VARIABLE, "512m")
    assert memory_bytes() == 512 << 20
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(UserError, match="no amount of memory; write it as 8G"):
        memory_bytes()


def test_else_it_is_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most."""
    monkeypatch.delenv(VARIABLE)
    assert 0 < memory_bytes() <= host_memory_bytes()


def test_the_limit_of_a_container_is_found(tmp_path: Path) -> None:
    """In its group or one above, of both versions of control groups; "max" is none."""
    own = tmp_path / "own"
    own.write_text("4:memory:/docker/abc\n0::/user/job\n")
    files = {
        "memory.max": "max\n",
        "user/memory.max": "3000\n",
        "user/job/memory.max": "2000\n",
        "memory/docker/abc/memory.limit_in_bytes": "1000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(limits(tmp_path, own)) == [1000, 2000, 3000]
    assert list(limits(tmp_path / "none", tmp_path / "none" / "own")) == []
