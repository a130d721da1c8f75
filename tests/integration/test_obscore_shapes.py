"""Points and circles against polygons of every size and place that a table holds, compared with brute force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support import depth
from tests.support.exact_shapes import FIRM_RAD, RAD, Long, angles, long_vectors, signed_distance, text_corners
from tests.support.visit_release import around, detectors_table, polygon_texts, write_release

from skyshard.basics.array_types import Floats
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration]

PLACES = [(0.0, 0.0), (359.99999, 33.0), (0.0, 90.0), (77.0, -90.0), (12.5, -89.0), (180.0, 89.9), (90.0, -2.0),
          (211.3, 54.0)]  # fmt: skip
RADII_DEG = [0.5 / 3600, 0.02, 1.5, 20.0, 60.0]
CORNERS = [3, 4, 5, 8, 16]
CALLS = {
    "scisql_s2PtInCPoly({0}, {1}, s_region)": "holds",
    "skyshard_circleMeetsRegion({0}, {1}, {2}, s_region)": "meets",
    "skyshard_circleInRegion({0}, {1}, {2}, s_region)": "surrounds",
    "skyshard_regionInCircle({0}, {1}, {2}, s_region)": "within",
}


@dataclass(frozen=True)
class Asked:
    """Centres and radii as they are written, and by shape what is true of each; ``firm`` where rounding cannot tell."""

    numbers: list[tuple[str, str, str]]
    true: dict[str, dict[str, list[bool]]]
    firm: dict[str, dict[str, list[bool]]]


@pytest.fixture(scope="module")
def sky(own_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    texts = [
        text for ra, dec in PLACES for radius in RADII_DEG for corners in CORNERS
        for text in polygon_texts(*around(np.array([ra]), np.array([dec]), corners, radius, 0.1 + corners))
    ]  # fmt: skip
    number = np.arange(len(texts))
    patches = pa.table({"lsst_tract": number, "lsst_patch": number, "s_ra": number * 0.0, "s_dec": number * 0.0,
                        "s_region": texts})  # fmt: skip
    detectors = detectors_table(1, 1)
    with Testbed(own_cluster.folder) as testbed:
        testbed.ingest(write_release(tmp_path_factory.mktemp("shapes"), detectors, patches), runtime="inline")
        assert testbed.obscore("release").edges == max(CORNERS)
        yield testbed


@pytest.fixture(scope="module")
def shapes(sky: Testbed) -> dict[str, Long]:
    """One image of each polygon: its corners."""
    found = sky.query(
        "SELECT obs_publisher_did, s_region FROM ObsCore WHERE lsst_band = 'g' AND dataproduct_subtype IN "
        "('lsst.raw', 'lsst.deep_coadd')", database="ivoa",
    ).table  # fmt: skip
    shapes = {
        name: text_corners(text) for name, text in zip(*(axis.to_pylist() for axis in found.columns), strict=True)
    }
    assert sum("deep_coadd" in name for name in shapes) == len(PLACES) * len(RADII_DEG) * len(CORNERS)
    return shapes


def written(vectors: Floats) -> list[tuple[str, str]]:
    ra = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360
    dec = np.degrees(np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1])))
    return list(zip(map(repr, ra.tolist()), map(repr, dec.tolist()), strict=True))


def drawn(shapes: dict[str, Long], seed: int, count: int) -> list[tuple[str, str, str]]:
    """Circles that touch edges or corners from outside or inside, nearly, and others at the places and antipodes."""
    random = np.random.default_rng(seed)
    chosen = [list(shapes.values())[one] for one in random.integers(0, len(shapes), count)]
    found = []
    for number, corners in enumerate(chosen):
        one, other = corners[:2].astype(np.float64)
        weight, off = (
            random.choice([0.0, 0.5, 1.0]),
            random.choice([-1.0, 0.5, 1.0, 30.0]) * np.linalg.norm(one - other),
        )
        centre = corners.astype(np.float64).mean(axis=0)
        at = weight * one + (1 - weight) * other + off * (one - centre) * (number % 3 > 0)
        at = -at if number % 11 == 0 else at
        ((ra, dec),) = written((at / np.linalg.norm(at))[None])
        away = abs(float(signed_distance(corners, long_vectors([ra], [dec]))[0] / RAD))
        radius = min(away * random.choice([0.5, 1 - 1e-7, 1 + 1e-7, 2.0]) + (number % 5 == 0) * 40, 89.9)
        found.append((ra, dec, repr(float(radius))))
    found += [(repr((ra + turn) % 360), repr(dec * (1 - turn / 90)), "60.0") for ra, dec in PLACES for turn in (0, 180)]
    return found + antipodes(chosen[:8])


def antipodes(chosen: list[Long]) -> list[tuple[str, str, str]]:
    """Wide circles about the antipodes of corners."""
    found = []
    for corners in chosen:
        for ra, dec in written(-corners[:3].astype(np.float64)):
            found.append((repr(round(float(ra), 6)), repr(round(float(dec), 6)), "60.0"))
    return found


def asked(shapes: dict[str, Long], numbers: list[tuple[str, str, str]]) -> Asked:
    centres = long_vectors([one[0] for one in numbers], [one[1] for one in numbers])
    radii = np.array([np.longdouble(one[2]) for one in numbers]) * RAD
    answers = Asked(numbers, {kind: {} for kind in CALLS.values()}, {kind: {} for kind in CALLS.values()})
    for name, corners in shapes.items():
        away, farthest = signed_distance(corners, centres), angles(centres, corners).max(axis=1)
        spare = {"holds": -away, "meets": radii - away, "surrounds": -away - radii, "within": radii - farthest}
        for kind, over in spare.items():
            answers.true[kind][name] = (over >= 0).tolist()
            answers.firm[kind][name] = (np.abs(over) > FIRM_RAD).tolist()
    return answers


def wrong(answers: Asked, kind: str, found: dict[str, list[bool]]) -> list[str]:
    """Where an answer differs, in words."""
    return [
        f"{name} {kind} {answers.numbers[place]}: {is_found}"
        for name, row in found.items() if name in answers.true[kind]
        for place, is_found in enumerate(row)
        if is_found != answers.true[kind][name][place] and answers.firm[kind][name][place]
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(1, 1 + depth.drawn(1)))
def test_numbers_in_a_statement(sky: Testbed, shapes: dict[str, Long], seed: int) -> None:
    """Circles that nearly touch, at RA 0, at poles, of polygons from an arcsecond to 120 degrees."""
    numbers = drawn(shapes, seed, 24)
    answers = asked(shapes, numbers)
    for call, kind in CALLS.items():
        columns = ", ".join(f"{call.format(*one)} AS a{place}" for place, one in enumerate(numbers))
        table = sky.query(f"SELECT obs_publisher_did, {columns} FROM ObsCore", database="ivoa").table
        names, *rows = (column.to_pylist() for column in table.columns)
        found = {name: [value == 1 for value in row] for name, *row in zip(names, *rows, strict=True)}
        assert found.keys() >= shapes.keys()
        assert wrong(answers, kind, found) == []
        assert {value for row in answers.true[kind].values() for value in row} == {True, False}


@pytest.mark.parametrize("seed", range(3, 3 + depth.drawn(1)))
def test_numbers_of_rows(sky: Testbed, shapes: dict[str, Long], seed: int) -> None:
    """The same, of a table that is joined: read by the index, each pair once."""
    numbers = drawn(shapes, seed, 60)
    answers = asked(shapes, numbers)
    rows = " UNION ALL ".join(
        f"SELECT {place} AS n, {ra}e0 AS ra, {dec}e0 AS de, {radius}e0 AS r".replace("e0e0", "e0")
        for place, (ra, dec, radius) in enumerate(numbers)
        if "e" not in ra + dec + radius
    )
    kept = {place for place, one in enumerate(numbers) if "e" not in "".join(one)}
    for call, kind in CALLS.items():
        test = call.format("p.ra", "p.de", "p.r").replace("s_region", "o.s_region")
        sql = f"SELECT p.n, o.obs_publisher_did FROM ({rows}) p JOIN ObsCore o ON {test} = 1"
        table = sky.query(sql, database="ivoa").table
        pairs = list(zip(table[0].to_pylist(), table[1].to_pylist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        found = {name: [answers.true[kind][name][place] for place in range(len(numbers))] for name in shapes}
        for name in shapes:
            for place in kept:
                found[name][place] = False
        for place, name in pairs:
            if name in found:
                found[name][place] = True
        assert wrong(answers, kind, found) == []
        assert any(name in shapes for _, name in pairs)


def test_region_that_is_null_holds_nothing(sky: Testbed, tmp_path: Path) -> None:
    """Of a table without bounds whose polygon a row may lack: not true in WHERE, 0 in the list, and NOT is 1."""
    names = [f"r_n{edge}{axis}" for edge in (1, 2, 3) for axis in "xyz"]
    values = {name: [float(name[3] == str("xyz".index(name[4]) + 1)), None] for name in names}  # the octant x, y, z > 0
    table = pa.table({"n": [1, 2], "r": ["POLYGON ICRS 0 0 90 0 0 90", None]} | values)
    mapping = write_release(tmp_path, table, None, "octants")
    sky.ingest(mapping, database="octants", runtime="inline")
    for call in CALLS:
        test = call.format("45", "30", "1e-3").replace("s_region", "r")
        rows = sky.query(
            f"SELECT n, {test} AS a, NOT {test} AS b FROM VisitDetector ORDER BY n", database="octants"
        ).table
        first = int("regionIn" not in test)
        assert rows.to_pylist() == [{"n": 1, "a": first, "b": 1 - first}, {"n": 2, "a": 0, "b": 1}]
        where = sky.query(f"SELECT n FROM VisitDetector WHERE {test} = 1", database="octants").table
        assert where["n"].to_pylist() == [1] * first
    nothing = sky.query(
        "SELECT n FROM VisitDetector WHERE scisql_s2PtInCPoly(NULL, 30, r) = 1 OR "
        "skyshard_circleMeetsRegion(45, 30, NULL, r) = 1", database="octants",
    ).table  # fmt: skip
    assert nothing.num_rows == 0
    sky.drop("octants")
