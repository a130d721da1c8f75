"""Stacks drawn as boxes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from skyshard.bench.pages.flame_graph import LEFT, WIDTH, flame_svg

STACKS = {("server", "select", "read<row>"): 30, ("server", "select"): 10, ("server", "idle"): 60}


def widths(svg: str) -> dict[str, float]:
    """Width of each box by the name of its function."""
    found = {}
    for group in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        title, box = group[0].text or "", group[1]
        found[title.partition(": ")[0]] = float(box.get("width", 0))
    return found


def test_a_box_is_as_wide_as_its_share() -> None:
    """What a function calls is within it."""
    whole = WIDTH - 2 * LEFT
    found = widths(flame_svg(STACKS, "a & b"))
    shares = {"all": 1, "server": 1, "select": 0.4, "read<row>": 0.3, "idle": 0.6}
    assert found == {name: share * whole for name, share in shares.items()}


def test_what_cannot_be_seen_is_left_out() -> None:
    """A box of less than half a pixel; text stands only where it has room."""
    svg = flame_svg({("server", "long_name_of_a_function"): 1, ("server", "other"): 100_000}, "t")
    assert "long_name_of_a_function" not in svg
    assert len(re.findall("<text", svg)) == 1 + 3
