"""Texts of a figure's SVG with their places, for tests that they can be read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from itertools import combinations

WIDTH_EM, HEIGHT_EM = 0.5, 0.7
"""Size of a letter in ems, smaller than in most fonts: what overlaps so overlaps in any of them."""


@dataclass(frozen=True, slots=True)
class SvgText:
    """One text with the box that it fills, in the figure's units, y downwards."""

    text: str
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: SvgText) -> bool:
        is_beside = self.right <= other.left or other.right <= self.left
        return not is_beside and self.top < other.bottom and other.top < self.bottom


def svg_texts(svg: str) -> list[SvgText]:
    """The texts of an SVG in order."""
    return [_placed(one) for one in ET.fromstring(svg).iter() if one.tag.endswith("text") and (one.text or "").strip()]


def _placed(one: ET.Element) -> SvgText:
    """The box of a text, from its anchor, its size and where it stands."""
    style, text = one.attrib.get("style", ""), (one.text or "").strip()
    size = float(_found(r"font-size: ([\d.]+)", style) or _found(r"font: (?:\w+ )*([\d.]+)px", style) or 11)
    x, y = float(one.attrib.get("x", 0)), float(one.attrib.get("y", 0))
    if move := re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", one.attrib.get("transform", "")):
        x, y = x + float(move.group(1)), y + float(move.group(2))
    width = WIDTH_EM * size * len(text)
    left = x - {"middle": width / 2, "end": width}.get(_found(r"text-anchor: (\w+)", style), 0.0)
    return SvgText(text, left, left + width, y - HEIGHT_EM * size, y)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""


def unreadable(svg: str) -> list[str]:
    """What of a figure cannot be read: texts over one another, or beyond its edge; empty when all can."""
    box = [float(one) for one in ET.fromstring(svg).attrib["viewBox"].split()]
    texts = svg_texts(svg)
    cut = [f"'{one.text}' is cut" for one in texts if one.left < box[0] or one.right > box[2] or one.top < box[1]]
    return cut + [f"'{one.text}' over '{other.text}'" for one, other in combinations(texts, 2) if one.overlaps(other)]
