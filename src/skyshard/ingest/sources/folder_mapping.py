"""A first mapping for a folder of Parquet or FITS files: which files are which table, what no rule takes.

Rules: Butler's dataset types and the folders of TAP tables are known by name; any other folder, and any other stem of a
file, is a table of its own. Folders such as ``band=g`` or ``Norder=3`` are parts of the table above them. Columns and
roles are inferred when the mapping is opened.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.butler_paths import read_butler_path
from skyshard.ingest.sources.columnar_files import DEGREES, columnar_ending, columnar_slices, is_columnar, is_in_radians
from skyshard.ingest.sources.fits_files import is_fits
from skyshard.ingest.sources.folder_columns import first_column

DATASET_TYPES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Object": (
        ("objectTable_tract",), ("objectTable_primary", "objectTable_nonprimary"), ("objectTable",), ("object",),
    ),
    "Source": (("sourceTable_visit",), ("sourceTable",), ("source",)),
    "ForcedSource": (("forcedSourceTable_tract",), ("forcedSourceTable",), ("object_forced_source",)),
    "DiaObject": (("diaObjectTable_tract",), ("dia_object",)),
    "DiaSource": (("diaSourceTable_tract",), ("dia_source",)),
    "ForcedSourceOnDiaObject": (
        ("forcedSourceOnDiaObjectTable_tract",), ("forcedSourceOnDiaObjectTable",), ("dia_object_forced_source",),
    ),
    "Visit": (("visitTable",), ("visit_table",)),
    "VisitDetector": (("visitDetectorTable",), ("ccdVisitTable",), ("visit_detector_table",)),
    "ShearObject": (("object_shear_all",),),
    "IsolatedStarStellarMotions": (("isolated_star_stellar_motions",),),
    "SSObject": (("ss_object",),), "SSSource": (("ss_source",),),
}  # fmt: skip
"""Table → dataset types, of which the first that are there count: a tract's rows are those of its patches again."""
_LAYOUT = "qserv-340-3"
_POSITIONS = ("coord_ra", "coord_dec", "ra", "dec", "decl")


@dataclass(frozen=True, slots=True)
class FolderMapping:
    """The mapping as plain values, and the files that it does not take, with why."""

    content: dict[str, Any]
    left: dict[str, str] = field(default_factory=dict)
    """Path below the folder → why no table has it."""


def map_folder(folder: Path, database: str = "") -> FolderMapping:
    """Describe a folder; of the files only their names, and whether they can be read, count.

    Raises:
        UserError: no folder, or no Parquet file or FITS table in it.
    """
    if not folder.is_dir():
        raise UserError(f"'{folder}' is no folder", remedy="give the folder of a catalog's files")
    left: dict[str, str] = {}
    types: dict[str, list[Path]] = {}
    plain: dict[str, list[Path]] = {}
    for path in _files(folder):
        below = path.relative_to(folder)
        if not is_columnar("", path):
            left[str(below)] = "no Parquet file: columns of text files are declared by hand"
        elif reason := _fault(path):
            left[str(below)] = reason
        elif not is_fits("", path) and (found := read_butler_path(below, folder)) is not None:
            types.setdefault(found.dataset.dataset_type, []).append(path)
        else:
            plain.setdefault(_group(below), []).append(path)
    if not types and not plain:
        raise _no_files(folder, left)
    _take_out_other_kinds(folder, plain, left)
    _take_out_strays(folder, plain, left)
    tables = _butler_tables(types)
    for group, files in plain.items():
        name = _table_name(group or folder.resolve().name, tables)
        tables[name] = {"files": _patterns(folder, group, files), **_in_degrees(files[0])}
    content: dict[str, Any] = {"version": 1, "database": database or database_of(folder), "schema": "infer"}
    content |= {"runs": "newest"} if types else {}
    content |= {"layout": _LAYOUT, "input": str(folder.resolve()), "tables": tables}
    return FolderMapping(content, left)


