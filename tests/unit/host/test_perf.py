"""Stacks of perf, and what is said where perf cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.host.perf import folded, read_stacks, why_not

SCRIPT = """mariadbd 
\t          882e9f sub_select (/usr/sbin/mariadbd)
\t          8aefd0 JOIN::exec_inner (/usr/sbin/mariadbd)
\t          c7f647 [unknown] (/usr/sbin/mariadbd)

mariadbd 
\tffffffff813a2413 finish_task_switch.isra.0 ([kernel.kallsyms])
\t           fc26f __GI___poll (inlined)
\t          8a4000 handler::ha_rnd_next(unsigned char*) (/usr/sbin/mariadbd)

mariadbd 
\t          882e9f sub_select (/usr/sbin/mariadbd)
\t          8aefd0 JOIN::exec_inner (/usr/sbin/mariadbd)
\t          c7f647 [unknown] (/usr/sbin/mariadbd)
"""  # noqa: W291


def test_equal_stacks_are_counted_outermost_first() -> None:
    """A function without name is the file that it is in."""
    stacks = read_stacks(SCRIPT)
    assert stacks == {
        ("mariadbd", "[mariadbd]", "JOIN::exec_inner", "sub_select"): 2,
        ("mariadbd", "handler::ha_rnd_next(unsigned char*)", "__GI___poll", "finish_task_switch.isra.0"): 1,
    }
    assert folded(stacks).splitlines()[0] == "mariadbd;[mariadbd];JOIN::exec_inner;sub_select 2"


def test_nothing_sampled_is_no_stack() -> None:
    """An empty recording."""
    assert read_stacks("\n") == {}


def test_a_host_without_perf_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line with its remedy."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not([1]) == "perf is not installed; install it (Debian: apt install linux-perf)"


def test_a_host_that_forbids_perf_is_told_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """perf's own first line, and the kernel's setting with what to set."""
    program = tmp_path / "perf"
    program.write_text("#!/bin/sh\necho 'Access to performance monitoring is limited:' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = why_not([1])
    assert said.startswith("perf may not sample the servers (Access to performance monitoring is limited; kernel.perf")
    assert "perf_event_paranoid" in said
