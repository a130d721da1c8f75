"""The columns of ``--columns few``: ids, places, flags of patches, and the main measurements of each band. No I/O."""

from __future__ import annotations

from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.rows.column_meaning import Sense, meaning_of, split_band

_WHOLE_TABLES = ("Visit", "ForcedSource", "ForcedSourceOnDiaObject", "Parent")
_PLAIN = {
    "detect_isPrimary", "detect_isPatchInner", "detect_isTractInner", "detect_isIsolated", "sky_object", "refBand",
    "refExtendedness", "refSizeExtendedness", "ebv", "footprintArea", "deblend_chi2", "shape_xx", "shape_yy",
    "shape_xy", "shape_flag", "coord_raErr", "coord_decErr", "coord_ra_dec_Cov", "x", "y", "expTime", "seeing",
    "psfSigma", "zeroPoint", "midpointMjdTai", "nDiaSources",
}  # fmt: skip
_OF_BAND = {
    "psfFlux", "psfFluxErr", "psfFlux_flag", "cModelFlux", "cModelFluxErr", "cModel_flag", "ap12Flux", "ap12FluxErr",
    "ap12Flux_flag", "extendedness", "inputCount", "blendedness", "pixelFlags_saturatedCenter", "free_psfFlux_flag",
    "ap70Flux",
}  # fmt: skip
_PLACED = {
    Sense.ID, Sense.PARENT_ID, Sense.VISIT, Sense.DETECTOR, Sense.BAND, Sense.TRACT, Sense.PATCH,
}  # fmt: skip


def is_among_few(table: str, column: str) -> bool:
    """Whether a column is among the few.

    >>> is_among_few("Object", "r_psfFlux"), is_among_few("Object", "r_gaap1p0Flux")
    (True, False)
    """
    band, stem = split_band(column)
    if table in _WHOLE_TABLES or column in _PLAIN or stem in _OF_BAND or column in ("i_ra", "i_dec"):
        return True
    if band is None and stem in ("coord_ra", "coord_dec", "ra", "dec", "decl"):
        return True
    return meaning_of(SchemaColumn(column, "bigint(20)", True, "", "", "")).sense in _PLACED
