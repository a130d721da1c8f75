"""How work grows with its input, counted and not timed: what the interpreter does, instruction by instruction."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

CHUNKS, NODES = 2_000, 60
SMALLER = 5
"""The same is done with so many times fewer chunks and nodes."""
SLACK = 1.2
"""Of sorting, and of what is done once."""


def instructions(work: Callable[[], object]) -> int:
    """Instructions of Python code that some work takes; what is done in C counts as one."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def assert_linear(work: Callable[[int, list[str]], Callable[[], object]]) -> None:
    """Five times the chunks on five times the nodes take five times the instructions.

    Args:
        work: what is to be counted, for so many chunks and these nodes; making its input does not count.
    """
    chunks, nodes = (CHUNKS // SMALLER, CHUNKS), (NODES // SMALLER, NODES)
    few, many = (
        instructions(work(count, [f"n{number}" for number in range(names)]))
        for count, names in zip(chunks, nodes, strict=True)
    )
    assert many <= SMALLER * SLACK * few, f"{few:,} instructions, then {many:,}"
