"""Finds the shipped data folders: those of the checkout if there is one, else the copies inside the package.

An editable install has no packaged copy, a wheel has no checkout; nothing else in Skyshard knows the difference.
"""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Literal

from skyshard.basics.errors import Bug, UserError
from skyshard.basics.near_names import did_you_mean, near_names

ShippedFolder = Literal["synth", "ingest", "queries", "k8s"]

PACKAGE = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """The project folder that this package runs from, or None for an installed wheel."""
    folder = PACKAGE.parents[1]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "src" / "skyshard").is_dir() else None


def data_folder(folder: ShippedFolder, *parts: str) -> Path:
    """A shipped folder, e.g. ``data_folder("queries", "workloads")``. Raises Bug when it is not there."""
    root = checkout()
    path = (root / folder if root else PACKAGE / "data" / folder).joinpath(*parts)
    if not path.is_dir():
        raise Bug(f"shipped folder {path} is missing")
    return path


def data_file(folder: ShippedFolder, *parts: str) -> Path:
    """A shipped file, e.g. ``data_file("synth", "recipes", "tiny.yaml")``. Raises Bug when it is not there."""
    path = data_folder(folder).joinpath(*parts)
    if not path.is_file():
        raise Bug(f"shipped file {path} is missing")
    return path


def find_shipped(kind: str, name: str, folder: ShippedFolder, inner: str) -> Path:
    """The YAML file itself, or the shipped one of that name, e.g. ``find_shipped("workload", "quick", "queries",
    "workloads")``.

    Raises:
        UserError: there is neither.
    """
    if os.path.isfile(name):  # False for a name that is too long
        return Path(name)
    shipped = sorted(data_folder(folder, inner).glob("*.yaml"))
    for file in shipped:
        if name == file.stem or Path(name).parts[-3:] == (folder, inner, file.name):
            return file
    known = [file.stem for file in shipped]
    near = f"{did_you_mean(meant, '')} Else " if (meant := near_names(name, known)) else ""
    raise UserError(f"there is no {kind} '{name}'", remedy=f"{near}name a file or one of: {', '.join(known)}")
