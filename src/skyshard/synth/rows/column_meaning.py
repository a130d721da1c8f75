"""Infers what a column of a Felis schema means from its name, unit and type. Rules only, no values are made here.

A rule is a pattern for the name without its band; the first match decides. A column that no rule matches is
GENERIC: its values follow from unit and type. The patterns cover the Rubin pipelines' names, and a recipe can override
any column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from skyshard.catalog.felis_schemas import SchemaColumn


class Sense(StrEnum):
    """What kind of value a column holds, and so which function makes it."""

    ID = "id"
    PARENT_ID = "parent id"
    NO_ID = "an id that points to nothing"
    VISIT = "visit"
    CCD_VISIT = "detector of a visit"
    DETECTOR = "detector"
    BAND = "band"
    TEXT = "text"
    TRACT = "tract"
    PATCH = "patch"
    RA = "longitude"
    DEC = "latitude"
    POSITION_ERROR = "error of a position"
    PIXEL = "place on the image"
    FLUX = "flux"
    FLUX_ERROR = "error of a flux"
    FLUX_DIFFERENCE = "flux less its mean"
    FLUX_STATISTIC = "statistic of a light curve"
    MAG = "magnitude"
    MAG_ERROR = "error of a magnitude"
    SNR = "signal over noise"
    MOMENT = "second moment"
    ELLIPTICITY = "ellipticity"
    SIZE = "size"
    KIND = "extendedness"
    FLAG = "flag"
    COUNT = "count"
    VISITS = "number of visits"
    TIME = "time"
    PM = "proper motion"
    GENERIC = "by unit and type"


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """The sense of one column, with what its maker needs."""

    sense: Sense
    stem: str
    """The name without its band."""
    band: str | None = None
    """The filter named in the column's name."""
    words: tuple[str, ...] = ()
    """Parts of the name that the rule captured, or the rule's own word."""


def _rule(sense: Sense, pattern: str, *words: str) -> tuple[re.Pattern[str], Sense, tuple[str, ...]]:
    return re.compile(pattern), sense, words


_BAND = re.compile(r"^(?:flux_)?([ugrizy])(?:_(?=\D)|(?=PSFlux|TOTFlux)|(?=$))(.*)$")

_IDS = (
    _rule(Sense.ID, r"^(objectId|sourceId|diaObjectId|diaSourceId|forcedSourceId|forcedSourceOnDiaObjectId)$"),
    _rule(
        Sense.ID, r"^(diaForcedSourceId|shearObjectId|isolated_star_id|match_objectId|id|id_truth_type|cosmodc2_id)$"
    ),
    _rule(Sense.ID, r"^deblend_blendId$"),
    _rule(Sense.PARENT_ID, r"^parent(Object|Source|DiaSource)Id$"),
    _rule(Sense.NO_ID, r"^(ssObjectId|referenceId|host_galaxy)$"),
    _rule(Sense.CCD_VISIT, r"^ccdVisitId$"),
    _rule(Sense.VISIT, r"^(visit|visitId)$"),
    _rule(Sense.DETECTOR, r"^detector$"),
    _rule(Sense.BAND, r"^(band|filterName)$"),
    _rule(Sense.BAND, r"^refBand$", "reference"),
    _rule(Sense.TRACT, r"^(lsst_)?tract$"),
    _rule(Sense.PATCH, r"^(lsst_)?patch$"),
)
_PLACES = (
    _rule(Sense.POSITION_ERROR, r"(^|_)(ra|dec|decl)Err$", "error"),
    _rule(Sense.POSITION_ERROR, r"(^|_)(ra|dec)_(dec|decl)_Cov$", "covariance"),
    _rule(Sense.POSITION_ERROR, r"^(centroid_)?[xy]Err$", "pixels"),
    _rule(Sense.RA, r"(^|_)ra$|^trailRa$|^s_ra$"),
    _rule(Sense.DEC, r"(^|_)(dec|decl)$|^trailDec$|^s_dec$"),
    _rule(Sense.PIXEL, r"^(?:centroid_|sersic_)?([xy])$|^deblend_peak_center_([xy])$"),
    _rule(Sense.PM, r"^(?:ref_)?(raPM|decPM|parallax)$"),
)
_FLAGS = (
    _rule(Sense.FLAG, r"detect_isPrimary|is_primary", "primary"),
    _rule(Sense.FLAG, r"is(Patch|Tract)Inner|is_(cell|patch|tract)_inner", "inner"),
    _rule(Sense.FLAG, r"isIsolated", "single"),
    _rule(Sense.FLAG, r"fromBlend|Deblended|deblendedAsPsf|hasStrayFlux", "blend"),
    _rule(Sense.FLAG, r"merge_peak_sky|sky_object|sky_source|injected|streak|glint", "rare"),
    _rule(Sense.FLAG, r"calib_.*_(used|candidate|reserved|detected)|calib_detected", "calibrator"),
    _rule(Sense.FLAG, r"[sS]aturatedCenter|suspectCenter", "saturated centre"),
    _rule(Sense.FLAG, r"saturated", "saturated"),
    _rule(Sense.FLAG, r"suspect", "suspect"),
    _rule(Sense.FLAG, r"interpolatedCenter|clippedCenter|inexact_psfCenter", "interpolated centre"),
    _rule(Sense.FLAG, r"interpolated|clipped|inexact_psf", "interpolated"),
    _rule(Sense.FLAG, r"crCenter|_cr$", "cosmic"),
    _rule(
        Sense.FLAG, r"_(bad|nodata|nodataCenter|noGoodPixels|no_pixels|noInputs|no_inputs_flag|no_data_flag)$", "bad"
    ),
    _rule(Sense.FLAG, r"edge|offimage|[tT]runcated|not_contained|tooBig|bigPsf", "edge"),
    _rule(Sense.FLAG, r"isDipole|is_variable|isNegative", "variable"),
    _rule(Sense.FLAG, r"dipoleFitAttempted", "inner"),
    _rule(Sense.FLAG, r"^pixelFlags$", "interpolated"),
    _rule(Sense.FLAG, r"blendedness_flag|deblend_|parent_source", "blended and bad"),
    _rule(Sense.FLAG, r"(used_psf_radius|small_radius|used_minimum_radius)", "faint"),
    _rule(Sense.FLAG, r".", "failed"),
)
_FLUXES = (
    _rule(Sense.MAG, r"^(.*)Mag$|^mag_r$"),
    _rule(Sense.MAG_ERROR, r"^(.*)MagErr$"),
    _rule(
        Sense.FLUX_STATISTIC,
        r"^(?:psfFlux|scienceFlux|PSFlux|TOTFlux)(LinearSlope|LinearIntercept|MAD|MaxSlope|ErrMean|MeanErr|Mean|Ndata"
        r"|Min|Max|Percentile\d\d|Sigma|Skew|Chi2|StetsonJ)$",
    ),
    _rule(Sense.FLUX_DIFFERENCE, r"^psfDiffFlux$|^dipoleFluxDiff$|^dipFluxDiff$"),
    _rule(Sense.FLUX_ERROR, r"^(.*)(?:Flux(?:_inner|B|D)?|FluxDiff|Diff|inst_?Flux|sky|fluxOverlap)Err$"),
    _rule(Sense.FLUX_ERROR, r"^(skyErr)$"),
    _rule(Sense.FLUX, r"^(.*?)_?(?:inst)?Flux(?:_inner|B|D)?$"),
    _rule(Sense.FLUX, r"^(psFlux|totFlux|sky|deblend_fluxOverlap|trailFlux)$"),
    _rule(Sense.FLUX, r"^(noMW|true)$"),
    _rule(Sense.SNR, r"(^|_)snr$"),
)
_SHAPES = (
    _rule(Sense.MOMENT, r"^(?:i|shape_)(xx|yy|xy)((?:Debiased)?PSF)?(?:Round)?$"),
    _rule(Sense.ELLIPTICITY, r"(?:^|_)(?:g1|g2|e1|e2|rho)$|bdE[12]$|fracDev$|moments(?:Psf)?_\d\d$"),
    _rule(Sense.SIZE, r"(?:reff_(?:x|y|major|minor)|sigma_[xy]|_T|trace|kronRad|fwhm|refFwhm|bdRe[BD])$"),
    _rule(Sense.KIND, r"[eE]xtendedness$"),
    _rule(Sense.VISITS, r"^(inputCount|nDiaSources|nObs|numObs|match_count)$"),
)
_OTHERS = (
    _rule(Sense.COUNT, r"_flags$", "0"),
    _rule(Sense.COUNT, r"(nChild|NChild)$", "blend"),
    _rule(Sense.COUNT, r"(footprintArea|footprintArea_value|bboxSize|psfNdata|dipoleNdata)$", "area"),
    _rule(Sense.COUNT, r"(n_iter|iterations|nPeaks|NPeaks|n_eval_jac)$", "6"),
    _rule(Sense.TIME, r"(Mjd|MJD|Tai|epoch|midPointTai|midpoint|expMidpt|obsStart|time_processed|_at)(Tai)?$"),
)


