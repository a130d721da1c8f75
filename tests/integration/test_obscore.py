"""``ivoa.ObsCore`` of a real release on real nodes: answers against brute force, replacement in one step, TAP."""

from __future__ import annotations

import contextlib
import gc
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import pyvo
from astropy.table import Table
from pyvo.utils.http import create_session
from tests.support.served import served
from tests.support.visit_release import (
    PLACES,
    corners_of_texts,
    detectors_table,
    distance_deg,
    holds_point,
    patches_table,
    spread,
    write_release,
)

from skyshard.basics.array_types import Floats
from skyshard.basics.errors import Refusal, UserError
from skyshard.chunking.sphere import unit_vectors
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

LEFT_OPEN = "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings(LEFT_OPEN)]

RADIUS_DEG = 0.12
CASE01 = Path(__file__).resolve().parents[3] / "shared" / "data" / "qserv-case01"


@pytest.fixture(scope="module")
def sky(own_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    folder = tmp_path_factory.mktemp("release")
    with Testbed(own_cluster.folder) as testbed:
        testbed.ingest(write_release(folder, detectors_table(), patches_table()), runtime="inline")
        report = testbed.obscore("release")
        assert (report.rows, report.edges) == (3 * 72 + 2 * 2 * 24, 6)
        testbed.load_mono("ivoa")
        yield testbed


@pytest.fixture(scope="module")
def images(sky: Testbed) -> dict[str, Floats]:
    """The corners of each image by its identifier."""
    found = sky.query("SELECT obs_publisher_did, s_region FROM ObsCore", database="ivoa").table
    return dict(zip(found[0].to_pylist(), corners_of_texts(found[1].to_pylist()), strict=True))


POINTS = [*PLACES, *zip(*(axis.tolist() for axis in spread(3, 9)), strict=True)]


def found_by(sky: Testbed, where: str) -> dict[str, set[str]]:
    """The images that a condition finds, by who answers."""
    sql = f"SELECT obs_publisher_did FROM ObsCore WHERE {where}"
    return {
        target: set(sky.query(sql, database="ivoa", target=target).table[0].to_pylist()) for target in ("czar", "mono")
    }


def is_all(answers: dict[str, set[str]], expected: set[str]) -> bool:
    return all(answer == expected for answer in answers.values())


def test_point_is_in_the_polygons_that_hold_it(sky: Testbed, images: dict[str, Floats]) -> None:
    """By sciSQL's function, with and without the condition on bounds that TAP services put before it."""
    sizes = set()
    for ra, dec in POINTS:
        expected = {name for name, corners in images.items() if holds_point(corners, unit_vectors(ra, dec))}
        call = f"scisql_s2PtInCPoly({ra!r}, {dec!r}, s_region_scisql)"
        assert is_all(found_by(sky, f"{call} = 1"), expected), (ra, dec)
        assert is_all(found_by(sky, f"MBRWITHIN(POINT({ra!r}, {dec!r}), s_region_bounds) AND {call}"), expected)
        assert is_all(found_by(sky, f"({call} = 1 OR FALSE) AND calib_level > 0"), expected)
        sizes.add(len(expected))
    assert len(sizes) > 3


def test_circles_meet_hold_and_lie_in_polygons(sky: Testbed, images: dict[str, Floats]) -> None:
    """Also over RA 0 and around the poles; a circle that holds polygons is wide."""
    tests: dict[str, tuple[float, Callable[[Floats, Floats], bool]]] = {
        "skyshard_circleMeetsRegion": (
            RADIUS_DEG, lambda corners, at: holds_point(corners, at) or distance_deg(corners, at) <= RADIUS_DEG
        ),
        "skyshard_circleInRegion": (
            0.02, lambda corners, at: holds_point(corners, at) and distance_deg(corners, at) >= 0.02
        ),
        "skyshard_regionInCircle": (0.4, lambda corners, at: bool((corners @ at >= np.cos(np.radians(0.4))).all())),
    }  # fmt: skip
    for name, (radius, test) in tests.items():
        most = 0
        for ra, dec in POINTS:
            at = unit_vectors(ra, dec)
            expected = {image for image, corners in images.items() if test(corners, at)}
            assert is_all(found_by(sky, f"{name}({ra!r}, {dec!r}, {radius}, s_region) = 1"), expected), (name, ra, dec)
            most = max(most, len(expected))
        assert most > 0, name


def test_points_of_a_table_are_joined_with_polygons(sky: Testbed, images: dict[str, Floats]) -> None:
    """Positions from rows, right ascensions beyond a turn among them; NULL is in no polygon."""
    rows = " UNION ALL ".join(
        f"SELECT {n} AS n, {ra + 360 * (n % 2)!r} AS ra, {dec!r} AS de" for n, (ra, dec) in enumerate(POINTS)
    )
    sql = (
        f"SELECT p.n, o.obs_publisher_did FROM ({rows} UNION ALL SELECT 99, NULL, 0e0) p JOIN ObsCore o "
        "ON scisql_s2PtInCPoly(p.ra, p.de, o.s_region) = 1"
    )
    expected = {
        (n, name) for n, (ra, dec) in enumerate(POINTS) for name, corners in images.items()
        if holds_point(corners, unit_vectors(ra, dec))
    }  # fmt: skip
    for target in ("czar", "mono"):
        found = sky.query(sql, database="ivoa", target=target).table
        assert set(zip(found[0].to_pylist(), found[1].to_pylist(), strict=True)) == expected
    circles = sql.replace("scisql_s2PtInCPoly(p.ra, p.de, ", f"skyshard_circleMeetsRegion(p.ra, p.de, {RADIUS_DEG}, ")
    near = {
        (n, name) for n, (ra, dec) in enumerate(POINTS) for name, corners in images.items()
        if holds_point(corners, unit_vectors(ra, dec)) or distance_deg(corners, unit_vectors(ra, dec)) <= RADIUS_DEG
    }  # fmt: skip
    found = sky.query(circles, database="ivoa").table
    assert set(zip(found[0].to_pylist(), found[1].to_pylist(), strict=True)) == near


def test_index_is_read_by_and_plan_is_kept(sky: Testbed) -> None:
    """The server reads by the spatial index; a third point of a shape needs no planning."""
    plain = "SELECT obs_id FROM ObsCore WHERE scisql_s2PtInCPoly({}, 2.2, s_region) = 1"
    paired = "SELECT obs_id FROM ObsCore WHERE MBRWITHIN(POINT({0}, 2.2), s_region_bounds) AND " \
             "scisql_s2PtInCPoly({0}, 2.2, s_region_scisql)"  # fmt: skip
    for sql in (plain, paired):
        made = sky.explain(sql.format("150.1"), database="ivoa").merge_statement
        assert made.upper().count("MBR") == 1
        answers = [sky.query(sql.format(ra), database="ivoa") for ra in ("150.1", "150.2", "150.15", "-1.5")]
        again = [sky.mono.execute(sql.format(ra), "ivoa") for ra in ("150.1", "150.2", "150.15", "-1.5")]
        for one, other in zip(answers, again, strict=True):
            assert sorted(one.table[0].to_pylist()) == sorted(other.table[0].to_pylist())


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("scisql_s2PtInCPoly(1, 2, obs_id) = 1", "holds no polygons"),
        ("skyshard_circleMeetsRegion(1, 2, 95, s_region) = 1", "radius 95"),
        ("skyshard_circleMeetsRegion(1, 2, s_region) = 1", "takes 4 arguments"),
        ("skyshard_nothing(1, 2, s_region) = 1", "there is no function"),
        ("scisql_s2PtInCPoly(1, 92, s_region) = 1", "declination"),
    ],
)
def test_what_is_not_answered_is_refused(sky: Testbed, where: str, said: str) -> None:
    """With a reason, at its place."""
    with pytest.raises((Refusal, UserError), match=said):
        sky.query(f"SELECT obs_id FROM ObsCore WHERE {where}", database="ivoa")


