"""Draws a graph whose nodes stand in rows as an SVG picture. Pure: the same input gives the same text.

A long arrow gets a waypoint in each row that it crosses, so that it runs between the boxes. The order within a row is
from the mean place of the neighbours; positions are the least squares solution that keeps the boxes apart (found by
pooling adjacent violators). Colours come from the style sheet of the page, so that a picture follows light and dark.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

ROW_HEIGHT = 96.0
BOX_HEIGHT = 44.0
GAP = 26.0
MARGIN = 12.0
LOOP_WIDTH = 40.0
LETTER = 8.6
"""Width of a letter of a box's first line, in pixels."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node: its name, and a second line in small letters."""

    name: str
    note: str = ""
    link: str = ""
    loop: str = ""
    """The text of an arrow from the box to itself; drawn on its right."""
    is_last: bool = False
    """Drawn with a heavy frame: nothing follows."""

    @property
    def width(self) -> float:
        return max(LETTER * len(self.name), 6.0 * len(self.note)) + 24.0

    @property
    def room(self) -> float:
        """Width that the row keeps free for it."""
        return self.width + (2 * (LOOP_WIDTH + 6.0 * len(self.loop)) if self.loop else 0.0)


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from a box to one in a lower row; its head is at the start where ``is_back``."""

    start: str
    end: str
    label: str = ""
    """Shown where the pointer rests on the arrow."""
    text: str = ""
    """Written beside the arrow."""
    is_back: bool = False


@dataclass(slots=True, eq=False)
class _Place:
    """A box, or a waypoint of a long arrow, in its row."""

    width: float
    above: list[_Piece] = field(default_factory=list)
    below: list[_Piece] = field(default_factory=list)
    x: float = 0.0


@dataclass(slots=True, eq=False)
class _Piece:
    """The piece of an arrow between two rows."""

    upper: _Place
    lower: _Place


def draw(rows: Sequence[Sequence[Box]], arrows: Iterable[Arrow], title: str) -> str:
    """An SVG element with the rows from top to bottom.

    Raises:
        ValueError: an arrow leads upwards, or within a row.

    >>> picture = draw([[Box("a")], [Box("b")]], [Arrow("a", "b")], "a needs b")
    >>> picture.count("<rect"), picture.count("<path"), picture.startswith("<svg")
    (2, 2, True)
    """
    kept = list(arrows)
    row_of = {box.name: number for number, row in enumerate(rows) for box in row}
    for arrow in kept:
        if row_of[arrow.start] >= row_of[arrow.end]:
            raise ValueError(f"the arrow from {arrow.start} to {arrow.end} does not lead downwards")
    places = {box.name: _Place(box.room) for row in rows for box in row}
    grid = [[places[box.name] for box in row] for row in rows]
    ways = {arrow: _way(arrow, places, grid, row_of) for arrow in kept}
    _order(grid)
    width = _spread(grid)
    height = ROW_HEIGHT * (len(rows) - 1) + BOX_HEIGHT + 2 * MARGIN
    shapes = [_path(arrow, ways[arrow], row_of[arrow.start]) for arrow in kept]
    shapes += [_box(box, places[box.name], number) for number, row in enumerate(rows) for box in row]
    return (
        f'<svg class="layers" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title>{escape(title)}</title>{_HEAD}{"".join(shapes)}</svg>'
    )


_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse">'
    '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)


def reduced(arrows: Iterable[Arrow]) -> list[Arrow]:
    """The arrows that do not follow from others: a -> c goes where there is a way from a to c over b.

    >>> [arrow.end for arrow in reduced([Arrow("a", "b"), Arrow("b", "c"), Arrow("a", "c")])]
    ['b', 'c']
    """
    kept = list(arrows)
    after: dict[str, set[str]] = {}
    for arrow in kept:
        after.setdefault(arrow.start, set()).add(arrow.end)
    return [
        arrow
        for arrow in kept
        if not any(arrow.end in _reached(other, after) for other in after[arrow.start] - {arrow.end})
    ]


def _reached(start: str, after: Mapping[str, set[str]]) -> set[str]:
    """Every node on a way from ``start``, without itself."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = after.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _way(
    arrow: Arrow, places: Mapping[str, _Place], grid: list[list[_Place]], row_of: Mapping[str, int]
) -> list[_Piece]:
    """The pieces of an arrow, its waypoints added to the grid."""
    way = [places[arrow.start]]
    for number in range(row_of[arrow.start] + 1, row_of[arrow.end]):
        point = _Place(2.0)
        grid[number].append(point)
        way.append(point)
    way.append(places[arrow.end])
    pieces = [_Piece(upper, lower) for upper, lower in itertools.pairwise(way)]
    for piece in pieces:
        piece.upper.below.append(piece)
        piece.lower.above.append(piece)
    return pieces


def _order(grid: list[list[_Place]]) -> None:
    """Sort each row by the mean place of its neighbours, downwards and upwards in turns; the best order stays."""
    best, fewest = [list(row) for row in grid], _crossings(grid)
    for turn in range(24):
        downwards = turn % 2 == 0
        for number in range(len(grid)) if downwards else range(len(grid) - 1, -1, -1):
            other = number - 1 if downwards else number + 1
            if 0 <= other < len(grid):
                at = {id(place): index for index, place in enumerate(grid[other])}
                _sort_row(grid[number], at, downwards)
        crossed = _crossings(grid)
        if crossed < fewest:
            best, fewest = [list(row) for row in grid], crossed
    grid[:] = best


