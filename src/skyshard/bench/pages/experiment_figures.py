"""An experiment's figures: effects as dots with intervals, and a map of cells by classes. Numbers in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from skyshard.basics.readable import seconds
from skyshard.bench.experiment.cells import level_text
from skyshard.bench.experiment.effects import MARGIN
from skyshard.bench.experiment.experiment_result import CellResult, ClassResult, Effect, class_text
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import INK, MUTED, RULE, SERIES, new_figure, text_width

TICKS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20)
FEW_TICKS = (0.1, 0.33, 0.5, 0.8, 1, 1.25, 2, 3, 10)
MOST_SHOWN = 30.0
"""Ratios beyond this, and the ends of intervals, are drawn at the edge."""
LINE, BETWEEN = 21, 30
"""Height of a class's line, and of the heading above the lines of a level."""
BOLD = 1.1
"""How much wider bold letters are."""


def effects_figure(factor: str, effects: Sequence[Effect]) -> Picture:
    """The effects of one factor's levels against its first, a line for each class, with intervals."""
    description = f"Effect of {factor} on the median of each class, as a ratio with its interval"
    name = "effects-" + "".join(one if one.isalnum() else "-" for one in factor)
    return picture(name, description, lambda width: _effects(factor, effects, width))


def _effects(factor: str, effects: Sequence[Effect], width: int) -> Figure:
    groups: dict[tuple[str, str], list[Effect]] = {}
    for one in effects:
        against = level_text(factor, one.against).removeprefix(f"{factor.removeprefix('set.')} ")
        groups.setdefault((level_text(factor, one.level), against), []).append(one)
    height = 44 + sum(BETWEEN + LINE * len(group) for group in groups.values())
    figure = new_figure(width, height)
    is_wide = width == WIDE
    size = 10 if is_wide else 8
    longest = max((text_width(class_text(*one.key), size) for one in effects), default=0.0)
    left = max(170 if is_wide else 126, longest + 10)
    axes = figure.add_axes((left / width, 38 / height, (width - left - 14) / width, (height - 44) / height))
    limit = _limit(effects)
    axes.set_xscale("log")
    axes.set_xlim(1 / limit, limit)
    axes.set_ylim(0, height - 44)
    y = float(height - 44)
    for levels, group in groups.items():
        y -= BETWEEN
        words = _heading(*levels, (width - 14) / BOLD, size)
        axes.text(-left / (width - left - 14), y + 7, words, transform=axes.get_yaxis_transform(), color=INK,
                  fontweight="bold", fontsize=size, va="center", ha="left")  # fmt: skip
        band = [y - LINE * len(group), y]  # not across the heading, which may be long
        axes.fill_betweenx(band, 1 / MARGIN, MARGIN, color=RULE, alpha=0.6, linewidth=0)
        axes.plot([1, 1], band, color=MUTED, linewidth=1)
        for one in group:
            y -= LINE
            _line(axes, one, y + LINE / 2, limit, size, width - left - 14)
    _ratio_axis(axes, limit, is_wide)
    return figure


def _heading(level: str, against: str, room: float, size: float) -> str:
    """Of which levels the lines below are; the longer one is cut where there is no room for both."""
    rest = f" against {against}"
    return _cut(_cut(level, max(room / 2, room - text_width(rest, size)), size) + rest, room, size)


def _limit(effects: Sequence[Effect]) -> float:
    ends = [end for one in effects for end in (one.ratio, one.low, one.high) if end]
    return min(MOST_SHOWN, max(1.25, *(max(end, 1 / end) for end in ends)) * 1.08)


def _line(axes: Axes, one: Effect, y: float, limit: float, size: float, span: float) -> None:
    colour = MUTED if not one.is_shown else SERIES[2] if one.ratio < 1 else SERIES[5]
    if one.low and one.high:
        axes.plot([max(one.low, 1 / limit), min(one.high, limit)], [y, y], color=colour, linewidth=1.6)
    face = colour if one.is_shown else "none"
    at = min(max(one.ratio, 1 / limit), limit)
    axes.plot(at, y, "o", markersize=6, markerfacecolor=face, markeredgecolor=colour, clip_on=False)
    axes.text(-8 / span, y, class_text(*one.key), transform=axes.get_yaxis_transform(), ha="right", va="center",
              color=INK, fontsize=size)  # fmt: skip


