"""Folders and file names of a weekly, as a Butler leaves them. No I/O.

Generation 3: ``<run>/<dataset type>/<tract>/<patch>/<day>/<band>/<filter>/<visit>/<dataset type>_<instrument>_<tract>_
<patch>_<band>_<filter>_<visit>_<skymap>_<run>.parq``, each part only where the dataset has it, and the run's slashes
as underscores (lsst/daf_butler ``configs/datastores/fileDatastore.yaml``). Generation 2: the templates of obs_subaru.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from skyshard.synth.weeklies.weekly_order import TreeKind

_FIRST_WEEK, _WEEKS_APART, _WEEKS_OF_YEAR = 20, 4, 52
_FIRST_TICKET = 54_000


@dataclass(frozen=True, slots=True)
class DatasetType:
    """One dataset type of a layout."""

    name: str
    table: str
    by: tuple[str, ...]
    """Its dimensions: tract, patch, visit."""
    step: int
    """Which step of the pipeline, and so which RUN, makes it."""
    rows: str = ""
    """primary or nonprimary: only these; copy: the same rows as another dataset type's."""


@dataclass(frozen=True, slots=True)
class DataId:
    """The place of one dataset."""

    tract: int | None = None
    patch: int | None = None
    visit: int | None = None
    day: int = 0
    band: str = ""
    physical_filter: str = ""


_GEN3 = (
    DatasetType("objectTable_tract", "Object", ("tract",), 3),
    DatasetType("objectTable_primary", "Object", ("tract",), 3, "primary"),
    DatasetType("objectTable_nonprimary", "Object", ("tract",), 3, "nonprimary"),
    DatasetType("sourceTable_visit", "Source", ("visit",), 1),
    DatasetType("forcedSourceTable", "ForcedSource", ("tract", "patch"), 3),
    DatasetType("forcedSourceTable_tract", "ForcedSource", ("tract",), 3, "copy"),
    DatasetType("visitTable", "Visit", (), 2),
    DatasetType("ccdVisitTable", "VisitDetector", (), 2),
)
_GEN2 = (
    DatasetType("objectTable", "Object", ("tract",), 1),
    DatasetType("sourceTable", "Source", ("visit",), 1),
)
_DP2 = (
    DatasetType("object", "Object", ("tract",), 3),
    DatasetType("object_parent", "Parent", ("tract",), 3),
    DatasetType("object_forced_source", "ForcedSource", ("tract", "patch"), 3),
    DatasetType("source", "Source", ("visit",), 1),
    DatasetType("dia_object", "DiaObject", ("tract",), 3),
    DatasetType("dia_source", "DiaSource", ("tract",), 3),
    DatasetType("dia_object_forced_source", "ForcedSourceOnDiaObject", ("tract", "patch"), 3),
    DatasetType("visit_table", "Visit", (), 2),
    DatasetType("visit_detector_table", "VisitDetector", (), 2),
)
DATASET_TYPES: dict[TreeKind, tuple[DatasetType, ...]] = {"hsc-gen3": _GEN3, "hsc-gen2": _GEN2, "dp2": _DP2}
STEPS = 4
"""RUN folders of a chain; the last makes one dataset again."""


def weekly_name(number: int) -> str:
    """The stack's weekly of the n-th reprocessing: every fourth week, from the 20th of 2026.

    >>> weekly_name(1), weekly_name(2), weekly_name(10)
    ('w_2026_20', 'w_2026_24', 'w_2027_04')
    """
    years, week = divmod(_FIRST_WEEK - 1 + (number - 1) * _WEEKS_APART, _WEEKS_OF_YEAR)
    return f"w_{2026 + years}_{week + 1:02d}"


def ticket(number: int) -> str:
    """The ticket of the n-th reprocessing.

    >>> ticket(2)
    'DM-54034'
    """
    return f"DM-{_FIRST_TICKET + 17 * number}"


@dataclass(frozen=True, slots=True)
class ReleaseTree:
    """Where one weekly's files are, from the folder that ``--out`` names."""

    kind: TreeKind
    number: int

    @property
    def folder(self) -> str:
        """The chain's root, or the rerun."""
        middle = {"hsc-gen3": "HSC/runs/RC2", "hsc-gen2": "rerun/RC", "dp2": "LSSTCam/runs/DRP/DP2"}[self.kind]
        return f"{middle}/{weekly_name(self.number)}/{ticket(self.number)}"

    @property
    def runs(self) -> list[str]:
        """RUN collections, oldest first."""
        if self.kind == "hsc-gen2":
            return [self.folder]
        started = datetime.datetime(2026, 5, 18, 14, 15) + datetime.timedelta(weeks=4 * (self.number - 1))
        stamps = [started + datetime.timedelta(hours=31 * step) for step in range(STEPS)]
        return [f"{self.folder}/{stamp:%Y%m%dT%H%M%SZ}" for stamp in stamps]

    def run_of(self, what: DatasetType) -> str:
        """The run that makes a dataset type."""
        return self.runs[min(what.step, len(self.runs)) - 1]

    def path(self, what: DatasetType, place: DataId, run: str) -> str:
        """One file."""
        if self.kind == "hsc-gen2":
            return f"{run}/{self.dataset(what, place)}.parq"
        instrument, skymap = ("LSSTCam", "lsst_cells_v2") if self.kind == "dp2" else ("HSC", "hsc_rings_v1")
        is_sky = place.tract is not None
        words = [
            what.name, None if is_sky else instrument, place.tract, place.patch, place.band or None,
            place.physical_filter or None, place.visit, skymap if is_sky else None, run.replace("/", "_"),
        ]  # fmt: skip
        name = "_".join(str(word) for word in words if word is not None)
        return f"{run}/{self.dataset(what, place)}/{name}.parq"

    def dataset(self, what: DatasetType, place: DataId) -> str:
        """The dataset id: the same in every run."""
        if self.kind == "hsc-gen2" and place.visit is not None:
            return f"{place.day % 100_000:05d}/{place.physical_filter}/output/{what.name}-{place.visit:07d}"
        if self.kind == "hsc-gen2":
            return f"deepCoadd-results/merged/{place.tract}/{what.name}-{place.tract}"
        words = (place.tract, place.patch, place.day or None, place.band or None, place.physical_filter or None)
        return "/".join(str(word) for word in (what.name, *words, place.visit) if word is not None)
