"""Rows of visit tables as rows of ObsCore, batch by batch. Pure, vectorised.

Rules: times of visit tables are TAI and become UTC; what a table does not say is NULL.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Flags, Floats
from skyshard.catalog.obscore_columns import obscore_columns
from skyshard.chunking.convex_outlines import Outlines
from skyshard.ingest.obscore.constants import Constants, Dataset
from skyshard.ingest.obscore.regions import Corners, parse_polygons, region_arrays, region_outlines

CORNERS = ("ll", "lr", "ur", "ul")
"""The corners of a detector in turn, as visit tables name them."""
TURNED = "polygons turned counter-clockwise"
AGAIN = "an image that another row has already"
_KEYS = {"detector": ("visit", "detector"), "patch": ("tract", "patch")}
"""What tells images of a kind apart; patches are in every band once."""
_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Observed:
    """What images of one kind have in common: ``kind`` is detector or patch; a batch of their table's rows.

    Of detectors: ``visit``, ``detector``, ``band``, ``filter``, ``start_mjd_tai``, ``exposure_s``, ``seeing``,
    ``x_size``, ``y_size`` and ``ll_ra``, ``ll_dec`` ...; of patches ``tract``, ``patch``, ``band``, ``region``.
    Columns that the table lacks may be missing.
    """

    kind: str
    rows: pa.Table

    def corners(self) -> Corners:
        """The corners of each row."""
        if self.kind == "patch":
            return parse_polygons(self.rows["region"])
        ra, dec = (np.stack([_floats(self.rows[f"{at}_{axis}"]) for at in CORNERS], axis=1) for axis in ("ra", "dec"))
        return ra, dec, np.full(len(ra), len(CORNERS))


@dataclass(slots=True)
class Tally:
    """What was made: images by dataset type, and what became of polygons, by reason; the first bad one in words."""

    images: Counter[str] = field(default_factory=Counter)
    turned: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    first_bad: str = ""


@dataclass(frozen=True, slots=True)
class Observations:
    """Makes rows of one release; ``edges``: how many normals each polygon gets."""

    constants: Constants
    database: str
    edges: int

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type.arrow) for column in obscore_columns(self.edges)])

    def once(self, observed: Observed, tally: Tally) -> Observed:
        """All rows of a kind without those whose image an earlier row has; these are counted."""
        is_again = _is_again([observed.rows[name] for name in _KEYS[observed.kind]])
        if not is_again.any() or not any(one.of == observed.kind for one in self.constants.datasets.values()):
            return observed
        tally.bad[AGAIN] += int(is_again.sum())
        tally.first_bad = tally.first_bad or f"{_place(observed, int(is_again.argmax()))}: {AGAIN}"
        return Observed(observed.kind, observed.rows.filter(pa.array(~is_again)))

    def batches(self, observed: Observed, tally: Tally) -> Iterator[pa.RecordBatch]:
        """One batch for each dataset type of this kind; rows with a bad polygon are left out and counted."""
        corners = observed.corners()
        made = region_outlines(corners, self.edges)
        good = made.faults == 0
        datasets = {name: one for name, one in self.constants.datasets.items() if one.of == observed.kind}
        if datasets:
            tally.turned += int(made.is_turned.sum())
            _count_bad(observed, made, tally)
        mask = pa.array(good)
        some = Observed(observed.kind, observed.rows.filter(mask))
        region = region_arrays((corners[0][good], corners[1][good], corners[2][good]), _only(made, good))
        shared = region | _detector_columns(some) if some.kind == "detector" else region | _patch_columns(some)
        for name, dataset in datasets.items():
            tally.images[name] += some.rows.num_rows
            yield self._batch(some, shared | self._constant_columns(some, name, dataset))

    def _batch(self, observed: Observed, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
        rows = observed.rows.num_rows
        arrays = [
            columns[one.name].cast(one.type) if one.name in columns else pa.nulls(rows, one.type) for one in self.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _constant_columns(self, observed: Observed, name: str, dataset: Dataset) -> dict[str, pa.Array]:
        rows, constants = observed.rows, self.constants
        words = _Words(rows, {"database": self.database, "dataset": name})
        found: dict[str, pa.Array] = {
            "dataproduct_type": words.constant(dataset.dataproduct_type),
            "dataproduct_subtype": words.constant(dataset.dataproduct_subtype),
            "calib_level": pa.array(np.full(rows.num_rows, dataset.calib_level, np.int32)),
            "obs_collection": words.of(constants.obs_collection), "obs_id": words.of(dataset.obs_id),
            "obs_publisher_did": words.of(constants.obs_publisher_did), "o_ucd": words.constant(dataset.o_ucd),
            "facility_name": words.constant(constants.facility_name),
            "instrument_name": words.constant(constants.instrument_name),
        }  # fmt: skip
        if dataset.obs_title:
            found["obs_title"] = words.of(dataset.obs_title)
        if constants.access_url:
            found["access_url"] = words.of(constants.access_url)
            found["access_format"] = words.constant(constants.access_format)
        for place, size in enumerate(("x_size", "y_size")):
            given = dataset.s_xel[place] if dataset.s_xel else None
            found[f"s_xel{place + 1}"] = _filled(rows, size, given)
        return found | self._spectral(rows)

    def _spectral(self, rows: pa.Table) -> dict[str, pa.Array]:
        """The range of wavelengths of each row's filter, else of its band."""
        ranges = self.constants.spectral_ranges
        names = pa.array(list(ranges))
        found = {}
        for place, column in enumerate(("em_min", "em_max")):
            ends = pa.array([pair[place] for pair in ranges.values()], pa.float64())
            by = [
                pc.take(ends, pc.index_in(_texts(rows[name]), value_set=names))
                for name in ("filter", "band") if name in rows.column_names
            ]  # fmt: skip
            found[column] = pc.coalesce(*by)
        return found


