"""A small release of visits, as files with a mapping: images over RA 0, around both poles and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from skyshard.basics.array_types import Floats
from skyshard.chunking.sphere import DEG_PER_RAD, unit_vectors

PLACES = ((0.0, 0.0), (359.95, -5.3), (45.0, 90.0), (200.0, -89.0), (10.0, -89.95), (150.1, 2.2))
"""Where images lie."""
BANDS = ("g", "r")
_CORNERS = ("llc", "lrc", "urc", "ulc")


def spread(count: int, seed: int) -> tuple[Floats, Floats]:
    """Positions within half a degree of the places, as many at each."""
    random = np.random.default_rng(seed)
    middle = np.repeat(unit_vectors(*np.array(PLACES).T), count, axis=0)
    moved = middle + random.uniform(-1, 1, middle.shape) * np.radians(0.5) / np.sqrt(3)
    return as_positions(moved)


def as_positions(vectors: Floats) -> tuple[Floats, Floats]:
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.arctan2(y, x) * DEG_PER_RAD % 360.0, np.arctan2(z, np.hypot(x, y)) * DEG_PER_RAD


def around(ra: Floats, dec: Floats, corners: int, radius_deg: float, turn: float = 0.3) -> tuple[Floats, Floats]:
    """The corners of regular polygons about positions, shape (n, corners), counter-clockwise, of six decimals."""
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    reach = np.tan(np.radians(radius_deg))
    found = [unit_vectors(ra, dec) + reach * (np.cos(a) * east + np.sin(a) * north) for a in angles]
    ra_corners, dec_corners = as_positions(np.stack(found, axis=1))
    return np.round(ra_corners, 6) % 360.0, np.round(dec_corners, 6)


def polygon_texts(ra: Floats, dec: Floats) -> list[str]:
    return [
        "POLYGON ICRS " + " ".join(f"{one:.6f} {other:.6f}" for one, other in zip(a, d, strict=True))
        for a, d in zip(ra.tolist(), dec.tolist(), strict=True)
    ]


def detectors_table(seed: int = 1, count: int = 12, *, is_clockwise: bool = False) -> pa.Table:
    """Detectors of visits as VisitDetector has them."""
    ra, dec = around(*spread(count, seed), 4, 0.15)
    if is_clockwise:
        ra, dec = ra[:, ::-1], dec[:, ::-1]
    number = np.arange(len(ra))
    columns = {
        "visitId": 2026_0001 + number // 9, "detector": number % 9, "band": np.array(BANDS)[number % 2],
        "physical_filter": np.array([f"{band}_24" for band in BANDS])[number % 2],
        "obsStartMJD": 60_600.0 + number / 1000, "expTime": np.full(len(ra), 30.0),
        "seeing": np.full(len(ra), 0.8), "xSize": np.full(len(ra), 4072), "ySize": np.full(len(ra), 4000),
    }  # fmt: skip
    for place, at in enumerate(_CORNERS):
        columns |= {f"{at}ra": ra[:, place], f"{at}dec": dec[:, place]}
    return pa.table(columns)


def patches_table(seed: int = 2, count: int = 4) -> pa.Table:
    """Patches whose regions have three to six corners."""
    ra, dec = spread(count, seed)
    texts = []
    for row in range(len(ra)):
        texts += polygon_texts(*around(ra[row : row + 1], dec[row : row + 1], 3 + row % 4, 0.2))
    number = np.arange(len(ra))
    return pa.table({"lsst_tract": number // 5, "lsst_patch": number % 5, "s_ra": ra, "s_dec": dec, "s_region": texts})


def write_release(folder: Path, detectors: pa.Table, patches: pa.Table | None, database: str = "release") -> Path:
    """The files and their mapping; returns the mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"VisitDetector": detectors} | ({"CoaddPatches": patches} if patches is not None else {})
    described = {}
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
        columns = [{"name": field.name, "type": _sql_type(field.type)} for field in table.schema]
        described[name] = {"files": [f"{name}.parquet"], "role": "regular", "declare": columns}
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
    content = {"version": 1, "database": database, "striping": striping, "tables": described}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
    return folder / "mapping.yaml"


def _sql_type(kind: pa.DataType) -> str:
    return "bigint" if pa.types.is_integer(kind) else "double" if pa.types.is_floating(kind) else "varchar(512)"


def corners_of_texts(texts: Sequence[str]) -> list[Floats]:
    """The corners of each polygon as unit vectors, shape (k, 3)."""
    numbers = [np.array(text.split()[2:], dtype=float).reshape(-1, 2) for text in texts]
    return [unit_vectors(one[:, 0], one[:, 1]) for one in numbers]


def holds_point(corners: Floats, point: Floats) -> bool:
    """Brute force: the point is on the left of every side."""
    return bool((np.cross(corners, np.roll(corners, -1, axis=0)) @ point >= 0).all())


def distance_deg(corners: Floats, point: Floats) -> float:
    """Brute force: the least angle between a point and the sides of a polygon."""
    least = np.inf
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        normal = np.cross(start, end)
        normal /= np.linalg.norm(normal)
        foot = point - (point @ normal) * normal
        is_between = np.cross(normal, start) @ foot >= 0 and np.cross(end, normal) @ foot >= 0
        near = abs(np.arcsin(point @ normal)) if is_between else np.pi
        ends = [2 * np.arcsin(np.linalg.norm(point - corner) / 2) for corner in (start, end)]
        least = min(least, near, *ends)
    return float(np.degrees(least))
