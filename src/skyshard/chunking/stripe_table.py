"""The table of a striping's sub-stripes, and the checks that Qserv makes.

It is computed by scalar libm calls, as Qserv does, because a last-bit difference in a sine would move whole stripes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skyshard.basics.array_types import Floats, Integers
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import DEG_PER_RAD, RAD_PER_DEG

MAX_STRIPES = 10_000
MAX_SUB_STRIPES = 648_000
"""Sub-stripes from pole to pole: none is lower than one arcsecond."""
MAX_OVERLAP_DEG = 10.0


_POLE_DEG = 90 - 1 / 3600.0


class SubStripes(NamedTuple):
    """Per sub-stripe, south to north: what turns a longitude into numbers, and where the margins begin."""

    slots: Floats  # in the whole circle
    slots_per_chunk: Floats
    inverse_slots_per_chunk: Floats
    slot_width_deg: Floats
    first_chunk: Floats
    first_sub_chunk: Floats
    alpha_deg: Floats  # half-width of the overlap margin in longitude
    side_alpha_deg: Floats  # the same; -inf where the only slot has no neighbour
    south_margin_deg: Floats  # rows below are copied southward; -inf at the south pole
    north_margin_deg: Floats  # rows at or above are copied northward; +inf at the north pole


def segments(dec_min: float, dec_max: float, width_deg: float) -> int:
    """Longitude pieces of a stripe such that points a piece apart are ``width_deg`` apart on the sky.

    Source: Qserv ``partition/Geometry.cc``; its guard for widths below one arcsecond does nothing and is left out.
    """
    dec = max(abs(dec_min), abs(dec_max))
    if dec > _POLE_DEG or width_deg >= 180:
        return 1
    sine, cosine = math.sin(dec * RAD_PER_DEG), math.cos(dec * RAD_PER_DEG)
    x = math.cos(width_deg * RAD_PER_DEG) - sine * sine
    u = cosine * cosine
    y = math.sqrt(abs(u * u - x * x))
    return math.floor(360.0 / abs(DEG_PER_RAD * math.atan2(y, x)))


def margin_alpha(radius_deg: float, dec: float) -> float:
    """Half-width in longitude, in degrees, of a circle centred at a declination; 180 if it reaches a pole."""
    if radius_deg == 0:
        return 0.0
    if abs(dec) + radius_deg > _POLE_DEG:
        return 180.0
    radius, lat = radius_deg * RAD_PER_DEG, dec * RAD_PER_DEG
    return DEG_PER_RAD * abs(
        math.atan(math.sin(radius) / math.sqrt(abs(math.cos(lat - radius) * math.cos(lat + radius))))
    )


def check_striping(stripes: int, substripes: int, overlap_deg: float) -> None:
    """Refuse numbers out of range, and an overlap larger than a sub-stripe is high."""
    where = _named(stripes, substripes, overlap_deg)
    if not 1 <= stripes <= MAX_STRIPES:
        raise UserError(f"{where}: {stripes} stripes", remedy=f"use 1 to {MAX_STRIPES} stripes")
    if substripes < 1 or stripes * substripes > MAX_SUB_STRIPES:
        remedy = f"use at least 1, and at most {MAX_SUB_STRIPES} from pole to pole"
        raise UserError(f"{where}: {substripes} sub-stripes in each stripe", remedy=remedy)
    if not 0.0 <= overlap_deg <= MAX_OVERLAP_DEG:
        raise UserError(f"{where}: overlap {overlap_deg} deg", remedy=f"use 0 to {MAX_OVERLAP_DEG:g} degrees")
    height = 180.0 / (stripes * substripes)
    if overlap_deg > height:
        what = f"{where}: overlap {overlap_deg:g} deg exceeds the sub-stripe height {height:g} deg"
        remedy = f"lower the overlap or use at most {int(180.0 / overlap_deg)} sub-stripes from pole to pole"
        raise UserError(what, remedy=remedy)


def count_chunks(stripes: int) -> Integers:
    """Chunks in each stripe, south to north."""
    height = 180.0 / stripes
    return np.array([segments(south, north, height) for south, north in _bands(stripes, height)], dtype=np.int64)


def build_table(stripes: int, substripes: int, overlap_deg: float) -> SubStripes:
    """The table of a checked striping; refuses margins wider than a sub-chunk and numbers beyond 32 bits."""
    count = stripes * substripes
    height = 180.0 / count
    bands = list(_bands(count, height))
    chunks = np.repeat(count_chunks(stripes), substripes)
    per_chunk = np.array([segments(south, north, height) for south, north in bands], dtype=np.int64) // chunks
    slots = per_chunk * chunks
    alpha = np.array([margin_alpha(overlap_deg, min(90.0, max(abs(south), abs(north)))) for south, north in bands])
    _check_table(_named(stripes, substripes, overlap_deg), substripes, per_chunk, 360.0 / slots, alpha)
    stripe, within = np.divmod(np.arange(count), substripes)
    edges = np.array(bands)
    south_margin = np.maximum(-90.0, edges[:, 0]) + overlap_deg
    north_margin = np.minimum(90.0, edges[:, 1]) - overlap_deg
    south_margin[0], north_margin[-1] = -np.inf, np.inf
    return SubStripes(
        slots=slots.astype(np.float64),
        slots_per_chunk=per_chunk.astype(np.float64),
        inverse_slots_per_chunk=1.0 / per_chunk,
        slot_width_deg=360.0 / slots,
        first_chunk=(2.0 * stripes * stripe),
        first_sub_chunk=(per_chunk.max() * within).astype(np.float64),
        alpha_deg=alpha,
        side_alpha_deg=np.where(slots > 1, alpha, -np.inf),
        south_margin_deg=south_margin,
        north_margin_deg=north_margin,
    )


def _bands(count: int, height: float) -> Iterator[tuple[float, float]]:
    for number in range(count):
        yield number * height - 90, (number + 1) * height - 90


def _check_table(where: str, substripes: int, per_chunk: Integers, width: Floats, alpha: Floats) -> None:
    too_wide = np.flatnonzero(alpha > width)
    if len(too_wide):
        first = int(too_wide[0])
        margin = f"{alpha[first]:g} deg, wider than its sub-chunks of {width[first]:g} deg"
        what = f"{where}: the overlap margin of sub-stripe {first} is {margin}"
        raise UserError(what, remedy="lower the overlap or use fewer sub-stripes")
    if int(per_chunk.max()) * substripes > np.iinfo(np.int32).max:
        what = f"{where}: {substripes} sub-stripes give sub-chunk numbers beyond 32 bits"
        raise UserError(what, remedy="use fewer sub-stripes and more stripes")


def _named(stripes: int, substripes: int, overlap_deg: float) -> str:
    return f"striping {stripes}/{substripes}/{overlap_deg:g}"
