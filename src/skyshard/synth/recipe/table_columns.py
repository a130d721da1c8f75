"""The columns of every table of a synthetic catalog: name, MariaDB type, nullable. Names only, no logic but listing.

Names follow the tables of the KPM scale tests (``u_psfFlux``, ``flux_sinc``), so that their queries run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Definition: TypeAlias = tuple[str, str, bool]
"""Column name, type as MariaDB reads it, whether it may be NULL."""

OBJECT, SOURCE, FORCED_SOURCE, VISIT, FILTER = "Object", "Source", "ForcedSource", "Visit", "Filter"
REF_OBJECT, REF_MATCH = "RefObject", "RefMatch"

BANDS = ("u", "g", "r", "i", "z", "y")
"""Filters that populations know, blue to red; a filter's number is its place here."""
BAND_COLUMNS = (
    "psfFlux", "psfFluxSigma", "apFlux", "apFluxSigma", "modelFlux", "modelFluxSigma", "instFlux", "instFluxSigma",
    "shapeIxx", "shapeIyy", "shapeIxy",
)  # fmt: skip
"""Measurements that an Object row can hold in each band."""

_POSITION: list[Definition] = [("ra", "double", False), ("decl", "double", False)]
_FLAGS: list[Definition] = [
    (name, "tinyint(1)", False) for name in ("flagPixSaturAny", "flagPixEdge", "flagBadPsfFlux")
]
_OBJECT_HEAD: list[Definition] = [
    ("objectId", "bigint(20)", False), *_POSITION,
    ("raVar", "float", True), ("declVar", "float", True), ("radeclCov", "float", True),
    ("extendedness", "float", True), ("obsCount", "smallint(6)", False),
    ("flagVariable", "tinyint(1)", False), ("flagPixSaturAny", "tinyint(1)", False),
]  # fmt: skip
SOURCE_COLUMNS: list[Definition] = [
    ("sourceId", "bigint(20)", False), ("objectId", "bigint(20)", False), ("visitId", "bigint(20)", False),
    ("filterId", "tinyint(4)", False), *_POSITION,
    ("raObject", "double", False), ("declObject", "double", False), ("taiMidPoint", "double", False),
    ("psfFlux", "double", True), ("psfFluxSigma", "float", True),
    ("apFlux", "double", True), ("apFluxSigma", "float", True), ("flux_sinc", "double", True),
    ("snr", "float", False), ("parent", "bigint(20)", True), *_FLAGS,
]  # fmt: skip
FORCED_SOURCE_COLUMNS: list[Definition] = [
    ("forcedSourceId", "bigint(20)", False), ("objectId", "bigint(20)", False), ("visitId", "bigint(20)", False),
    ("filterId", "tinyint(4)", False), ("psfFlux", "float", True), ("psfFluxSigma", "float", True), *_FLAGS,
]  # fmt: skip
REF_OBJECT_COLUMNS: list[Definition] = [
    ("refObjectId", "bigint(20)", False), *_POSITION, ("mag", "float", False), ("magErr", "float", False),
]  # fmt: skip
REF_MATCH_COLUMNS: list[Definition] = [
    ("objectId", "bigint(20)", True), ("refObjectId", "bigint(20)", True), ("separation", "float", True),
    ("flag", "tinyint(4)", False),
]  # fmt: skip
VISIT_COLUMNS: list[Definition] = [
    ("visitId", "bigint(20)", False), ("filterId", "tinyint(4)", False), ("band", "char(1)", False), *_POSITION,
    ("taiMidPoint", "double", False), ("obsStart", "datetime", False), ("expTime", "float", False),
    ("airmass", "float", False), ("seeing", "float", False), ("depth", "float", False),
    ("observer", "varchar(64)", False), ("programme", "varchar(64)", False), ("note", "varchar(128)", True),
]  # fmt: skip
FILTER_COLUMNS: list[Definition] = [
    ("filterId", "tinyint(4)", False), ("filterName", "char(1)", False), ("photClam", "float", False),
    ("photBW", "float", False),
]  # fmt: skip


def object_columns(bands: Iterable[str], band_columns: Iterable[str]) -> list[Definition]:
    """The director's columns: those of every recipe, then each band's.

    >>> object_columns("gr", ["psfFlux"])[-1]
    ('r_psfFlux', 'double', True)
    """
    names = list(band_columns)
    return _OBJECT_HEAD + [
        (f"{band}_{name}", "double" if name.endswith("Flux") else "float", True) for band in bands for name in names
    ]
