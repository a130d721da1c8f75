"""Figures as SVG inside a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FixedLocator
from tests.support.svg_texts import svg_texts, unreadable

from skyshard.pages.svg import INK, MAY_GO, STYLE, new_figure, to_svg


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


def test_labels_that_would_overprint_another_or_be_cut_are_left_out() -> None:
    """Forty ticks from edge to edge: those that stay can be read, and the lines of all stay."""
    with mpl.rc_context(STYLE):
        figure = new_figure(300, 120)
        axes = figure.add_axes((0.0, 0.3, 1.0, 0.6))
        axes.plot(np.arange(40.0))
        axes.margins(x=0)
        axes.xaxis.set_major_locator(FixedLocator(list(range(40))))
        axes.text(5, 30, "first", label=MAY_GO)
        axes.text(5.2, 30, "second", label=MAY_GO)
        axes.yaxis.set_visible(False)
        svg = to_svg(figure, name="many", title="many")
    assert unreadable(svg) == []
    shown = [one.text for one in svg_texts(svg)]
    assert 5 < len(shown) < 20
    assert "0" not in shown
    assert "first" in shown
    assert "second" not in shown
    assert svg.count('id="many-xtick_') == 40


def test_what_cannot_be_read_is_seen() -> None:
    """The check itself: two texts at one place, and one beyond the edge."""
    with mpl.rc_context(STYLE):
        figure = new_figure(100, 50)
        for x, text in ((0.5, "one"), (0.52, "two"), (0.98, "beyond the edge")):
            figure.text(x, 0.5, text)
        found = unreadable(to_svg(figure, name="bad", title="bad"))
    assert any("'one' over 'two'" in one for one in found)
    assert any("'beyond the edge' is cut" in one for one in found)
