"""Typed parameters of query templates, and how their values are drawn from a seed and the data's profile.

Pure: the same random state and the same profile give the same values. Values are numbers, or texts listed in the
template; no text from elsewhere gets into a statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.fresh_places import FreshPlaces
from skyshard.catalog.strict_files import Strict


def _is_ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"range [{value[0]}, {value[1]}] has its ends swapped")
    return value


MOST_IDS = 10_000

Range = Annotated[tuple[float, float], AfterValidator(_is_ascending)]
Degrees = Annotated[tuple[Annotated[float, Field(gt=0, le=90)], float], AfterValidator(_is_ascending)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


class IdParameter(Strict):
    """An object id drawn from the data."""

    type: Literal["id"]


class UniformParameter(Strict):
    """A number in [low, high)."""

    type: Literal["uniform"]
    range: Range


class UniformIntParameter(Strict):
    """A whole number in [low, high], both included."""

    type: Literal["uniform_int"]
    range: Annotated[tuple[int, int], AfterValidator(_is_ascending)]


Around = Literal["objects", "fresh"]
"""Where an area is: around an object of the data, or at a place that no other query has (``fresh_places``)."""


class BoxParameter(Strict):
    """A longitude-latitude box: ``ra_min, decl_min, ra_max, decl_max`` in degrees.

    ``ra_min`` is greater than ``ra_max`` where the box crosses longitude 0.
    """

    type: Literal["box"]
    width_deg: Degrees
    """Smallest and largest width on the sky, along the parallel."""
    height_deg: Degrees
    around: Around = "objects"


class ConeParameter(Strict):
    """A circle: ``ra, decl, radius_deg``."""

    type: Literal["cone"]
    radius_deg: Degrees
    around: Around = "objects"


class PolygonParameter(Strict):
    """A polygon with its corners on a circle: a list of ``ra, decl, ra, decl, ...`` in degrees."""

    type: Literal["polygon"]
    radius_deg: Degrees
    corners: Annotated[int, Field(ge=3, le=20)] = 4
    around: Around = "objects"


class IdsParameter(Strict):
    """A list of object ids, all different; no other query has one of them, as long as there are others."""

    type: Literal["ids"]
    count: Annotated[int, Field(ge=1, le=MOST_IDS)]
    """How many; all that the sample holds where those are fewer."""


class PositionsParameter(Strict):
    """A list of positions near objects of the data, such as a user brings: each with ``ra`` and ``decl``."""

    type: Literal["positions"]
    count: Annotated[int, Field(ge=1, le=1000)]
    scatter_arcsec: Annotated[float, Field(ge=0, le=3600)] = 0.2
    """Standard deviation of the offset, along each axis."""


class NightParameter(Strict):
    """A night of the data, by a column of times in days: ``low, high``, whole days, from noon to noon."""

    type: Literal["night"]
    table: Annotated[str, Field(pattern=r"^\w+$")]
    column: Annotated[str, Field(pattern=r"^\w+$")]


class ChoiceParameter(Strict):
    """One of the values listed."""

    type: Literal["choice"]
    values: Annotated[list[int | float | Annotated[str, Field(pattern=r"^\w+$")]], Field(min_length=1)]


class FluxWindowParameter(Strict):
    """A window ``low, high`` of a column that holds a given share of the table's rows."""

    type: Literal["flux_window"]
    table: Annotated[str, Field(pattern=r"^\w+$")]
    column: Annotated[str, Field(pattern=r"^\w+$")]
    selectivity: Annotated[tuple[PositiveShare, PositiveShare], AfterValidator(_is_ascending)]
    """Smallest and largest share of the non-null rows in the window."""


Parameter = Annotated[
    IdParameter
    | UniformParameter
    | UniformIntParameter
    | BoxParameter
    | ConeParameter
    | ChoiceParameter
    | FluxWindowParameter
    | PolygonParameter
    | IdsParameter
    | PositionsParameter
    | NightParameter,
    Field(discriminator="type"),
]
PARTS = {
    "box": ("ra_min", "decl_min", "ra_max", "decl_max"),
    "cone": ("ra", "decl", "radius_deg"),
    "flux_window": ("low", "high"),
    "night": ("low", "high"),
}
"""The parts of the values of a type; values of other types are one number or word."""
ParameterValue = int | float | str | dict[str, float] | list[int] | list[float] | list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Draws:
    """What values are drawn from."""

    profile: DataProfile
    random: np.random.Generator
    fresh: FreshPlaces

    @classmethod
    def of(cls, profile: DataProfile, random: np.random.Generator) -> Draws:
        """By themselves: fresh places begin with the first."""
        return cls(profile, random, FreshPlaces(profile.area, profile.object_ids, 0))


def draw(parameters: Mapping[str, Parameter], draws: Draws) -> dict[str, ParameterValue]:
    """One value for each parameter, drawn in the order of their names."""
    return {name: _DRAW[parameters[name].type](parameters[name], draws) for name in sorted(parameters)}


def has_fresh(parameters: Mapping[str, Parameter]) -> bool:
    """True when some parameter must not repeat from query to query."""
    return any(one.type == "ids" or getattr(one, "around", "") == "fresh" for one in parameters.values())


def place_of(
    parameters: Mapping[str, Parameter], values: Mapping[str, ParameterValue], profile: DataProfile
) -> tuple[float, float] | None:
    """The position that a query with these values is about, in degrees: the object, or the middle of the area."""
    for name, parameter in parameters.items():
        value = values[name]
        if isinstance(value, dict) and "radius_deg" in value:
            return value["ra"], value["decl"]
        if isinstance(value, dict) and "ra_min" in value:
            width = (value["ra_max"] - value["ra_min"]) % 360.0
            return (value["ra_min"] + width / 2) % 360.0, (value["decl_min"] + value["decl_max"]) / 2
        if isinstance(parameter, PolygonParameter) and isinstance(value, list):
            return float(value[0]), float(value[1])  # type: ignore[arg-type]  # a corner
        if isinstance(parameter, IdParameter | IdsParameter) and isinstance(value, int | list) and value:
            first = value[0] if isinstance(value, list) else value
            row = int(np.searchsorted(profile.object_ids, int(first)))  # type: ignore[arg-type]  # an id
            return float(profile.ra_deg[row]), float(profile.decl_deg[row])
    return None


