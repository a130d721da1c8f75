"""Infers what each table of a Felis schema holds, and from that how it is spread over chunks. No I/O.

A table is recognised by its id columns, not by its name alone. A recipe can override the result (``schema.kinds``).
Tables that are not recognised become regular tables with a few rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout


class TableKind(StrEnum):
    """What a row describes."""

    OBJECT = "object"
    """An object of the sky: the director that all others follow."""
    DETECTION = "detection"
    """An object seen in one visit; a director of its own, as it names no object."""
    FORCED = "forced"
    """An object measured in one visit, seen or not."""
    DIA_OBJECT = "dia-object"
    """An object found in difference images."""
    DIA_DETECTION = "dia-detection"
    """Such an object seen in one visit."""
    DIA_FORCED = "dia-forced"
    """Such an object measured in one visit."""
    COMPANION = "companion"
    """Objects again, by another pipeline: a director of its own (ShearObject, TruthSummary, stellar motions)."""
    DETAIL = "detail"
    """A row about an object, found by the object's key alone."""
    VISIT = "visit"
    """One pointing."""
    VISIT_DETECTOR = "visit-detector"
    """One detector of a pointing."""
    PATCH = "patch"
    """A piece of the sky map."""
    OTHER = "other"
    """A regular table that no rule recognises: a few hundred rows."""

    @property
    def is_regular(self) -> bool:
        return self in _REGULAR

    @property
    def is_exposure(self) -> bool:
        """One row per visit, not per object."""
        return self in _EXPOSURES


_REGULAR = frozenset({TableKind.VISIT, TableKind.VISIT_DETECTOR, TableKind.PATCH, TableKind.OTHER})
_EXPOSURES = frozenset(
    {TableKind.DETECTION, TableKind.FORCED, TableKind.DIA_DETECTION, TableKind.DIA_FORCED}
)  # fmt: skip
_POSITIONS = (("coord_ra", "coord_dec"), ("ra", "dec"), ("ra", "decl"))
_VISIT_COLUMNS = ("visit", "visitId", "ccdVisitId")
_COMPANION_KEYS = ("shearObjectId", "isolated_star_id", "id_truth_type")
DETAIL_KEYS = ("objectId", "match_objectId")


def infer_kinds(tables: Mapping[str, list[str]]) -> dict[str, TableKind]:
    """The kind of each table, from the names of its columns.

    >>> infer_kinds({"Object": ["objectId", "coord_ra", "coord_dec"], "ForcedSource": ["objectId", "visit"]})
    {'Object': <TableKind.OBJECT: 'object'>, 'ForcedSource': <TableKind.FORCED: 'forced'>}
    """
    return {name: _infer(name, set(columns)) for name, columns in tables.items()}


def _infer(name: str, columns: set[str]) -> TableKind:
    has_visit = not columns.isdisjoint(_VISIT_COLUMNS)
    if "diaObjectId" in columns:
        if not has_visit:
            return TableKind.DIA_OBJECT
        return TableKind.DIA_DETECTION if "diaSourceId" in columns else TableKind.DIA_FORCED
    if "sourceId" in columns and has_visit:
        return TableKind.DETECTION
    if not columns.isdisjoint(_COMPANION_KEYS) and find_position(columns):
        return TableKind.COMPANION
    if not columns.isdisjoint(DETAIL_KEYS):
        if has_visit:
            return TableKind.FORCED
        return TableKind.OBJECT if name == "Object" else TableKind.DETAIL
    return _infer_regular(columns, has_visit=has_visit)


def _infer_regular(columns: set[str], *, has_visit: bool) -> TableKind:
    if has_visit and "physical_filter" in columns:
        return TableKind.VISIT_DETECTOR if "detector" in columns else TableKind.VISIT
    return (
        TableKind.PATCH if {"lsst_tract", "lsst_patch", "s_ra", "s_region"} == columns - {"s_dec"} else TableKind.OTHER
    )


def find_position(columns: set[str]) -> tuple[str, str] | None:
    """The columns that hold a row's own position, degrees."""
    return next((pair for pair in _POSITIONS if columns.issuperset(pair)), None)


def layout_of(name: str, kind: TableKind, columns: list[str], directors: Mapping[TableKind, str]) -> TableLayout:
    """How a table of a kind is spread; ``directors`` names the tables of the kinds OBJECT and DIA_OBJECT.

    Raises:
        UserError: a director without position columns, or a child whose director is not made.
    """
    have, visits = set(columns), [[found] for found in _VISIT_COLUMNS if found in columns][:1]
    position = find_position(have)
    if kind.is_regular:
        return TableLayout(role=Role.REGULAR)
    if kind in (TableKind.OBJECT, TableKind.DIA_OBJECT, TableKind.DETECTION, TableKind.COMPANION):
        if position is None:
            remedy = "a director needs coord_ra and coord_dec, or ra and dec; choose other tables in schema.tables"
            raise UserError(f"key 'schema': table {name} has no position columns", remedy=remedy)
        key = {
            TableKind.OBJECT: "objectId", TableKind.DIA_OBJECT: "diaObjectId", TableKind.DETECTION: "sourceId",
        }.get(kind) or next((key for key in _COMPANION_KEYS[:2] if key in have), "")  # fmt: skip
        return TableLayout(role=Role.DIRECTOR, key=key, position=position, indexes=visits)
    parent = TableKind.DIA_OBJECT if kind in (TableKind.DIA_DETECTION, TableKind.DIA_FORCED) else TableKind.OBJECT
    if parent not in directors:
        raise UserError(f"key 'schema': table {name} follows a {parent} table, which is not made", remedy="add it")
    key = "diaObjectId" if parent is TableKind.DIA_OBJECT else next(key for key in DETAIL_KEYS if key in have)
    is_copied = kind in (TableKind.FORCED, TableKind.DIA_FORCED) and position is not None
    return TableLayout(
        role=Role.DEPENDENT,
        director=directors[parent],
        key=key,
        position=position if is_copied else None,
        indexes=[*([] if key == "" else [[key]]), *visits],
    )
