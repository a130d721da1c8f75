"""Paths of Butler exports: which run wrote a file, and of which dataset it is. No I/O.

Two generations are known. Gen3 (daf_butler ``configs/datastores/fileDatastore.yaml``, template ``default``):
``RUN/TYPE/[tract]/[patch]/[day_obs]/[band]/[filter]/[visit]/TYPE_..._RUN.parq``; the run's name is repeated in the
file's, with ``_`` for ``/``, which says where it begins. Gen2 (obs_subaru ``policy/HscMapper.yaml``):
``RERUN/deepCoadd-results/merged/TRACT/objectTable-TRACT.parq`` and
``RERUN/POINTING/FILTER/output/sourceTable-VISIT.parq``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

_WEEKLY = re.compile(r"(?<![A-Za-z0-9])w_(\d{4})_(\d{2})(?!\d)")
_TICKET = re.compile(r"(?<![A-Za-z0-9])(DM-\d+)(?!\d)")
_TIMESTAMP = re.compile(r"(?<!\d)(\d{8}T\d{6}Z)$")
_DIMENSIONS = re.compile(
    r"(?:(?P<tract>\d{1,6})/)?(?:(?P<patch>\d{1,4})/)?(?:(?P<day_obs>\d{8})/)?"
    r"(?:(?P<band>[A-Za-z][A-Za-z0-9]*)/(?:(?P<physical_filter>[^/]*[^/\d][^/]*)/)?)?(?:(?P<visit>\d+)/)?"
)
_DETECTOR = re.compile(r"(R\d\d_S\w\w|\d+_\d+|\d+)(?:_|$)")
_GEN2 = (
    re.compile(
        r"(?:(?P<run>.*)/)?deepCoadd-results/(?P<band>(?!merged/)[^/]+/)?(?:merged/)?(?P<tract>\d+)/"
        r"(?:(?P<patch>\d+,\d+)/)?(?P<type>[A-Za-z]\w*?)-(?:[^/]*-)?(?P=tract)(?:-(?P=patch))?\.\w+"
    ),
    re.compile(
        r"(?:(?P<run>.*)/)?(?P<pointing>\d+)/(?P<physical_filter>[^/]+)/output/"
        r"(?P<type>[A-Za-z]\w*?)-(?P<visit>\d+)(?:-(?P<detector>\d+))?\.\w+"
    ),
)


@dataclass(frozen=True, slots=True, order=True)
class DatasetId:
    """What a file is of, whichever run wrote it: the dataset type and the dimensions that its path names.

    Numbers are without leading zeros; what the path does not name is empty.
    """

    dataset_type: str
    tract: str = ""
    patch: str = ""
    visit: str = ""
    detector: str = ""
    band: str = ""
    skymap: str = ""

    def __str__(self) -> str:
        """The id for people.

        >>> print(DatasetId("sourceTable_visit", visit="1228", band="g"))
        sourceTable_visit visit 1228 band g
        """
        names = ("tract", "patch", "visit", "detector", "band", "skymap")
        return " ".join([self.dataset_type, *(f"{name} {value}" for name in names if (value := getattr(self, name)))])


@dataclass(frozen=True, slots=True)
class ButlerPath:
    """A file of a Butler export."""

    run: str
    """The RUN collection or rerun, with ``/``; below the root only, where a file's name does not repeat it."""
    dataset: DatasetId
    day_obs: str = ""
    physical_filter: str = ""
    instrument: str = ""

    @property
    def weekly(self) -> str:
        """The weekly that the run names (``w_2026_24``); empty where it names none, the last one of several."""
        return weekly_of(self.run)

    @property
    def ticket(self) -> str:
        """The ticket that the run names (``DM-24822``), or empty."""
        return ticket_of(self.run)

    @property
    def timestamp(self) -> str:
        """When the run was begun, as its name ends (``20260612T101500Z``), or empty; sorts as time does."""
        return timestamp_of(self.run)


def weekly_of(run: str) -> str:
    """The last weekly in a run's name.

    >>> weekly_of("HSC/runs/RC2/w_2026_24/DM-24822/20260612T101500Z"), weekly_of("HSC/raw/all")
    ('w_2026_24', '')
    """
    found = _WEEKLY.findall(run)
    return "w_{}_{}".format(*found[-1]) if found else ""


def ticket_of(run: str) -> str:
    """The last ticket in a run's name.

    >>> ticket_of("rerun/RC/w_2020_19/DM-24822-sfm")
    'DM-24822'
    """
    found = _TICKET.findall(run)
    return str(found[-1]) if found else ""


def timestamp_of(run: str) -> str:
    """The time at the end of a run's name.

    >>> timestamp_of("HSC/runs/RC2/w_2026_24/DM-24822/20260612T101500Z")
    '20260612T101500Z'
    """
    found = _TIMESTAMP.search(run)
    return found[1] if found else ""


