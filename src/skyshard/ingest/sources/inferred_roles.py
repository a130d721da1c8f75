"""Roles of tables by their columns: what identifies a row, where it is, and which director it follows. No I/O.

Rules, as the pipelines of HSC and LSSTCam name columns: a table with an object's id and a position is a director. A
table of detections follows the director whose id it carries, else its own position decides. Forced photometry follows
its director by id alone: the position in it is that of one exposure. A table without id or position is regular. What a
mapping says of a table goes before all of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skyshard.catalog.layout import Role

OBJECT_IDS = ("objectId", "diaObjectId", "shearObjectId", "isolated_star_id", "id")
"""Ids of directors."""
SOURCE_IDS = {"sourceId": "objectId", "diaSourceId": "diaObjectId"}
"""Ids of detections, and the id of the object that each may carry."""
POSITIONS = (("coord_ra", "coord_dec"), ("ra", "dec"), ("ra", "decl"))
_FORCED = ("forcedSourceId", "forcedSourceOnDiaObjectId")


@dataclass(frozen=True, slots=True)
class InferredRole:
    """What decides the chunk of a table's rows; names are empty where the role has none."""

    role: Role
    key: str = ""
    director: str = ""
    position: tuple[str, str] | None = None
    primary_key: tuple[str, ...] = ()
    why: str = ""
    """For people: what the role was seen by."""


@dataclass(frozen=True, slots=True)
class ColumnKinds:
    """The columns of a table that may be ids (whole numbers) and positions (floats)."""

    whole: frozenset[str]
    floating: frozenset[str]


def infer_roles(tables: Mapping[str, ColumnKinds], known: Mapping[str, InferredRole]) -> dict[str, InferredRole]:
    """The role of every table.

    Args:
        known: what a mapping says of some of the tables; they are directors for the others.
    """
    roles = {name: known[name] if name in known else _alone(name, columns) for name, columns in tables.items()}
    directors = {role.key: name for name, role in reversed(roles.items()) if role.role is Role.DIRECTOR and role.key}
    return {
        name: role if name in known else _following(name, tables[name], role, directors) for name, role in roles.items()
    }


def position_of(columns: ColumnKinds) -> tuple[str, str] | None:
    """The first pair of position columns that a table has."""
    return next((pair for pair in POSITIONS if columns.floating.issuperset(pair)), None)


def _alone(name: str, columns: ColumnKinds) -> InferredRole:
    """The role of a table by its own columns; detections are directors for as long as nothing is there to follow."""
    position = position_of(columns)
    is_forced = _is_forced(name, columns)
    ids = _FORCED if is_forced else (*SOURCE_IDS, *OBJECT_IDS)
    own = next((key for key in ids if key in columns.whole), "")
    if position and (own or is_forced):
        seen = " with ".join(part for part in (own, " and ".join(position)) if part)
        return InferredRole(Role.DIRECTOR, own, position=position, why=seen)
    return InferredRole(Role.REGULAR, why="no id of an object or detection with a position")


def _following(name: str, columns: ColumnKinds, role: InferredRole, directors: Mapping[str, str]) -> InferredRole:
    """The role of a table among the others: detections and others follow the id that they carry."""
    is_forced = _is_forced(name, columns)
    parents = [SOURCE_IDS[role.key]] if role.key in SOURCE_IDS else []
    if is_forced or role.role is Role.REGULAR:
        parents = list(OBJECT_IDS[:-1])
    key = next((key for key in parents if key in columns.whole and directors.get(key, name) != name), "")
    if not key:
        return role
    is_source = role.key in SOURCE_IDS
    return InferredRole(
        Role.DEPENDENT, key, directors[key], role.position if is_source else None, (role.key,) if is_source else (),
        f"{key} of {directors[key]}",
    )  # fmt: skip


def _is_forced(name: str, columns: ColumnKinds) -> bool:
    return "forced" in name.lower() or not columns.whole.isdisjoint(_FORCED)