def _draw_id(parameter: IdParameter, draws: Draws) -> ParameterValue:
    return int(draws.profile.object_ids[draws.random.integers(len(draws.profile.object_ids))])


def _draw_uniform(parameter: UniformParameter, draws: Draws) -> ParameterValue:
    return float(draws.random.uniform(*parameter.range))


def _draw_uniform_int(parameter: UniformIntParameter, draws: Draws) -> ParameterValue:
    low, high = parameter.range
    return int(draws.random.integers(low, high, endpoint=True))


def _draw_box(parameter: BoxParameter, draws: Draws) -> ParameterValue:
    ra, decl = _position(parameter.around, draws)
    height = draws.random.uniform(*parameter.height_deg)
    decl_min = max(-90.0, decl - height / 2)
    decl_max = min(90.0, decl + height / 2)
    shrink = max(math.cos(math.radians(decl)), 1e-3)
    width = min(draws.random.uniform(*parameter.width_deg) / shrink, 180.0)
    return {
        "ra_min": _rounded((ra - width / 2) % 360.0),
        "decl_min": _rounded(decl_min),
        "ra_max": _rounded((ra + width / 2) % 360.0),
        "decl_max": _rounded(decl_max),
    }


def _draw_cone(parameter: ConeParameter, draws: Draws) -> ParameterValue:
    ra, decl = _position(parameter.around, draws)
    radius = draws.random.uniform(*parameter.radius_deg)
    return {"ra": _rounded(ra), "decl": _rounded(decl), "radius_deg": _rounded(radius)}


def _draw_choice(parameter: ChoiceParameter, draws: Draws) -> ParameterValue:
    return parameter.values[draws.random.integers(len(parameter.values))]


def _draw_flux_window(parameter: FluxWindowParameter, draws: Draws) -> ParameterValue:
    values = draws.profile.values(parameter.table, parameter.column)
    share = draws.random.uniform(*parameter.selectivity)
    start = draws.random.uniform(0.0, 1.0 - share)
    low, high = np.quantile(values, [start, start + share])
    return {"low": float(low), "high": float(high)}


def _draw_polygon(parameter: PolygonParameter, draws: Draws) -> ParameterValue:
    ra, decl = _position(parameter.around, draws)
    radius = math.radians(draws.random.uniform(*parameter.radius_deg))
    turn = draws.random.uniform(0.0, 2 * math.pi)
    angles = turn + 2 * math.pi * np.arange(parameter.corners) / parameter.corners
    sine = math.sin(math.radians(decl)) * math.cos(radius)
    sines = np.clip(sine + math.cos(math.radians(decl)) * math.sin(radius) * np.cos(angles), -1.0, 1.0)
    east = np.sin(angles) * math.sin(radius) * math.cos(math.radians(decl))
    ras = ra + np.degrees(np.arctan2(east, math.cos(radius) - math.sin(math.radians(decl)) * sines))
    corners = np.stack([ras % 360.0, np.degrees(np.arcsin(sines))], axis=1)
    return [
        _rounded(number) % 360.0 if place % 2 == 0 else _rounded(number)
        for place, number in enumerate(corners.ravel().tolist())
    ]


def _draw_ids(parameter: IdsParameter, draws: Draws) -> ParameterValue:
    return draws.fresh.ids(parameter.count)


def _draw_positions(parameter: PositionsParameter, draws: Draws) -> ParameterValue:
    profile = draws.profile
    rows = draws.random.choice(len(profile.object_ids), min(parameter.count, len(profile.object_ids)), replace=False)
    east, north = draws.random.standard_normal((2, len(rows))) * parameter.scatter_arcsec / 3600.0
    decl = np.clip(profile.decl_deg[rows] + north, -90.0, 90.0)
    ra = (profile.ra_deg[rows] + east / np.maximum(np.cos(np.radians(decl)), 1e-3)) % 360.0
    return [
        {"ra": round(one, 7) % 360.0, "decl": round(two, 7)}
        for one, two in zip(ra.tolist(), decl.tolist(), strict=True)
    ]


def _draw_night(parameter: NightParameter, draws: Draws) -> ParameterValue:
    times = draws.profile.values(parameter.table, parameter.column)
    first = math.floor(times[draws.random.integers(len(times))] - 0.5) + 0.5
    return {"low": first, "high": first + 1.0}


def _position(around: Around, draws: Draws) -> tuple[float, float]:
    if around == "fresh":
        return draws.fresh.place()
    row = draws.random.integers(len(draws.profile.object_ids))
    return float(draws.profile.ra_deg[row]), float(draws.profile.decl_deg[row])


def _rounded(degrees: float) -> float:
    """To 1e-6 degrees (4 milliarcseconds), so that statements stay readable."""
    return round(degrees, 6)


_DRAW: dict[str, Callable[[Any, Draws], ParameterValue]] = {
    "id": _draw_id,
    "uniform": _draw_uniform,
    "uniform_int": _draw_uniform_int,
    "box": _draw_box,
    "cone": _draw_cone,
    "choice": _draw_choice,
    "flux_window": _draw_flux_window,
    "polygon": _draw_polygon,
    "ids": _draw_ids,
    "positions": _draw_positions,
    "night": _draw_night,
}