def read_butler_path(path: PurePath | str, root: PurePath | str = "") -> ButlerPath | None:
    """What the path of a file says by the templates of Butler; None for other paths.

    Args:
        path: the file, absolute or below ``root``; only its text counts.
        root: the folder that the export was looked for in. A run's name that the file repeats may begin above it.

    >>> found = read_butler_path(
    ...     "runs/w_2026_24/20260612T101500Z/objectTable_tract/9813/"
    ...     "objectTable_tract_9813_hsc_rings_v1_runs_w_2026_24_20260612T101500Z.parq")
    >>> found.run, found.dataset.tract, found.dataset.skymap, found.weekly
    ('runs/w_2026_24/20260612T101500Z', '9813', 'hsc_rings_v1', 'w_2026_24')
    """
    root = PurePath(root)
    whole = root / path
    below = whole.relative_to(root) if whole.is_relative_to(root) else whole
    return _gen2(below) or _gen3(whole, len(whole.parts) - len(below.parts))


def _gen3(path: PurePath, above: int) -> ButlerPath | None:
    """``above`` folders of the path lead to the root."""
    *folders, name = path.parts
    stem = name.partition(".")[0] if name.endswith((".parq", ".parquet", ".pq")) else PurePath(name).stem
    for at in reversed(range(above, len(folders))):
        kind = folders[at]
        if stem != kind and not stem.startswith(f"{kind}_"):
            continue
        dimensions = _DIMENSIONS.fullmatch("".join(f"{folder}/" for folder in folders[at + 1 :]))
        if dimensions is not None and _are_repeated(dimensions, stem):
            return _read_gen3(folders[:at], above, kind, dimensions, stem[len(kind) :])
    return None


def _are_repeated(dimensions: re.Match[str], stem: str) -> bool:
    """The template writes each dimension into the file's name as well; other folders are no dimensions."""
    values = [value for name, value in dimensions.groupdict().items() if value and name != "day_obs"]
    return all(f"_{value.replace('/', '_')}_" in f"{stem}_" for value in values)


def _read_gen3(before: list[str], above: int, kind: str, dimensions: re.Match[str], tail: str) -> ButlerPath:
    named = {name: value or "" for name, value in dimensions.groupdict().items()}
    run, rest = _split_run(before, tail)
    instrument, rest = _instrument(rest, named)
    for name in ("tract", "patch", "band", "physical_filter", "visit"):
        rest = rest.removeprefix(f"_{named[name].replace('/', '_')}") if named[name] else rest
    rest = rest.removeprefix("_")
    detector = ""
    if named["visit"] and (found := _DETECTOR.match(rest)):
        detector, rest = found[1], rest[found.end() :]
    dataset = DatasetId(
        kind, _number(named["tract"]), _number(named["patch"]), _number(named["visit"]), detector, named["band"],
        rest if run else "",
    )  # fmt: skip
    return ButlerPath(run or "/".join(before[above:]), dataset, named["day_obs"], named["physical_filter"], instrument)


def _split_run(before: list[str], tail: str) -> tuple[str, str]:
    """The most folders before the dataset type whose names end the file's name, and what is left of that."""
    for first in range(len(before)):
        run = "/".join(before[first:])
        if tail.endswith("_" + run.replace("/", "_")):
            return run, tail[: -len(run) - 1]
    return "", tail


def _instrument(rest: str, named: dict[str, str]) -> tuple[str, str]:
    """The instrument stands before the first dimension that the folders name, if a visit or nothing is named."""
    first = next((named[name] for name in ("tract", "band", "visit") if named[name]), "")
    if not first:
        found = re.match(r"_([A-Z]\w*?)(?=_|$)", rest)
        return (found[1], rest[found.end() :]) if found else ("", rest)
    found = re.match(rf"_([A-Za-z][A-Za-z0-9]*)(?=_{re.escape(first)}(?:_|$))", rest)
    return (found[1], rest[found.end() :]) if found else ("", rest)


def _gen2(path: PurePath) -> ButlerPath | None:
    for template in _GEN2:
        found = template.fullmatch(path.as_posix())
        if found is None:
            continue
        parts = {name: value or "" for name, value in found.groupdict().items()}
        dataset = DatasetId(
            parts["type"], _number(parts.get("tract", "")), parts.get("patch", ""), _number(parts.get("visit", "")),
            _number(parts.get("detector", "")), parts.get("band", "").rstrip("/"),
        )  # fmt: skip
        return ButlerPath(parts["run"], dataset, physical_filter=parts.get("physical_filter", ""))
    return None


def _number(digits: str) -> str:
    return digits.lstrip("0") or digits[-1:]