def _ratio_axis(axes: Axes, limit: float, is_wide: bool) -> None:
    ticks = [tick for tick in (TICKS if is_wide else FEW_TICKS) if 1 / limit < tick < limit]
    if limit > 4:  # those near 1 would overprint each other
        ticks = [tick for tick in ticks if tick not in (0.67, 0.8, 0.9, 1.1, 1.25, 1.5)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel(
        "times as long; left is faster" + ("; the band is the margin of equal" if is_wide else ""), loc="left"
    )


LEAST_LABELS, MOST_LABELS = 300.0, 480.0
"""Width for the cells' labels on the wide picture, beside many classes and beside few."""
LEAST_COLUMN = 74
"""Width of a column that holds its medians."""
HEAD_SIZES = (9.5, 8.5, 7.5)


def cells_figure(cells: Sequence[CellResult], classes: Sequence[ClassResult]) -> Picture:
    """Each cell's median of each class; the stronger its colour, the slower against the class's fastest cell."""
    description = "Median of each class in each cell; a stronger colour is slower against the fastest cell of the class"
    return picture("cells", description, lambda width: _cells(cells, classes, width))


def _cells(cells: Sequence[CellResult], classes: Sequence[ClassResult], width: int) -> Figure:
    is_wide = width == WIDE
    row, size = (24, 9.5) if is_wide else (20, 8)
    labels = [f"{cell.number}: {cell.label}" if is_wide else f"{cell.number}" for cell in cells]
    room = max(LEAST_LABELS, min(MOST_LABELS, width - 1.2 * LEAST_COLUMN * len(classes)))
    left = min(room, 14 + max(text_width(label, size) for label in labels)) if is_wide else 44.0
    column = (width - left - 4) / len(classes)
    heads, head_size = _heads(classes, column if is_wide else 0.0)
    above = _room_above(heads, head_size or size, is_flat=head_size > 0)
    height = above + row * len(cells) + 8
    figure = new_figure(width, height)
    axes = figure.add_axes((left / width, 4 / height, (width - left - 4) / width, row * len(cells) / height))
    axes.set_xlim(0, len(classes))
    axes.set_ylim(len(cells), 0)
    axes.axis("off")
    worst = _worst(cells)
    for place, head in enumerate(heads):
        axes.text(place + 0.5, -0.2, head, color=MUTED, fontsize=head_size or size, clip_on=False,
                  rotation=0 if head_size else 90, ha="center", va="bottom")  # fmt: skip
    for number, (cell, label) in enumerate(zip(cells, labels, strict=True)):
        words = _cut(label, left - 12, size)
        axes.text(-6 / (width - left - 4) * len(classes), number + 0.5, words, color=INK, fontsize=size, ha="right",
                  va="center", clip_on=False)  # fmt: skip
        for place, one in enumerate(classes):
            has_room = is_wide and column >= LEAST_COLUMN
            _tile(axes, cells, cell, one, (place, number), worst, size if has_room else 0)
    return figure


def _heads(classes: Sequence[ClassResult], column: float) -> tuple[list[str], float]:
    """The heads of columns, a word a line, and the size of letters at which columns of this width hold them.

    Where no size does, or there is no room for medians, heads are to be turned: size 0.
    """
    words = [[*one.class_name.split(), one.phase] for one in classes]
    for size in HEAD_SIZES if column >= LEAST_COLUMN else ():
        if max(text_width(word, size) for head in words for word in head) <= column - 4:
            return ["\n".join(head) for head in words], size
    return [one.name for one in classes], 0.0


def _room_above(heads: Sequence[str], size: float, *, is_flat: bool) -> float:
    if is_flat:
        return 12 + 1.5 * size * max(head.count("\n") + 1 for head in heads)
    return max(128.0, 14 + max(text_width(head, size) for head in heads))


def _cut(label: str, room: float, size: float) -> str:
    """A label as far as there is room; the number before it tells the cells apart."""
    if text_width(label, size) <= room:
        return label
    return next(cut for end in range(len(label), -1, -1) if text_width(cut := f"{label[:end]}…", size) <= room)


def _tile(
    axes: Axes,
    cells: Sequence[CellResult],
    cell: CellResult,
    one: ClassResult,
    at: tuple[int, int],
    worst: float,
    size: float,
) -> None:
    found = _median(cell, one)
    if found is None:
        axes.text(at[0] + 0.5, at[1] + 0.5, "–", color=MUTED, ha="center", va="center")
        return
    median_s, is_best = found
    best = min(known[0] for other in cells if (known := _median(other, one)))
    depth = float(np.log(median_s / best)) / max(worst, np.log(1.25))
    axes.add_patch(
        Rectangle(
            (at[0] + 0.03, at[1] + 0.05), 0.94, 0.9, color=SERIES[1], alpha=0.04 + 0.46 * min(1, depth), linewidth=0
        )
    )
    if is_best:
        axes.add_patch(
            Rectangle((at[0] + 0.03, at[1] + 0.05), 0.94, 0.9, fill=False, edgecolor=SERIES[2], linewidth=1.6)
        )
    if size:
        axes.text(at[0] + 0.5, at[1] + 0.5, seconds(median_s), color=INK, fontsize=size, ha="center", va="center")


def _median(cell: CellResult, one: ClassResult) -> tuple[float, bool] | None:
    return next(
        ((c.median_s, c.is_best) for c in cell.classes if (c.phase, c.class_name) == (one.phase, one.class_name)), None
    )


def _worst(cells: Sequence[CellResult]) -> float:
    """The largest logarithm of a cell's median against its class's fastest."""
    by_class: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        for one in cell.classes:
            by_class.setdefault((one.phase, one.class_name), []).append(one.median_s)
    return max((float(np.log(max(found) / min(found))) for found in by_class.values()), default=0.0)
