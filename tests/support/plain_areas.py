"""Areas and separations in drawn statements: marks in a text, that is then written for czar and plain server.

The plain server gets other formulas than ours.
"""

from __future__ import annotations

from random import Random

from tests.support.history_statements import apart, in_box
from tests.support.plain_templates import Source

CENTRES = [(0.0, 0.0), (20.3, 10.7), (180.2, 45.1), (359.9, -30.3), (77.7, 88.1)]
RADII = [3.117, 31.2571, 88.8731]
WESTS_EASTS, SOUTHS_NORTHS = [(350.03, 40.07), (10.01, 200.03)], [(-20.03, 60.07), (-90.0, 5.01)]
"""No row is at the edge of an area, where formulas may differ."""


class Areas:
    """The areas of one statement."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._drawn: dict[str, tuple[str, str]] = {}

    def written(self, text: str) -> tuple[str, str]:
        """The statement as the czar gets it, and as a plain server does."""
        ours = theirs = text
        for mark, (one, other) in self._drawn.items():
            ours, theirs = ours.replace(mark, one), theirs.replace(mark, other)
        return ours, theirs

    def draw(self, source: Source) -> str:
        """The mark of a condition on a source; without positions there is none."""
        if not source.places:
            return "1 = 1"
        choose = self._chance.choice
        is_whole = source.is_placed and self._chance.random() < 0.6
        places = source.places if is_whole else [choose(source.places)]
        kind = self._chance.randrange(2 if is_whole else 3)
        if kind == 0:
            pair = self._box(places, is_whole=is_whole)
        else:
            pair = self._circle(places, is_whole=is_whole, is_separation=kind == 2)
        mark = f"<<{len(self._drawn)}>>"
        self._drawn[mark] = pair
        return mark

    def _box(self, places: list[tuple[str, str]], *, is_whole: bool) -> tuple[str, str]:
        (west, east), (south, north) = self._chance.choice(WESTS_EASTS), self._chance.choice(SOUTHS_NORTHS)
        corners = f"{west}, {south}, {east}, {north}"
        theirs = " AND ".join(
            f"(({in_box(ra, dec, west, east, south, north)}) AND {ra} IS NOT NULL)" for ra, dec in places
        )
        (ra, dec) = places[0]
        ours = f"qserv_areaspec_box({corners})" if is_whole else f"scisql_s2PtInBox({ra}, {dec}, {corners}) = 1"
        return ours, f"({theirs})"

    def _circle(self, places: list[tuple[str, str]], *, is_whole: bool, is_separation: bool) -> tuple[str, str]:
        (lon, lat), radius = self._chance.choice(CENTRES), self._chance.choice(RADII)
        apart_by = [f"{apart(ra, dec, repr(lon), repr(lat))} <= {radius}" for ra, dec in places]
        (ra, dec) = places[0]
        if is_separation:
            return f"scisql_angSep({ra}, {dec}, {lon}, {lat}) < {radius}", f"({apart_by[0]})"
        theirs = " AND ".join(f"(({one}) AND {ra} IS NOT NULL)" for one, (ra, _) in zip(apart_by, places, strict=True))
        ours = f"scisql_s2PtInCircle({ra}, {dec}, {lon}, {lat}, {radius}) = 1"
        return f"qserv_areaspec_circle({lon}, {lat}, {radius})" if is_whole else ours, f"({theirs})"