def test_values_are_those_of_the_visit_tables(sky: Testbed) -> None:
    """Times in UTC, circles about the region, wavelengths by band, identifiers that differ."""
    rows = sky.query("SELECT * FROM ObsCore ORDER BY obs_publisher_did", database="ivoa").table
    assert len(set(rows["obs_publisher_did"].to_pylist())) == rows.num_rows
    raw = sky.query(
        "SELECT t_min, t_max, em_min, s_fov FROM ObsCore WHERE lsst_visit = 20260001 AND lsst_detector = 0 AND "
        "dataproduct_subtype = 'lsst.raw'", database="ivoa",
    ).table.to_pylist()  # fmt: skip
    assert len(raw) == 1
    assert raw[0]["t_min"] == pytest.approx(60_600.0 - 37 / 86_400, abs=1e-9)
    assert (raw[0]["t_max"] - raw[0]["t_min"]) * 86_400 == pytest.approx(30.0, abs=1e-4)
    assert (raw[0]["em_min"], raw[0]["s_fov"]) == (pytest.approx(402.6e-9), pytest.approx(0.3, abs=1e-5))
    assert all(check.is_good for check in sky.verify("ivoa"))


def test_same_rows_are_made_once_and_others_take_their_place(sky: Testbed, tmp_path: Path) -> None:
    """An alias goes over; a database with other tables is never replaced; what a killed run left is made whole."""
    again = sky.obscore("release", into="other", constants="hsc")
    assert again.transaction > 0
    assert sky.obscore("release", into="other", constants="hsc").transaction == 0
    by_database = sky.obscore("release", into="other", constants={"release": "imsim"}, is_plan=True)
    assert [one.constants for one in by_database.releases] == ["imsim"]
    sky.alias("also", "other")
    stored = {one.database: one.stored_as for one in sky.databases()}
    sky.ingest(Path(again.source), database="other_next")  # as a run leaves it that was killed before the last step
    earlier = shutil.copytree(Path(again.source).parent, tmp_path / "earlier") / Path(again.source).name
    replaced = sky.obscore("release", into="other", grace_s=0)
    assert replaced.is_replaced
    assert sky.query("SELECT COUNT(*) AS n FROM ObsCore", database="also").table["n"].to_pylist() == [replaced.rows]
    now = {one.database: one.stored_as for one in sky.databases()}
    assert now["other"] != stored["other"]
    assert "other_next" not in now
    with pytest.raises(UserError, match="other tables"):
        sky.obscore("ivoa", into="release")
    with pytest.raises(UserError, match="takes no further rows: its column 's_region_bounds' is a GEOMETRY"):
        sky.ingest(earlier, database="other")
    sky.drop("other", with_aliases=True)