def _sort_row(row: list[_Place], at: Mapping[int, int], downwards: bool) -> None:
    means = {}
    for index, place in enumerate(row):
        near = (
            [at[id(piece.upper)] for piece in place.above]
            if downwards
            else [at[id(piece.lower)] for piece in place.below]
        )
        means[id(place)] = sum(near) / len(near) if near else float(index)
    row.sort(key=lambda place: means[id(place)])


def _crossings(grid: Sequence[Sequence[_Place]]) -> int:
    """How often two arrows cross between neighbouring rows."""
    count = 0
    for upper, lower in itertools.pairwise(grid):
        at = {id(place): index for index, place in enumerate(lower)}
        ends = [sorted(at[id(piece.lower)] for piece in place.below) for place in upper]
        for index, first in enumerate(ends):
            count += sum(one > other for second in ends[index + 1 :] for one in first for other in second)
    return count


def _spread(grid: Sequence[Sequence[_Place]]) -> float:
    """Give every place its x; the width of the picture."""
    for row in grid:
        _apart(row, [0.0] * len(row))
    for turn in range(40):
        for row in grid if turn % 2 else reversed(grid):
            _apart(row, [_wish(place) for place in row])
    left = min(place.x - place.width / 2 for row in grid for place in row) - MARGIN
    for row in grid:
        for place in row:
            place.x -= left
    return max(place.x + place.width / 2 for row in grid for place in row) + MARGIN


def _wish(place: _Place) -> float:
    """Where a place would be without others in its row; waypoints pull more than boxes, so long arrows are straight."""
    near = [*(piece.upper for piece in place.above), *(piece.lower for piece in place.below)]
    if not near:
        return place.x
    weights = [4.0 if other.width == place.width == 2.0 else 1.0 for other in near]
    return sum(weight * other.x for weight, other in zip(weights, near, strict=True)) / sum(weights)


def _apart(row: Sequence[_Place], wishes: Sequence[float]) -> None:
    """Move each place to its wish as far as the gaps between neighbours allow (least squares in the row's order)."""
    offsets = [0.0]
    for left, right in itertools.pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(wishes, offsets, strict=False):
        mean, count = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, number = blocks.pop()
            mean, count = (mean * count + other * number) / (count + number), count + number
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    for place, mean, offset in zip(row, means, offsets, strict=False):
        place.x = mean + offset


def _box(box: Box, place: _Place, row: int) -> str:
    top = MARGIN + row * ROW_HEIGHT
    name_y = top + (19 if box.note else 27)
    frame = ' class="last"' if box.is_last else ""
    note = f'<text class="note" x="{place.x:.1f}" y="{top + 35:.1f}">{escape(box.note)}</text>' if box.note else ""
    left = place.x - box.width / 2
    shape = (
        f'<rect{frame} x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT}" rx="7"/>'
        f'<text x="{place.x:.1f}" y="{name_y:.1f}">{escape(box.name)}</text>{note}{_loop(box, place, top)}'
    )
    return f'<a href="{escape(box.link)}">{shape}</a>' if box.link else f"<g>{shape}</g>"


def _loop(box: Box, place: _Place, top: float) -> str:
    """The arrow from a box to itself, and its text."""
    if not box.loop:
        return ""
    right, far = place.x + box.width / 2, place.x + box.width / 2 + LOOP_WIDTH
    return (
        f'<path class="arrow" d="M{right:.1f} {top + 12:.1f} C{far:.1f} {top:.1f} {far:.1f} {top + BOX_HEIGHT:.1f} '
        f'{right:.1f} {top + 32:.1f}"/>'
        f'<text class="loop" x="{far - 4:.1f}" y="{top + 26:.1f}">{escape(box.loop)}</text>'
    )


def _path(arrow: Arrow, way: Sequence[_Piece], row: int) -> str:
    """A smooth line from the lower edge of the first box over the waypoints to the upper edge of the last."""
    y = MARGIN + row * ROW_HEIGHT + BOX_HEIGHT
    bend = (ROW_HEIGHT - BOX_HEIGHT) / 2
    line = f"M{_port(way[0], is_below=True):.1f} {y:.1f}"
    for piece in way:
        start_x, end_x = _port(piece, is_below=True), _port(piece, is_below=False)
        if piece is way[0]:
            middle = ((start_x + end_x) / 2, y + bend + (16 if arrow.is_back else -4))
        bottom = y + 2 * bend
        line += f" C{start_x:.1f} {y + bend:.1f} {end_x:.1f} {bottom - bend:.1f} {end_x:.1f} {bottom:.1f}"
        y = bottom + BOX_HEIGHT
        line += "" if piece is way[-1] else f" V{y:.1f}"
    title = f"<title>{escape(arrow.label)}</title>" if arrow.label else ""
    text = (
        f'<text class="label" x="{middle[0]:.1f}" y="{middle[1]:.1f}">{escape(arrow.text)}</text>' if arrow.text else ""
    )
    return f'<path class="arrow{" back" if arrow.is_back else ""}" d="{line}">{title}</path>{text}'


def _port(piece: _Piece, *, is_below: bool) -> float:
    """Where an arrow leaves or meets a box: spread over its edge in the order of the boxes at the other ends."""
    place = piece.upper if is_below else piece.lower
    near = (
        sorted(place.below, key=lambda one: one.lower.x)
        if is_below
        else sorted(place.above, key=lambda one: one.upper.x)
    )
    share = (near.index(piece) + 1) / (len(near) + 1)
    return place.x + (share - 0.5) * max(0.0, min(place.width, 150.0) - 16.0)
