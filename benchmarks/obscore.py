"""How long ``ivoa.ObsCore`` takes to make, and to answer which images hold a point or meet a circle.

    python benchmarks/obscore.py [--rows 5000000] [--queries 400] [--nodes 2] [--quick] [--json FILE]

A release of visits is drawn: detectors turned at random all over the sphere, a deep field, patches; a share of them
over RA 0 and around both poles. Its visit tables are ingested, ``skyshard obscore`` makes the table, and points and
circles are asked of the czar, some of them near RA 0, at dec -89 and beyond, in the deep field, and at corners. A part
of the answers is compared with brute force over all polygons, by vectors, without what the program computes with.

``cpu`` is processor time a query, of this process and of all servers: other work on the machine hardly lengthens it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

Floats = NDArray[np.float64]
HALF_DEG = 0.111
BANDS = "ugrizy"
COLUMNS = (
    "dataproduct_subtype, lsst_visit, lsst_detector, lsst_tract, lsst_patch, lsst_band, obs_id, s_ra, s_dec, s_region, "
    "t_min, t_max, access_url, obs_publisher_did"
)
DETECTOR_KINDS, PATCH_KINDS = 3, 2


def vectors(ra: Floats, dec: Floats) -> Floats:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)], axis=-1)


def positions(v: Floats) -> tuple[Floats, Floats]:
    return np.degrees(np.arctan2(v[..., 1], v[..., 0])) % 360.0, np.degrees(
        np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1]))
    )


def drawn_centres(count: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Centres: most anywhere, some over RA 0, around the poles, in a deep field of 10 square degrees."""
    ra, dec = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    place = random.random(count)
    seam, poles, deep = place < 0.01, (place >= 0.01) & (place < 0.02), (place >= 0.02) & (place < 0.04)
    ra[seam] = random.uniform(-0.3, 0.3, int(seam.sum())) % 360
    dec[poles] = random.choice((-1, 1), int(poles.sum())) * random.uniform(88.5, 90, int(poles.sum()))
    ra[deep], dec[deep] = random.uniform(150, 153.16, int(deep.sum())), random.uniform(1, 4.16, int(deep.sum()))
    return ra, dec


def corners_of(ra: Floats, dec: Floats, half: float, turn: Floats) -> tuple[Floats, Floats]:
    """Four corners of squares in the tangent plane, shape (n, 4), of six decimals."""
    lon, lat = np.radians(ra), np.radians(dec)
    centre = vectors(ra, dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    found = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        across, up = (np.cos(turn) * x - np.sin(turn) * y)[:, None], (np.sin(turn) * x + np.cos(turn) * y)[:, None]
        found.append(positions(centre + np.tan(np.radians(half)) * (across * east + up * north)))
    return (np.round(np.stack([one[axis] for one in found], axis=1), 6) for axis in (0, 1))  # type: ignore[return-value]


def write_release(folder: Path, rows: int, seed: int) -> dict[str, Any]:
    """The visit tables as Parquet with a mapping; returns what brute force needs."""
    random = np.random.default_rng(seed)
    patches = max(10, rows // 20 // (PATCH_KINDS * len(BANDS)))
    detectors = (rows - patches * PATCH_KINDS * len(BANDS)) // DETECTOR_KINDS
    ra, dec = drawn_centres(detectors, random)
    corner_ra, corner_dec = corners_of(ra, dec, HALF_DEG, random.uniform(0, 2 * np.pi, detectors))
    number = np.arange(detectors)
    band = random.integers(0, len(BANDS), detectors)
    columns: dict[str, Any] = {
        "visitId": 2025_0000_0000 + number // 189, "detector": number % 189,
        "band": np.array(list(BANDS))[band],
        "physical_filter": np.array([f"{b}_{n}" for n, b in enumerate(BANDS, 10)])[band],
        "obsStartMJD": 60_600.0 + number // 189 * 40 / 86_400, "expTime": np.full(detectors, 30.0),
        "seeing": random.uniform(0.5, 1.5, detectors),
        "xSize": np.full(detectors, 4072), "ySize": np.full(detectors, 4000),
    }  # fmt: skip
    for place, at in enumerate(("llc", "lrc", "urc", "ulc")):
        columns |= {f"{at}ra": corner_ra[:, place], f"{at}dec": corner_dec[:, place]}
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "VisitDetector.parquet", compression="zstd")
    patch_ra, patch_dec = drawn_centres(patches, random)
    patch_corners = corners_of(patch_ra, patch_dec, 0.1, np.zeros(patches))
    patch_ra_corners, patch_dec_corners = patch_corners
    texts = [
        "POLYGON ICRS " + " ".join(f"{a:.6f} {d:.6f}" for a, d in zip(one, other, strict=True))
        for one, other in zip(patch_ra_corners.tolist(), patch_dec_corners.tolist(), strict=True)
    ]
    coadds = {"lsst_tract": np.arange(patches) // 100, "lsst_patch": np.arange(patches) % 100, "s_ra": patch_ra,
              "s_dec": patch_dec, "s_region": texts}  # fmt: skip
    pq.write_table(pa.table(coadds), folder / "CoaddPatches.parquet", compression="zstd")
    write_mapping(folder, columns)
    shapes = np.concatenate([corner_ra, patch_ra_corners]), np.concatenate([corner_dec, patch_dec_corners])
    return {"detectors": detectors, "patches": patches, "corners": shapes}


def write_mapping(folder: Path, columns: dict[str, Any]) -> None:
    kinds = {"i": "bigint", "f": "double", "U": "varchar(20)"}
    declared = [{"name": name, "type": kinds[np.asarray(values).dtype.kind]} for name, values in columns.items()]
    coadds = [{"name": "lsst_tract", "type": "bigint"}, {"name": "lsst_patch", "type": "bigint"},
              {"name": "s_ra", "type": "double"}, {"name": "s_dec", "type": "double"},
              {"name": "s_region", "type": "varchar(512)"}]  # fmt: skip
    tables = {
        "VisitDetector": {"files": ["VisitDetector.parquet"], "role": "regular", "declare": declared},
        "CoaddPatches": {"files": ["CoaddPatches.parquet"], "role": "regular", "declare": coadds},
    }
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
    content = {"version": 1, "database": "release", "striping": striping, "tables": tables}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))


