"""A flame graph as SVG: a box for each function, as wide as its share of the samples, on what called it. No I/O."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH, LINE, LEFT, TOP = 1200, 18, 10, 40
LEAST = 0.5
"""Narrower boxes, in pixels, are left out."""
LETTER = 6.6
"""Mean width of a letter."""


@dataclass(slots=True)
class _Call:
    name: str
    count: int = 0
    calls: dict[str, _Call] = field(default_factory=dict)


def flame_svg(stacks: Mapping[tuple[str, ...], int], title: str) -> str:
    """The graph of stacks, outermost function first in each and at the bottom of the page."""
    root = _tree(stacks)
    boxes = list(_boxes(root, LEFT, WIDTH - 2 * LEFT, 0))
    height = TOP + (max((depth for *_, depth in boxes), default=0) + 1) * LINE + 10
    shapes = "".join(_shape(call, x, width, height - 10 - (depth + 1) * LINE, root) for call, x, width, depth in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="22" font-size="14">{escape(title)}</text>{shapes}</svg>\n'
    )


def _tree(stacks: Mapping[tuple[str, ...], int]) -> _Call:
    root = _Call("all")
    for stack, count in Counter(stacks).items():
        root.count += count
        call = root
        for name in stack:
            call = call.calls.setdefault(name, _Call(name))
            call.count += count
    return root


def _boxes(call: _Call, x: float, width: float, depth: int) -> Iterator[tuple[_Call, float, float, int]]:
    if width < LEAST:
        return
    yield call, x, width, depth
    for _, inner in sorted(call.calls.items()):
        share = width * inner.count / call.count
        yield from _boxes(inner, x, share, depth + 1)
        x += share


def _shape(call: _Call, x: float, width: float, y: float, root: _Call) -> str:
    letters = int((width - 6) / LETTER)
    shown = call.name if len(call.name) <= letters else f"{call.name[: letters - 1]}…" if letters > 3 else ""
    hue = 10 + zlib.crc32(call.name.encode()) % 45
    told = escape(f"{call.name}: {call.count:,} samples, {call.count / root.count:.1%}")
    text = f'<text x="{x + 3:.1f}" y="{y + 13:.1f}">{escape(shown)}</text>' if shown else ""
    box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LINE - 1}" fill="hsl({hue},80%,70%)" rx="1"/>'
    return f"<g><title>{told}</title>{box}{text}</g>"