def _count_bad(observed: Observed, made: Outlines, tally: Tally) -> None:
    for row in np.flatnonzero(made.faults):
        reason = made.fault(int(row)).value
        tally.bad[reason] += 1
        if not tally.first_bad:
            tally.first_bad = f"the region of {_place(observed, int(row))}: {reason}"


def _place(observed: Observed, row: int) -> str:
    return " ".join(f"{name} {observed.rows[name][row].as_py()}" for name in _KEYS[observed.kind])


def _is_again(keys: Sequence[pa.ChunkedArray]) -> Flags:
    """Where a row has the keys of one before it.

    >>> _is_again([pa.chunked_array([[7, 7, 8, 7]]), pa.chunked_array([["a", "b", "a", "b"]])]).tolist()
    [False, False, False, True]
    """
    number = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        coded = key.combine_chunks().dictionary_encode("encode")
        number = number * (len(coded.dictionary) + 1) + coded.indices.to_numpy()
    is_again = np.ones(len(number), np.bool_)
    is_again[np.unique(number, return_index=True)[1]] = False
    return is_again


def _only(made: Outlines, good: Flags) -> Outlines:
    return Outlines(
        made.normals[good], made.corner_sum[good], made.counts[good], made.centre[good], made.radius_deg[good],
        made.bounds[good], made.faults[good], made.is_turned[good],
    )  # fmt: skip


def _detector_columns(observed: Observed) -> dict[str, pa.Array]:
    rows = observed.rows
    found = {"lsst_visit": rows["visit"], "lsst_detector": rows["detector"], "lsst_band": _texts(rows["band"])}
    if "filter" in rows.column_names:
        found["lsst_filter"] = _texts(rows["filter"])
    if "seeing" in rows.column_names:
        found["s_resolution"] = rows["seeing"]
    exposure = _floats(rows["exposure_s"]) if "exposure_s" in rows.column_names else None
    if "start_mjd_tai" in rows.column_names:
        begun = utc_mjd(_floats(rows["start_mjd_tai"]))
        found["t_min"] = _numbers(begun)
        if exposure is not None:
            found["t_max"] = _numbers(begun + exposure / _SECONDS)
    if exposure is not None:
        found["t_exptime"] = _numbers(exposure)
    return {name: _whole(values) for name, values in found.items()}


def _patch_columns(observed: Observed) -> dict[str, pa.Array]:
    rows = observed.rows
    found = {"lsst_tract": rows["tract"], "lsst_patch": rows["patch"], "lsst_band": _texts(rows["band"])}
    return {name: _whole(values) for name, values in found.items()}


def utc_mjd(tai: Floats) -> Floats:
    """Modified Julian dates of TAI as those of UTC, leap seconds as they were; NaN stays NaN.

    >>> ((np.array([60_000.0]) - utc_mjd(np.array([60_000.0]))) * 86_400).round(6).tolist()
    [37.0]
    """
    from astropy.time import Time

    is_known = np.isfinite(tai)
    found = np.full(len(tai), np.nan)
    found[is_known] = Time(tai[is_known], format="mjd", scale="tai").utc.mjd
    return found


class _Words:
    """Templates filled in for the rows of a batch; a NULL is an empty text."""

    def __init__(self, rows: pa.Table, constants: Mapping[str, str]) -> None:
        self._rows = rows
        self._constants = constants

    def constant(self, word: str) -> pa.Array:
        return (
            pa.array(np.full(self._rows.num_rows, word or " ")) if word else pa.nulls(self._rows.num_rows, pa.string())
        )

    def of(self, template: str) -> pa.Array:
        parts: list[pa.Array | pa.Scalar] = []
        for text, name, _, _ in string.Formatter().parse(template):
            parts += [pa.scalar(text)] * bool(text)
            if name is not None:
                parts.append(self._field(name))
        whole = [_whole(part) if not isinstance(part, pa.Scalar) else part for part in parts]
        if all(isinstance(part, pa.Scalar) for part in whole):
            return self.constant("".join(part.as_py() for part in whole))
        return pc.binary_join_element_wise(*whole, pa.scalar(""))

    def _field(self, name: str) -> pa.Array | pa.Scalar:
        if name in self._constants:
            return pa.scalar(self._constants[name])
        if name not in self._rows.column_names:
            return pa.scalar("")
        return pc.fill_null(_texts(self._rows[name]), "")


def _filled(rows: pa.Table, name: str, other: int | None) -> pa.Array:
    """Whole numbers of a column, another where there are none."""
    if name not in rows.column_names:
        return pa.array([other], pa.int64()).take(pa.array(np.zeros(rows.num_rows, np.int64)))
    known = _whole(rows[name]).cast(pa.int64())
    return known if other is None else pc.fill_null(known, other)


def _texts(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return _whole(values.cast(pa.string()))


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _floats(values: pa.Array | pa.ChunkedArray) -> Floats:
    """Numbers, NaN for NULL."""
    return np.asarray(pc.fill_null(_whole(values).cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False))


def _numbers(values: Floats) -> pa.Array:
    """Numbers, NULL for NaN."""
    return pa.array(values, from_pandas=True)