def test_polygons_that_are_none_are_refused_or_counted(sky: Testbed, tmp_path: Path) -> None:
    """Named with visit and detector, and so are images that come again; clockwise ones are turned and counted."""
    table = detectors_table(5, 2, is_clockwise=True)
    llcra = table["llcra"].to_pylist()
    bad = table.set_column(table.schema.get_field_index("llcra"), "llcra", pa.array([None, *llcra[1:]], pa.float64()))
    for name, other in (("ulcra", "urcra"), ("ulcdec", "urcdec"), ("urcra", "ulcra"), ("urcdec", "ulcdec")):
        values = bad[name].to_pylist()
        values[3] = table[other][3].as_py()
        bad = bad.set_column(bad.schema.get_field_index(name), name, pa.array(values, pa.float64()))
    bad = pa.concat_tables([bad, bad.slice(5, 1)])
    sky.ingest(write_release(tmp_path / "bad", bad, None, "bad"), runtime="inline")
    with pytest.raises(UserError, match="visit 20260001 detector 5: an image that another row has already, and 2 more"):
        sky.obscore("bad", into="bad_ivoa")
    assert "bad_ivoa" not in {one.database for one in sky.databases()}
    plan = sky.obscore("bad", into="bad_ivoa", bad_regions="skip", is_plan=True)
    assert plan.releases[0].left_out == {
        "an image that another row has already": 1, "a corner is NaN, NULL or beyond a pole": 1, "its sides cross": 1,
    }  # fmt: skip
    assert plan.releases[0].turned == 10
    assert plan.rows == 3 * 10
    with pytest.raises(UserError, match="no table VisitDetector"):
        sky.obscore("ivoa", into="nothing")
    sky.drop("bad")


