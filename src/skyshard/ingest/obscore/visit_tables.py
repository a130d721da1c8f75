"""Which tables of a release say what was observed, and the statements that read them. Text only, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.db.connection import quote_name
from skyshard.ingest.obscore.observations import CORNERS

DETECTOR_TABLES = ("VisitDetector", "CcdVisit", "Science_Ccd_Exposure")
PATCH_TABLE = "CoaddPatches"
_CCDS_OF_A_RAFT = 9
_DETECTOR: Mapping[str, tuple[str, ...]] = {
    "visit": ("visitId", "visit"), "detector": ("detector", "detectorId"), "band": ("band", "filterName"),
    "filter": ("physical_filter",), "start_mjd_tai": ("obsStartMjdTai", "obsStartMJD", "taiMjd"),
    "exposure_s": ("expTime",), "seeing": ("seeing", "fwhm"), "x_size": ("xSize",), "y_size": ("ySize",),
    **{f"{at}_ra": (f"{at}cra",) for at in CORNERS},
    **{f"{at}_dec": (f"{at}cdec", f"{at}cdecl") for at in CORNERS},
}  # fmt: skip
"""Our name → the names that releases have given the column."""
_NEEDED = ("visit", "detector", "band", *(f"{at}_{axis}" for at in CORNERS for axis in ("ra", "dec")))


@dataclass(frozen=True, slots=True)
class VisitTables:
    """The tables of one database: ``detectors`` and ``patches`` are empty where there is none."""

    database: str
    detectors: str
    detector_columns: tuple[tuple[str, str], ...]
    """Column, or what is computed of columns, as SQL → our name for it."""
    patches: str

    def detector_sql(self) -> str:
        """All detectors of all visits, neighbours on the sky one after the other."""
        columns = ", ".join(f"{one} AS {quote_name(name)}" for one, name in self.detector_columns)
        names = {name: one for one, name in self.detector_columns}
        order = f"FLOOR({names['ll_dec']} * 2), {names['ll_ra']}, {names['visit']}, {names['detector']}"
        return f"SELECT {columns} FROM {quote_name(self.detectors)} ORDER BY {order}"

    def filter_sql(self) -> str:
        """The physical filters that were used."""
        named = next((one for one, name in self.detector_columns if name == "filter"), "")
        return f"SELECT DISTINCT {named} FROM {quote_name(self.detectors)}" if named else ""

    def band_sql(self) -> str:
        """The bands that were used."""
        band = next(one for one, name in self.detector_columns if name == "band")
        return f"SELECT DISTINCT {band} FROM {quote_name(self.detectors)} ORDER BY 1"

    def patch_sql(self) -> str:
        """All patches."""
        return (
            f"SELECT lsst_tract AS tract, lsst_patch AS patch, s_region AS region FROM {quote_name(self.patches)}"
            " ORDER BY FLOOR(s_dec * 2), s_ra, lsst_tract, lsst_patch"
        )


def visit_tables(database: str, tables: Mapping[str, Sequence[str]]) -> VisitTables:
    """The tables of a release, by the columns of each.

    Raises:
        UserError: there is none with detectors of visits, or it lacks a column.
    """
    detectors = next((name for name in DETECTOR_TABLES if name in tables), "")
    if not detectors:
        raise UserError(
            f"database '{database}' has no table {' or '.join(DETECTOR_TABLES)}",
            remedy="name a release whose detectors of visits were ingested",
        )
    columns = tables[detectors]
    found = [(quote_name(one), name) for name, names in _DETECTOR.items() if (one := _first(names, columns))]
    found += _computed_detector(columns) if "detector" not in {name for _, name in found} else []
    missing = [name for name in _NEEDED if name not in {name for _, name in found}]
    if missing:
        raise UserError(
            f"table '{database}.{detectors}' has no column {_DETECTOR[missing[0]][0]}",
            remedy="its corners, visit, detector and band are needed: llcra, llcdec, ..., visitId, detector, band",
        )
    has_patches = {"lsst_tract", "lsst_patch", "s_region"} <= set(tables.get(PATCH_TABLE, ()))
    return VisitTables(database, detectors, tuple(found), PATCH_TABLE * has_patches)


def _computed_detector(columns: Sequence[str]) -> list[tuple[str, str]]:
    """The number of a detector in LSST's camera, where a table counts rafts and the detectors of each."""
    raft, ccd = _first(("raft",), columns), _first(("ccd",), columns)
    return [(f"{quote_name(raft)} * {_CCDS_OF_A_RAFT} + {quote_name(ccd)}", "detector")] if raft and ccd else []


def _first(names: Iterable[str], columns: Sequence[str]) -> str:
    spelled = {column.lower(): column for column in columns}
    return next((spelled[name.lower()] for name in names if name.lower() in spelled), "")
