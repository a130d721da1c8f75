"""Matplotlib figures as inline SVG with the colours and fonts of the page.

Figures are drawn in placeholder colours, which are replaced by CSS variables, so that one drawing suits the light, the
dark and the printed page. Nothing in the result refers to the network.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from html import escape
from unicodedata import east_asian_width

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

INK, MUTED, RULE, PAPER, ACCENT = "#010101", "#020202", "#030303", "#040404", "#050505"
SERIES = tuple(f"#0a0a{n:02x}" for n in range(1, 9))
"""Eight categorical colours; ``--s1`` ... ``--s8`` on the page."""

FIXED_SERIES = ("#4c7fc4", "#d0703a", "#459a76", "#a266b0", "#b8962e", "#c8607c", "#4fa3b5", "#8a8a8a")
"""The same as real colours, for points that are drawn as images."""

_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper", ACCENT: "--accent"} | {
    colour: f"--s{n}" for n, colour in enumerate(SERIES, 1)
}

STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "skyshard",
    "path.simplify": True,
}
"""Matplotlib settings under which every figure of the report is made."""

PX = 1 / 72
"""Inches per SVG user unit: a figure of ``(640 * PX, ...)`` is 640 wide."""


def new_figure(width: float, height: float) -> Figure:
    """A figure without a window, sized in SVG user units."""
    return Figure(figsize=(width * PX, height * PX), dpi=72)


MAY_GO = "_may-go"
"""Label, which no legend shows, of a text that is left out where it would overprint another."""
GAP = 4.0
"""Least distance between two labels of an axis, in SVG user units."""


def legend_name(words: str) -> str:
    """A name that every legend shows: those that begin with an underscore are left out otherwise.

    >>> legend_name("_mine").strip(), legend_name("LV")
    ('_mine', 'LV')
    """
    return f"\N{HAIR SPACE}{words}" if words.startswith("_") else words


def text_width(words: str, size: float) -> float:
    """Width of a line of text in SVG user units, with some room: a page's font is not the one that is measured here.

    >>> text_width("wide", 10) < text_width("wider", 10) < 40
    True
    """
    known = "".join(letter for letter in words if east_asian_width(letter) not in "WF")
    wide, _, _ = text_to_path.get_text_width_height_descent(
        known, FontProperties(family="DejaVu Sans", size=size), False
    )
    return 1.04 * float(wide) + size * (len(words) - len(known))


@contextlib.contextmanager
def any_letters() -> Iterator[None]:
    """Inside, nobody is warned of letters that the measured font lacks: the page's font draws them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def thin_labels(figure: Figure) -> None:
    """Hide the labels of ticks, and texts marked ``MAY_GO``, that would overprint another or leave the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    paper = Bbox.from_bounds(0, 0, *figure.canvas.get_width_height())
    for labels in _label_rows(figure):
        kept: list[Bbox] = []
        for label in labels:
            box = label.get_window_extent(renderer)
            is_inside = box.x0 >= paper.x0 and box.x1 <= paper.x1 and box.y0 >= paper.y0 and box.y1 <= paper.y1
            if is_inside and not any(other.padded(GAP, 0).overlaps(box) for other in kept):
                kept.append(box)
            else:
                label.set_visible(False)


def _label_rows(figure: Figure) -> Iterator[Sequence[Text]]:
    """Of each panel the labels of both axes that are within their range, then the texts that may go."""
    for axes in figure.axes:
        axes.apply_aspect()
        ticks = [label for axis in (axes.yaxis, axes.xaxis) if axis.get_visible() for label in _tick_labels(axis)]
        yield [*ticks, *(text for text in axes.texts if text.get_label() == MAY_GO)]


def _tick_labels(axis: Axis) -> list[Text]:
    axis.get_majorticklabels()  # makes the ticks and puts their labels into place
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = [tick for tick in axis.get_major_ticks() if low - slack <= tick.get_loc() <= high + slack]
    return [tick.label1 for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]


def to_svg(figure: Figure, *, name: str, title: str) -> str:
    """The figure as an ``<svg>`` element with a title for screen readers; ``name`` is unique on the page."""
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        thin_labels(figure)
        FigureCanvasSVG(figure).print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text, count=0)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font-family: [^;\"]*;?\s*", "", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, count=1, flags=re.DOTALL)
    body = text[text.index(">") + 1 :]
    viewbox = re.search(r'viewBox="([^"]*)"', text)
    box = viewbox.group(1) if viewbox else "0 0 100 100"
    width = box.split()[2]
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="{box}" class="plot" style="max-width:{width}px">'
        f"<title>{escape(title)}</title>{body}"
    )