@lru_cache(maxsize=16_384)
def meaning_of(column: SchemaColumn) -> ColumnMeaning:
    """What a column means.

    >>> meaning_of(SchemaColumn("g_psfFluxErr", "float", True, "nJy", "", "")).sense
    <Sense.FLUX_ERROR: 'error of a flux'>
    """
    band, stem = split_band(column.name)
    if _is_boolean(column) and stem != "metaStep":
        return _first(_FLAGS, stem, band) or ColumnMeaning(Sense.FLAG, stem, band, ("failed",))
    if not _is_number(column):
        found = _first(_IDS, stem, band) or _first(_OTHERS[-1:], stem, band)
        is_known = found is not None and (found.sense is not Sense.TIME or column.type.startswith("datetime"))
        return found if found is not None and is_known else ColumnMeaning(Sense.TEXT, stem, band)
    for rules in (_IDS, _PLACES, _FLUXES, _SHAPES, _OTHERS):
        if (found := _first(rules, stem, band)) is not None:
            return found
    return ColumnMeaning(Sense.GENERIC, stem, band)


def split_band(name: str) -> tuple[str | None, str]:
    """The band that a name begins with, and the rest.

    >>> split_band("g_psfFlux"), split_band("gPSFluxMean"), split_band("flux_u_noMW"), split_band("i_flag")
    (('g', 'psfFlux'), ('g', 'PSFluxMean'), ('u', 'noMW'), ('i', 'flag'))
    """
    match = _BAND.match(name)
    if match is None or (not match.group(2) and not name.startswith("flux_")):
        return None, name
    return match.group(1), match.group(2) or "true"


def _first(
    rules: tuple[tuple[re.Pattern[str], Sense, tuple[str, ...]], ...], stem: str, band: str | None
) -> ColumnMeaning | None:
    for pattern, sense, words in rules:
        if match := pattern.search(stem):
            return ColumnMeaning(sense, stem, band, words or tuple(word for word in match.groups() if word))
    return None


def _is_boolean(column: SchemaColumn) -> bool:
    return column.type == "tinyint(1)"


def _is_number(column: SchemaColumn) -> bool:
    return column.type.startswith(("tinyint", "smallint", "int", "bigint", "float", "double"))