def _files(folder: Path) -> list[Path]:
    """Files below the folder in the order of their names; hidden ones and what Skyshard writes are none of them."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        found += [Path(root, name) for name in sorted(names) if not name.startswith((".", "_"))]
    return found


def _no_files(folder: Path, left: Mapping[str, str]) -> UserError:
    """What is to be said of a folder without a file that is taken."""
    parquet = next((name for name in left if is_columnar("", Path(name))), "")
    if parquet:
        what, _, remedy = left[parquet].partition("; ")
        return UserError(
            f"no Parquet file or FITS table under '{folder}' can be read, as '{parquet}': {what}", remedy=remedy
        )
    return UserError(f"no Parquet file or FITS table under '{folder}'", remedy="give the folder of a catalog's files")


def _take_out_other_kinds(folder: Path, groups: dict[str, list[Path]], left: dict[str, str]) -> None:
    """Leave FITS files beside Parquet files of their table: the files of one are of one kind."""
    for files in groups.values():
        others = [path for path in files if is_fits("", path)]
        if others and len(others) < len(files):
            left |= {str(path.relative_to(folder)): "it lies beside Parquet files of its table" for path in others}
            files[:] = sorted(set(files).difference(others))


def _take_out_strays(folder: Path, groups: dict[str, list[Path]], left: dict[str, str]) -> None:
    """Leave the files that lie beside a table's parts: samples of its rows, as HATS has them."""
    if "" in groups:
        for group in [name for name in groups if name and not name.endswith("/")]:
            groups[""] += groups.pop(group)
    for group, files in groups.items():
        parts = [path for path in files if first_column(path.relative_to(folder)) is not None]
        if parts and (not group or group.endswith("/")):
            part = parts[0].parent.relative_to(folder)
            for path in set(files).difference(parts):
                left[str(path.relative_to(folder))] = f"it lies beside the parts of a table, such as '{part}'"
            files[:] = parts


def _fault(path: Path) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        columnar_slices(path)
    except UserError as error:
        return f"{error.what.rpartition(': ')[2]}; {error.remedy}"
    return ""


def _butler_tables(types: Mapping[str, list[Path]]) -> dict[str, dict[str, Any]]:
    """A table for each known group of dataset types, and one for each other type."""
    tables: dict[str, dict[str, Any]] = {}
    known = set()
    for name, choices in DATASET_TYPES.items():
        there = [
            [pattern for kind in choice for pattern in _type_patterns(kind, types.get(kind, ()))] for choice in choices
        ]
        there = [patterns for patterns in there if patterns]
        known |= {kind for choice in choices for kind in choice}
        if there:
            tables[name] = {"files": there[0]} | ({"otherwise": there[1:]} if there[1:] else {})
    for kind in types:
        if kind not in known:
            tables[_table_name(kind, tables)] = {"files": _type_patterns(kind, types[kind])}
    return tables


def _type_patterns(kind: str, files: Sequence[Path]) -> list[str]:
    """Patterns for the files of a dataset type: Gen3 has a folder of its name, Gen2 names the files only."""
    name = glob.escape(kind)
    patterns = {f"**/{name}/**/*.parq*" if kind in path.parts else f"**/{name}-*.parq*" for path in files}
    return sorted(patterns)


def _in_degrees(path: Path) -> dict[str, Any]:
    """Rules for positions that a file has in radians, as tables of the pipelines do."""
    positions = [entry.name for entry in columnar_slices(path)[1] if is_in_radians(entry)]
    rules = {name: {"factor": DEGREES} for name in positions if name.lower() in _POSITIONS}
    return {"columns": rules} if rules else {}


def _group(below: Path) -> str:
    """The folder that a file's table is named by, empty for the folder itself where its folders are parts; for files of
    the folder itself the stem without numbers."""
    if first_column(below) == 0:
        return ""
    if len(below.parts) > 1:
        return f"{below.parts[0]}/"
    stem = below.name.removesuffix(columnar_ending(below))
    return re.sub(r"[-_.]?\d+$", "", stem) or stem


def _patterns(folder: Path, group: str, files: list[Path]) -> list[str]:
    """Patterns that find the files of a group; their names, where patterns would find others too."""
    endings = sorted({columnar_ending(path) for path in files})
    parts = sorted({_top(group, path.relative_to(folder)) for path in files})
    choices = {"/": [[glob.escape(group)], parts], "": [parts]}
    for tops in choices.get(group[-1:], []):
        patterns = [f"{top}**/*{ending}" for top in tops for ending in endings]
        found = {folder / name for one in patterns for name in glob.glob(one, root_dir=folder, recursive=True)}
        if found == set(files):
            return patterns
    return [glob.escape(path.relative_to(folder).as_posix()) for path in files]


def _top(group: str, below: Path) -> str:
    """The pattern of the folders that a table's files lie below: its own, or those that are its parts."""
    at = first_column(below)
    if at is None:
        return glob.escape(group)
    return "".join(f"{glob.escape(part)}/" for part in below.parts[:at]) + f"{below.parts[at].partition('=')[0]}=*/"


def _table_name(group: str, taken: Mapping[str, Any]) -> str:
    """A name that a table may have, and none of the others has."""
    name = re.sub(r"\W+", "_", group.rstrip("/"), flags=re.ASCII).strip("_")[:40].strip("_") or "table"
    lowered = {other.lower() for other in taken}
    while name.lower() in lowered:
        name += "x"
    return name


def database_of(folder: Path) -> str:
    """The name of a database for a folder, where none is given."""
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", folder.resolve().name, flags=re.ASCII)).strip("_")
    return (name if name[:1].isalpha() else f"d_{name}".rstrip("_"))[:40].rstrip("_")
