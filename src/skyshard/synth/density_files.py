"""Densities given by files: HEALPix maps, and rows per chunk of a real catalog. Reads the file named, nothing else."""

from __future__ import annotations

import gzip
import math
import warnings
from pathlib import Path

import hpgeom  # type: ignore[import-untyped]
import numpy as np
import xxhash
from numpy.typing import NDArray

from skyshard.chunking import Chunker
from skyshard.errors import UserError
from skyshard.synth.sky_rules import ChunkRows, MapFile

Floats = NDArray[np.float64]


def read_map(rule: MapFile) -> Floats:
    """Relative density by pixel, ring order; pixels that a map marks as unseen count as empty.

    Raises:
        UserError: unreadable, not a HEALPix map, negative, or another content than the recipe was read with.
    """
    path = Path(rule.file)
    _require(path, rule.xxh3, "sky.from_map.file")
    try:
        values = _read_npy(path, rule) if path.suffix == ".npy" else _read_fits(path)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise _wrong(path, "sky.from_map.file", f"no HEALPix map: {error}") from None
    nside = round((len(values) / 12) ** 0.5) if values.ndim == 1 else 0
    if not nside or 12 * nside * nside != len(values) or nside & (nside - 1):
        raise _wrong(path, "sky.from_map.file", f"shape {values.shape} is not that of a HEALPix map")
    values = np.where(np.isfinite(values) & (values > -1e29), values, 0.0)
    if (values < 0).any():
        raise _wrong(path, "sky.from_map.file", f"pixel {int(values.argmin())} is negative")
    return values


def _read_npy(path: Path, rule: MapFile) -> Floats:
    values = np.load(path, allow_pickle=False).astype(np.float64)
    if not rule.is_nested:
        return np.asarray(values)
    nside = math.isqrt(len(values) // 12)
    return np.asarray(values[hpgeom.ring_to_nest(nside, np.arange(len(values)))])


def _read_fits(path: Path) -> Floats:
    import healpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(healpy.read_map(path, dtype=np.float64))


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
    chunker = Chunker(rule.striping.stripes, rule.striping.substripes, rule.striping.overlap_deg)
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
    return UserError(f"key '{key}': '{path}': {what}", remedy="mend the file or the key")
