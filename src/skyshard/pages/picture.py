"""A figure that is drawn twice, wide and narrow, so that its text is readable on a phone; the page shows the one that
fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

from skyshard.pages.svg import STYLE, any_letters, to_svg

WIDE, NARROW = 1040, 340


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure in both widths."""

    wide: str
    narrow: str
    description: str


def picture(name: str, description: str, draw: Callable[[int], Figure]) -> Picture:
    """Draw a figure in both widths; ``draw`` gets the width."""
    with mpl.rc_context(STYLE), any_letters():
        wide, narrow = (to_svg(draw(width), name=f"{name}-{width}", title=description) for width in (WIDE, NARROW))
    return Picture(wide, narrow, description)
