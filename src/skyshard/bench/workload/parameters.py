"""Typed parameters of query templates, and how their values are drawn from a seed and the data's profile.

Pure: the same random state and the same profile give the same values. Values are numbers, or texts listed in the
template; no text from elsewhere gets into a statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from skyshard.bench.workload.data_profile import DataProfile
from skyshard.catalog.strict_files import Strict


def _is_ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"range [{value[0]}, {value[1]}] has its ends swapped")
    return value


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


class BoxParameter(Strict):
    """A longitude-latitude box around an object of the data: ``ra_min, decl_min, ra_max, decl_max`` in degrees.

    ``ra_min`` is greater than ``ra_max`` where the box crosses longitude 0.
    """

    type: Literal["box"]
    width_deg: Degrees
    """Smallest and largest width on the sky, along the parallel."""
    height_deg: Degrees


class ConeParameter(Strict):
    """A circle around an object of the data: ``ra, decl, radius_deg``."""

    type: Literal["cone"]
    radius_deg: Degrees


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
    | FluxWindowParameter,
    Field(discriminator="type"),
]
PARTS = {
    "box": ("ra_min", "decl_min", "ra_max", "decl_max"),
    "cone": ("ra", "decl", "radius_deg"),
    "flux_window": ("low", "high"),
}
"""The parts of the values of a type; values of other types are one number or word."""
ParameterValue = int | float | str | dict[str, float]


def draw(
    parameters: Mapping[str, Parameter], profile: DataProfile, random: np.random.Generator
) -> dict[str, ParameterValue]:
    """One value for each parameter, drawn in the order of their names."""
    return {name: _DRAW[parameters[name].type](parameters[name], profile, random) for name in sorted(parameters)}


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
        if isinstance(parameter, IdParameter) and isinstance(value, int):
            row = int(np.searchsorted(profile.object_ids, value))
            return float(profile.ra_deg[row]), float(profile.decl_deg[row])
    return None


def _draw_id(parameter: IdParameter, profile: DataProfile, random: np.random.Generator) -> ParameterValue:
    return int(profile.object_ids[random.integers(len(profile.object_ids))])


def _draw_uniform(parameter: UniformParameter, profile: DataProfile, random: np.random.Generator) -> ParameterValue:
    return float(random.uniform(*parameter.range))


def _draw_uniform_int(
    parameter: UniformIntParameter, profile: DataProfile, random: np.random.Generator
) -> ParameterValue:
    low, high = parameter.range
    return int(random.integers(low, high, endpoint=True))


def _draw_box(parameter: BoxParameter, profile: DataProfile, random: np.random.Generator) -> ParameterValue:
    ra, decl = _position(profile, random)
    height = random.uniform(*parameter.height_deg)
    decl_min = max(-90.0, decl - height / 2)
    decl_max = min(90.0, decl + height / 2)
    shrink = max(math.cos(math.radians(decl)), 1e-3)
    width = min(random.uniform(*parameter.width_deg) / shrink, 180.0)
    return {
        "ra_min": _rounded((ra - width / 2) % 360.0),
        "decl_min": _rounded(decl_min),
        "ra_max": _rounded((ra + width / 2) % 360.0),
        "decl_max": _rounded(decl_max),
    }


def _draw_cone(parameter: ConeParameter, profile: DataProfile, random: np.random.Generator) -> ParameterValue:
    ra, decl = _position(profile, random)
    radius = random.uniform(*parameter.radius_deg)
    return {"ra": _rounded(ra), "decl": _rounded(decl), "radius_deg": _rounded(radius)}


def _draw_choice(parameter: ChoiceParameter, profile: DataProfile, random: np.random.Generator) -> ParameterValue:
    return parameter.values[random.integers(len(parameter.values))]


def _draw_flux_window(
    parameter: FluxWindowParameter, profile: DataProfile, random: np.random.Generator
) -> ParameterValue:
    values = profile.values(parameter.table, parameter.column)
    share = random.uniform(*parameter.selectivity)
    start = random.uniform(0.0, 1.0 - share)
    low, high = np.quantile(values, [start, start + share])
    return {"low": float(low), "high": float(high)}


def _position(profile: DataProfile, random: np.random.Generator) -> tuple[float, float]:
    row = random.integers(len(profile.object_ids))
    return float(profile.ra_deg[row]), float(profile.decl_deg[row])


def _rounded(degrees: float) -> float:
    """To 1e-6 degrees (4 milliarcseconds), so that statements stay readable."""
    return round(degrees, 6)


_DRAW: dict[str, Callable[[Any, DataProfile, np.random.Generator], ParameterValue]] = {
    "id": _draw_id,
    "uniform": _draw_uniform,
    "uniform_int": _draw_uniform_int,
    "box": _draw_box,
    "cone": _draw_cone,
    "choice": _draw_choice,
    "flux_window": _draw_flux_window,
}