@pytest.mark.skipif(not CASE01.is_dir(), reason="the shared test data is not here")
def test_real_visit_table_gives_the_polygons_that_it_holds(sky: Testbed) -> None:
    """3,304 exposures of a simulation, whose table has the polygons as sciSQL packed them: ours are the same."""
    sky.ingest(CASE01, database="case01", tables=["Object", "Science_Ccd_Exposure"], runtime="inline")
    with pytest.raises(
        UserError, match=r"'case01': no shipped constants are for the filters \(none\); name some: --constants comcam"
    ):
        sky.obscore("case01", into="case01_images", is_plan=True)
    report = sky.obscore("case01", into="case01_images", constants="imsim")
    images = report.releases[0].images
    assert images == dict.fromkeys(("raw", "calexp", "goodSeeingDiff_differenceExp"), 3304)
    assert (report.releases[0].turned, report.releases[0].left_out) == (0, {})
    theirs = sky.query(
        "SELECT visit, raft * 9 + ccd AS detector, taiMjd, ra, decl, poly FROM Science_Ccd_Exposure ORDER BY 1, 2",
        database="case01",
    ).table  # fmt: skip
    ours = sky.query(
        "SELECT lsst_visit, lsst_detector, t_min, s_ra, s_dec, s_region_scisql FROM ObsCore "
        "WHERE dataproduct_subtype = 'lsst.raw' ORDER BY 1, 2", database="case01_images",
    ).table  # fmt: skip
    for place in (0, 1):
        assert ours[place].to_pylist() == theirs[place].to_pylist()
    tai = np.asarray(theirs[2])
    behind = np.where(tai < 51_179, 31, 32)  # seconds; a leap second came with 1999
    np.testing.assert_allclose(tai - np.asarray(ours[2]), behind / 86_400, atol=1e-9)
    shift = unit_vectors(np.asarray(ours[3]), np.asarray(ours[4])) - unit_vectors(*map(np.asarray, theirs.columns[3:5]))
    assert np.linalg.norm(shift, axis=1).max() < np.radians(1 / 60)  # of the pixel in the middle
    # a normal that is turned by so much moves the ends of a side of 0.23 degrees by four milliarcseconds
    np.testing.assert_allclose(packed_polygons(ours[5]), packed_polygons(theirs[5]), rtol=0, atol=1e-5)
    found = sky.query(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT e.visit, e.raft, e.ccd) AS one FROM case01.Science_Ccd_Exposure e JOIN "
        "ObsCore o ON scisql_s2PtInCPoly(e.ra, e.decl, o.s_region) = 1 AND o.lsst_visit = e.visit "
        "AND o.lsst_detector = e.raft * 9 + e.ccd AND o.calib_level = 1", database="case01_images",
    ).table  # fmt: skip
    assert found.to_pylist() == [{"n": 3304, "one": 3304}]
    for name in ("case01_images", "case01"):
        sky.drop(name)


def packed_polygons(packed: pa.ChunkedArray) -> Floats:
    """Sums of corners and unit normals of quadrangles as sciSQL packs them, normals in order of their z, (n, 15)."""
    found = np.array([struct.unpack("<15d", one) for one in packed.to_pylist()]).reshape(-1, 5, 3)
    normals = found[:, 1:] / np.linalg.norm(found[:, 1:], axis=2, keepdims=True)
    order = np.argsort(normals[:, :, 2], axis=1)
    return np.concatenate([found[:, 0], np.take_along_axis(normals, order[:, :, None], axis=1).reshape(-1, 12)], axis=1)


def test_tap_answers_observations(sky: Testbed, images: dict[str, Floats]) -> None:
    """pyvo finds images by point and circle, joins an upload; taplint's stage of ObsCore finds nothing."""
    with served(sky.cluster.folder, "--http", "127.0.0.1:0", "--open") as process:
        root = f"{process.doors['http'].rstrip('/')}/tap"
        with contextlib.closing(create_session()) as session:
            service = pyvo.dal.TAPService(root, session=session)
            for ra, dec in POINTS[:8]:
                at = unit_vectors(ra, dec)
                inside = {name for name, corners in images.items() if holds_point(corners, at)}
                point = f"1 = CONTAINS(POINT('ICRS', {ra!r}, {dec!r}), s_region)"
                assert _names(service, point) == inside
                circle = f"INTERSECTS(CIRCLE('ICRS', {ra!r}, {dec!r}, {RADIUS_DEG}), s_region) = 1"
                near = {name for name, corners in images.items() if distance_deg(corners, at) <= RADIUS_DEG}
                assert _names(service, circle) == inside | near
            every = service.search("SELECT TOP 1 * FROM ivoa.ObsCore")
            assert len(every.fieldnames) == 38
            mine = Table({"n": range(3), "ra": [p[0] for p in POINTS[:3]], "dec": [p[1] for p in POINTS[:3]]})
            joined = service.search(
                "SELECT m.n, o.obs_publisher_did AS did FROM ivoa.ObsCore AS o JOIN TAP_UPLOAD.m AS m "
                "ON 1 = CONTAINS(POINT(m.ra, m.dec), o.s_region)", uploads={"m": mine},
            )  # fmt: skip
            assert len(joined) == sum(
                holds_point(corners, unit_vectors(*place)) for place in POINTS[:3] for corners in images.values()
            )
        if shutil.which("stilts") is not None:
            command = ["stilts", "taplint", f"tapurl={root}", "stages=CPV CAP TME TMS TMC MDQ OBS", "report=EWF"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "Totals: Errors: 0; Warnings: 0; Failures: 0" in said, said
        gc.collect()
        assert process.end() == 0, process.said


def _names(service: pyvo.dal.TAPService, where: str) -> set[str]:
    return set(service.search(f"SELECT obs_publisher_did AS did FROM ivoa.ObsCore WHERE {where}")["did"])
