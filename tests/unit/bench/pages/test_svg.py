"""Figures as SVG inside a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl

from skyshard.bench.pages.svg import INK, STYLE, new_figure, to_svg


def drawn(name: str) -> str:
    with mpl.rc_context(STYLE):
        figure = new_figure(200, 100)
        figure.add_axes((0.1, 0.1, 0.8, 0.8)).plot([1, 2], [3, 4], color=INK)
        return to_svg(figure, name=name, title="a < b")


def test_a_figure_is_one_well_formed_element_with_a_title() -> None:
    """Escaped for both the label and the title; sized by its view box."""
    found = ET.fromstring(drawn("one"))
    assert found.tag == "svg"
    assert found.attrib["aria-label"] == found.findtext("title") == "a < b"
    assert found.attrib["viewBox"] == "0 0 200 100"


def test_two_figures_share_no_id() -> None:
    """Names stand before every id and every reference to one."""
    first, second = (set(re.findall(r'id="([^"]*)"', drawn(name))) for name in ("one", "two"))
    assert first
    assert not first & second
    assert {one.startswith("one-") for one in first} == {True}
    assert set(re.findall(r"url\(#([^)]*)\)", drawn("one"))) <= first


def test_a_figure_is_drawn_with_the_pages_colours_and_fonts() -> None:
    """Stand-in colours become variables of the page; no font is named, and nothing is loaded."""
    text = drawn("one")
    assert "var(--" in text
    assert INK not in text
    assert "font-family" not in text
    assert "http" not in text
