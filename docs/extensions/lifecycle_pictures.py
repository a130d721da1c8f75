"""Draws the lifecycles of the pages (Mermaid state diagrams) as SVG, so that the site needs no script and no network.

Only what ``skyshard.registry.stored.lifecycle.diagram`` writes is read: ``[*] --> state``, ``state --> state: event``,
``state --> [*]``.
"""

from __future__ import annotations

import re

from layered_drawing import Arrow, Box, draw

START = "●"
_LINE = re.compile(r"\s*(?P<start>\[\*\]|[\w-]+) --> (?P<end>\[\*\]|[\w-]+)(?:: (?P<event>[\w-]+))?")

Step = tuple[str, str, str]
"""A state, the state after it, and the event between them."""


def picture(diagram: str, title: str) -> str:
    """The SVG of a diagram; a state after which nothing follows has a heavy frame.

    Raises:
        ValueError: a line is none of the three kinds, or the diagram is of another kind.
    """
    heading, *lines = diagram.strip().splitlines()
    if heading != "stateDiagram-v2":
        raise ValueError(f"only state diagrams are drawn, not '{heading}'")
    steps = [_step(line) for line in lines]
    rows = _rows(steps)
    last = {start for start, end, _ in steps if end == "[*]"}
    boxes = [
        [
            Box(
                state,
                loop=", ".join(event for start, end, event in steps if start == end == state),
                is_last=state in last,
            )
            for state in row
        ]
        for row in rows
    ]
    return draw([[Box(START)], *boxes], [Arrow(START, rows[0][0]), *_arrows(steps, rows)], title)


def _step(line: str) -> Step:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"no step of a state diagram: '{line}'")
    return found["start"], found["end"], found["event"] or ""


def _rows(steps: list[Step]) -> list[list[str]]:
    """States by the number of steps from the first one, in the order of their lines."""
    levels = {end: 0 for start, end, _ in steps if start == "[*]"}
    order = list(dict.fromkeys(start for start, _, _ in steps if start != "[*]"))
    for start in order:
        for one, end, _ in steps:
            if one == start and end != "[*]" and order.index(end) > order.index(start):
                levels[end] = max(levels.get(end, 0), levels[start] + 1)
    return [[state for state in order if levels[state] == level] for level in range(max(levels.values()) + 1)]


def _arrows(steps: list[Step], rows: list[list[str]]) -> list[Arrow]:
    """Arrows between different states; one that leads back up is drawn downwards with its head at the top."""
    level = {state: number for number, row in enumerate(rows) for state in row}
    arrows = []
    for start, end, event in steps:
        if start == end or "[*]" in (start, end):
            continue
        is_back = level[end] < level[start]
        upper, lower = (end, start) if is_back else (start, end)
        arrows.append(Arrow(upper, lower, f"{start} → {end}: {event}", event, is_back))
    return arrows