class BruteForce:
    """All polygons as vectors of their corners, turned so that the inside is on the left."""

    def __init__(self, release: dict[str, Any]) -> None:
        ra, dec = release["corners"]
        self.corners = vectors(ra, dec)
        edges = np.cross(self.corners, np.roll(self.corners, -1, axis=1))
        inside = np.einsum("nc,nic->n", self.corners.sum(axis=1), edges)
        self.corners[inside < 0] = self.corners[inside < 0][:, ::-1]
        self.edges = np.cross(self.corners, np.roll(self.corners, -1, axis=1))
        self.edges /= np.linalg.norm(self.edges, axis=2, keepdims=True)
        self.detectors = release["detectors"]

    def holding(self, ra: float, dec: float) -> NDArray[np.intp]:
        return np.flatnonzero((self.edges @ vectors(np.array(ra), np.array(dec)) >= 0).all(axis=1))

    def meeting(self, ra: float, dec: float, radius: float) -> NDArray[np.intp]:
        """Polygons whose nearest point is within a radius: inside, else the least distance to their edges."""
        point = vectors(np.array(ra), np.array(dec))
        near = np.flatnonzero((self.corners @ point).max(axis=1) >= np.cos(np.radians(radius + 0.5)))
        corners, edges = self.corners[near], self.edges[near]
        heights = edges @ point
        along = np.cross(edges, corners) @ point
        beyond = np.cross(np.roll(corners, -1, axis=1), edges) @ point
        on_edge = (along >= 0) & (beyond >= 0) & (np.abs(heights) <= np.sin(np.radians(radius)))
        chord = np.linalg.norm(corners - point, axis=2)
        at_corner = chord <= 2 * np.sin(np.radians(radius) / 2)
        is_met = (heights >= 0).all(axis=1) | (on_edge | at_corner).any(axis=1)
        return np.asarray(near[is_met])

    def images(self, shapes: NDArray[np.intp]) -> list[tuple[int, int]]:
        """How answers name these shapes, an entry for each image of one dataset type and band."""
        detectors, patches = shapes[shapes < self.detectors], shapes[shapes >= self.detectors] - self.detectors
        found = [(2025_0000_0000 + one // 189, one % 189) for one in detectors.tolist()] * DETECTOR_KINDS
        return sorted(found + [(one // 100, one % 100) for one in patches.tolist()] * PATCH_KINDS * len(BANDS))


def drawn_points(count: int, brute: BruteForce, random: np.random.Generator) -> list[tuple[float, float]]:
    ra, dec = drawn_centres(count, random)
    place = np.arange(count) % 10
    ra[place == 0] = random.uniform(-0.05, 0.05, int((place == 0).sum())) % 360
    dec[place == 1] = -89.0
    dec[place == 2] = random.choice((-1, 1), int((place == 2).sum())) * random.uniform(
        89.5, 90, int((place == 2).sum())
    )
    ra[place == 3], dec[place == 3] = random.uniform(150, 153, int((place == 3).sum())), 2.5
    chosen = random.integers(0, len(brute.corners), int((place == 4).sum()))
    inwards = brute.corners[chosen, 0] * 0.999_999 + brute.corners[chosen].mean(axis=1) * 0.000_001
    ra[place == 4], dec[place == 4] = positions(inwards)
    return list(zip(ra.tolist(), dec.tolist(), strict=True))


def measured(testbed: Testbed, sql: list[str]) -> tuple[list[float], list[list[tuple[int, int]]]]:
    times, answers = [], []
    for one in sql:
        begun = time.perf_counter()
        table = testbed.query(one, database="ivoa").table
        times.append((time.perf_counter() - begun) * 1e3)
        rows = zip(*(table[name].to_pylist() for name in ("lsst_visit", "lsst_detector", "lsst_tract", "lsst_patch")),
                   strict=True)  # fmt: skip
        answers.append(sorted((v, d) if v is not None else (t, p) for v, d, t, p in rows))
    return times, answers


def processor_s(testbed: Testbed) -> tuple[float, float]:
    """Processor time so far: of this process, and of all servers."""
    pids = [int(path.read_text()) for path in testbed.cluster.folder.glob("servers/*/server.pid")]
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return time.process_time(), sum(one.user + one.system for one in times)


def summary(
    times: list[float], answers: list[list[tuple[int, int]]], used: list[tuple[float, float]]
) -> dict[str, float]:
    sizes = [len(answer) for answer in answers]
    found = {f"p{part}_ms": round(float(np.percentile(times, part)), 2) for part in (50, 95, 99)}
    for place, name in enumerate(("cpu_own_ms", "cpu_servers_ms")):
        found[name] = round((used[1][place] - used[0][place]) / len(times) * 1e3, 2)
    return found | {"queries": len(times), "rows_p50": float(np.median(sizes)), "rows_most": max(sizes)}


def measure(rows: int, queries: int, compared: int, nodes: int, seed: int = 3) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="skyshard-obscore-") as where:
        release = write_release(Path(where) / "release", rows, seed)
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(nodes)
        try:
            with Testbed(cluster.folder) as testbed:
                return _measured(testbed, Path(where), release, queries, compared)
        finally:
            cluster.destroy()


def _measured(testbed: Testbed, where: Path, release: dict[str, Any], queries: int, compared: int) -> dict[str, Any]:
    begun = time.perf_counter()
    testbed.ingest(where / "release", database="release", runtime="inline")
    visits_s = time.perf_counter() - begun
    begun = time.perf_counter()
    report = testbed.obscore("release", constants="lsstcam")
    made_s = time.perf_counter() - begun
    print(f"{report.rows:,} rows made and ingested in {made_s:.0f} s (visit tables {visits_s:.0f} s)", flush=True)
    brute, random = BruteForce(release), np.random.default_rng(17)
    points = drawn_points(queries, brute, random)
    ways = {
        "point": [f"scisql_s2PtInCPoly({ra!r}, {dec!r}, s_region_scisql) = 1" for ra, dec in points],
        "point_pair": [
            f"MBRWITHIN(POINT({ra!r}, {dec!r}), s_region_bounds)"
            f" AND scisql_s2PtInCPoly({ra!r}, {dec!r}, s_region_scisql)"
            for ra, dec in points
        ],
        "circle": [f"skyshard_circleMeetsRegion({ra!r}, {dec!r}, 0.1, s_region) = 1" for ra, dec in points],
    }
    found: dict[str, Any] = {
        "rows": report.rows, "made_s": round(made_s, 1), "visit_tables_s": round(visits_s, 1),
        "nodes": len(testbed.nodes), "load": os.getloadavg()[0], "wrong": 0, "compared": 0,
    }  # fmt: skip
    for name, conditions in ways.items():
        before = processor_s(testbed)
        times, answers = measured(testbed, [f"SELECT {COLUMNS} FROM ObsCore WHERE {one}" for one in conditions])
        found[name] = summary(times, answers, [before, processor_s(testbed)]) | {"load": os.getloadavg()[0]}
        for (ra, dec), answer in list(zip(points, answers, strict=True))[:compared]:
            shapes = brute.meeting(ra, dec, 0.1) if name == "circle" else brute.holding(ra, dec)
            found["compared"] += 1
            found["wrong"] += answer != brute.images(shapes)
        print(name, found[name], f"wrong so far: {found['wrong']} of {found['compared']}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--compared", type=int, default=100, help="answers of each kind compared with brute force")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = 100_000 if options.quick else options.rows
    result = measure(rows, options.queries, options.compared, options.nodes)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
