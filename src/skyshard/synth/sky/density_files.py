"""Densities given by files: HEALPix maps, and rows per chunk of a real catalog. Reads the named file only."""

from __future__ import annotations

import gzip
import warnings
from dataclasses import dataclass
from pathlib import Path

import hpgeom
import numpy as np
import xxhash

from skyshard.basics.array_types import Floats
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.chunking import Chunker
from skyshard.host.array_files import load_array
from skyshard.synth.recipe.frames import Frame, frame_named
from skyshard.synth.recipe.sky_rules import ChunkRows, MapFile

_MAP_KEY = "sky.from_map.file"


@dataclass(frozen=True, slots=True)
class MapRead:
    """Relative density by pixel, ring order, and the frame of the pixels."""

    values: Floats
    frame: Frame


def read_map(rule: MapFile) -> MapRead:
    """A map with the order and the frame that its file says; pixels that it marks as unseen count as empty.

    Raises:
        UserError: unreadable, not a HEALPix map, negative, another content than the recipe was read with, or an order
            or frame that is unknown or not the one that the recipe says.
    """
    path = Path(rule.file)
    _require(path, rule.xxh3, _MAP_KEY)
    try:
        values, header = _read_npy(path) if path.suffix == ".npy" else _read_fits(path)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise _wrong(path, _MAP_KEY, f"no HEALPix map: {error}") from None
    nside = round((len(values) / 12) ** 0.5) if values.ndim == 1 else 0
    if not nside or 12 * nside * nside != len(values) or nside & (nside - 1):
        raise _wrong(path, _MAP_KEY, f"shape {values.shape} is not that of a HEALPix map")
    if _is_nested(path, header.get("ORDERING"), rule):
        values = values[hpgeom.ring_to_nest(nside, np.arange(len(values)))]
    values = np.where(np.isfinite(values) & (values > -1e29), values, 0.0)
    if (values < 0).any():
        raise _wrong(path, _MAP_KEY, f"pixel {int(values.argmin())} is negative")
    return MapRead(values, _frame(path, header.get("COORDSYS"), rule))


def _is_nested(path: Path, ordering: str | None, rule: MapFile) -> bool:
    """The order by the header, else by the recipe; a .npy file is in ring order if neither says."""
    if ordering is None:
        if rule.is_nested is None and path.suffix != ".npy":
            raise _wrong(path, "sky.from_map.is_nested", "the header has no ORDERING, and the recipe does not say it")
        return bool(rule.is_nested)
    known = {"RING": False, "NESTED": True, "NEST": True}
    found = known.get(ordering, rule.is_nested)
    if found is None or rule.is_nested not in (None, found):
        raise _wrong(path, "sky.from_map.is_nested", f"the header says ORDERING '{ordering}'")
    return found


def _frame(path: Path, coordsys: str | None, rule: MapFile) -> Frame:
    if not coordsys:
        return rule.coordinates or Frame.EQUATORIAL
    found = frame_named(coordsys) or rule.coordinates
    if found is None or rule.coordinates not in (None, found):
        raise _wrong(path, "sky.from_map.coordinates", f"the header says COORDSYS '{coordsys}'")
    return found


def _read_npy(path: Path) -> tuple[Floats, dict[str, str]]:
    return load_array(path).astype(np.float64), {}


def _read_fits(path: Path) -> tuple[Floats, dict[str, str]]:
    """The first map of a file with its pixels in stored order, and its header."""
    import healpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, header = healpy.read_map(path, dtype=np.float64, nest=None, h=True)
    said = {str(key).upper(): str(value).strip().upper() for key, value in header}
    is_explicit = said.get("INDXSCHM") == "EXPLICIT" or said.get("OBJECT") == "PARTIAL"
    if said.get("TTYPE1", "").startswith("PIX") and not is_explicit:
        raise ValueError("its first column is of pixel numbers, and INDXSCHM does not say EXPLICIT")
    return np.asarray(values), said


def read_chunk_rows(rule: ChunkRows) -> tuple[Chunker, dict[int, float]]:
    """Rows by chunk.

    Raises:
        UserError: unreadable, a line that is not two numbers, a chunk that the striping does not have.
    """
    path, key = Path(rule.file), "sky.from_chunks.file"
    _require(path, rule.xxh3, key)
    content = path.read_bytes()
    try:
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        table = np.atleast_2d(np.loadtxt(text.decode().splitlines(), skiprows=1, dtype=np.float64, usecols=(0, 1)))
    except (OSError, EOFError, ValueError, UnicodeDecodeError) as error:
        raise _wrong(path, key, " ".join(str(error).split())) from None
    chunker = chunker_of(rule.striping)
    is_wrong = ~chunker.is_chunk(table[:, 0]) | ~(table[:, 1] >= 0)
    if is_wrong.any() or not table[:, 1].sum() > 0:
        line = int(is_wrong.argmax()) + 2
        raise _wrong(path, key, f"line {line}: no chunk of striping {rule.striping.family}, or no number of rows")
    return chunker, dict(zip(table[:, 0].astype(int).tolist(), table[:, 1].tolist(), strict=True))


def _require(path: Path, xxh3: str, key: str) -> None:
    try:
        found = xxhash.xxh3_128(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _wrong(path, key, error.strerror or "unreadable") from None
    if xxh3 not in ("", found):
        raise _wrong(path, key, "another content than the recipe was read with")


def _wrong(path: Path, key: str, what: str) -> UserError:
    return UserError(f"key '{key}': '{path}': {what}", remedy="fix the file or the key")
