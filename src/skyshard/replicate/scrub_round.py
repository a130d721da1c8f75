"""A round of verification, kept while it is under way: one that was interrupted goes on where it was.

A file of the cluster's folder says when the round of a database began on each node; what was verified there since is
not read again. The round of a node that was read to its end is over, whatever became of others.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import read_written
from skyshard.cluster.cluster_folder import private_folder
from skyshard.host.atomic_files import write_atomically


class ScrubRound(BaseModel):
    """``scrub/DATABASE.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    begun_s: dict[str, float]
    """By node, by the registry's clock, in seconds since 1970."""


def begin_round(folder: Path, database: str, nodes: Iterable[str], now_s: float) -> dict[str, float]:
    """When the round of a database began on each of some nodes: now, or as an interrupted one says.

    Args:
        folder: of the cluster.
        database: its stored name.
    """
    path, names = _file(folder, database), list(nodes)
    known = dict.fromkeys(names, now_s) | _begun_s(path)
    _write(path, known)
    return {node: known[node] for node in names}


def end_round(folder: Path, database: str, nodes: Iterable[str]) -> None:
    """All has been read of some nodes: their next round begins anew."""
    path, ended = _file(folder, database), set(nodes)
    _write(path, {node: begun_s for node, begun_s in _begun_s(path).items() if node not in ended})


def _file(folder: Path, database: str) -> Path:
    return private_folder(folder / "scrub") / f"{database}.json"


def _write(path: Path, begun_s: dict[str, float]) -> None:
    if begun_s:
        write_atomically(path, ScrubRound(begun_s=begun_s).model_dump_json())
    else:
        path.unlink(missing_ok=True)


def _begun_s(path: Path) -> dict[str, float]:
    try:
        return read_written(ScrubRound, path, "remove it").begun_s if path.exists() else {}
    except UserError:  # torn, or of another release: a new round loses nothing but time
        return {}
