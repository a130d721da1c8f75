"""Maps of shares on the sky, one panel each, with a scale of its own. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skyshard.basics.array_types import Floats
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.sky_boxes import SkyBoxes, centre_of, centred_boxes
from skyshard.pages.sky_maps import COLOURS, OccupiedPart, colour_scale, whole_sky_figure
from skyshard.pages.svg import INK, RULE, new_figure

WIDEST_PART_DEG = 100.0
"""Largest extent in right ascension for which the occupied part is enlarged."""
_BELOW, _ABOVE, _BESIDE = 76, 26, 52
"""Room of a panel for its scale, its title, and its labels."""


@dataclass(frozen=True, slots=True)
class ShareMap:
    """A share in each box; NaN where there is none."""

    title: str
    shares: Floats


def share_maps(name: str, boxes: SkyBoxes, maps: Sequence[ShareMap]) -> list[Picture]:
    """The maps side by side in one picture; of a catalog that spans much of the sky, one picture each."""
    low, high = centred_boxes(boxes, centre_of(boxes))
    if float(high.max() - low.min()) <= WIDEST_PART_DEG:
        told = "The occupied part of the sky: " + "; ".join(one.title for one in maps)
        return [picture(name, told, lambda width: _panels(boxes, maps, width))]
    return [
        picture(f"{name}-{number}", f"The whole sky: {one.title}", partial(_whole, boxes, one))
        for number, one in enumerate(maps)
    ]


def _panels(boxes: SkyBoxes, maps: Sequence[ShareMap], width: int) -> Figure:
    part = OccupiedPart(boxes)
    across = len(maps) if width == WIDE else 1
    panel = min((width - _BESIDE * across) / across, 480)
    tall = part.height(panel, 1.3)
    rows = -(-len(maps) // across)
    height = (tall + _BELOW + _ABOVE) * rows
    figure = new_figure(width, height)
    for number, one in enumerate(maps):
        column, line = number % across, number // across
        left = 44 + column * (panel + _BESIDE)
        bottom = height - (line + 1) * (tall + _BELOW + _ABOVE) + _BELOW
        axes = figure.add_axes((left / width, bottom / height, panel / width, tall / height))
        norm = _norm(one)
        part.draw(axes, _fill(one, norm))
        axes.set_title(one.title, loc="left", fontsize=11, color=INK)
        bar = min(170, panel * 0.8)
        _scale(figure.add_axes((left / width, (bottom - 54) / height, bar / width, 8 / height)), norm)
    return figure


def _whole(boxes: SkyBoxes, one: ShareMap, width: int) -> Figure:
    norm = _norm(one)
    figure = whole_sky_figure(boxes, _fill(one, norm), width, foot=52)
    colour_scale(figure, norm, one.title, _percent)
    return figure


def _norm(one: ShareMap) -> Normalize:
    known = one.shares[np.isfinite(one.shares)]
    return Normalize(0.0, max(float(known.max(initial=0.0)), 1e-9))


def _fill(one: ShareMap, norm: Normalize) -> list[str]:
    """Colours by share; boxes without rows, and those without a change, are grey."""
    return [to_hex(COLOURS(norm(share))) if share > 0 else RULE for share in one.shares.tolist()]


def _scale(axes: Axes, norm: Normalize) -> None:
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    scale = figure.colorbar(mpl.cm.ScalarMappable(norm, COLOURS), cax=axes, orientation="horizontal")
    scale.outline.set_visible(False)
    scale.locator = MaxNLocator(3)
    scale.formatter = FuncFormatter(lambda value, _: _percent(value))
    scale.update_ticks()
    axes.tick_params(length=0, labelsize=10)


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"
