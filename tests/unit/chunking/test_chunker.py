"""Chunk numbers against Qserv's published vectors, lsst.sphgeom, and a plain port written out here."""

import math
import pickle
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lsst import sphgeom
from tests.support.sphere_regions import DEC, RA, REGIONS, points_near, relaxed

from skyshard.basics.errors import UserError
from skyshard.chunking import DUMMY_CHUNK, Chunker
from skyshard.chunking.sphere import Box, Circle, Polygon, Region

LAYOUTS = {
    "340/3": (340, 3, 0.01667),
    "85/12": (85, 12, 0.01667),
    "85/14": (85, 14, 0.001),
    "18/100": (18, 100, 0.01),
    "120/9": (120, 9, 0.01667),
    "170/6": (170, 6, 0.01667),
    "200/5": (200, 5, 0.01),
}
# chunks, M, total sub-chunks (None: not published)
COUNTS = {
    "340/3": (146_332, 12, 1_317_080),
    "85/12": (8_983, 69, 1_300_320),
    "85/14": (8_983, 81, 1_771_342),
    "18/100": (368, 618, 4_102_724),
    "120/9": (18_032, 50, None),
    "170/6": (36_374, 31, None),
    "200/5": (50_432, 25, None),
}
# ra, dec; chunk/sub-chunk in 340/3, 85/12, 85/14, 18/100; overlap copies in 340/3/0.01667
VECTORS = """
0 0 | 114920/24 | 7140/345 | 7140/567 | 324/0 | 116278/2 115600/0 115598/26
0.0001 0.0001 | 115600/0 | 7140/414 | 7140/567 | 324/0 | 115598/26 114920/24 116278/2
10 -10 | 102698/1 | 6294/628 | 6294/818 | 288/98 |
45 45 | 173459/1 | 10724/631 | 10724/822 | 470/30996 | 172779/26 172780/24
62 -37 | 68093/1 | 4273/3 | 4273/3 | 184/18608 | 68093/0
53.16 -28.1 | 78968/24 | 4952/138 | 4952/243 | 220/11800 |
150.1163 2.2058 | 118603/0 | 7380/419 | 7380/573 | 338/13656 |
180 0.3 | 115939/13 | 7224/489 | 7224/655 | 341/1287 |
266.4168 -29.0078 | 78639/1 | 4868/621 | 4868/891 | 238/5657 |
359.9999 -0.05 | 115598/26 | 7308/356 | 7308/499 | 322/61283 | 114920/24
0.005 30 | 153680/24 | 9520/552 | 9520/729 | 432/0 | 154266/14 153680/12 154266/26
359.995 30 | 154266/26 | 9665/563 | 9665/742 | 458/114 | 154266/14 153680/12 153680/24
83.8221 -5.3911 | 108277/25 | 6669/760 | 6669/1054 | 296/28443 |
123.4 88.9 | 229164/24 | 14280/357 | 14280/500 | 612/55023 |
200 89.9 | 230520/24 | 14280/759 | 14280/1053 | 612/61182 |
200 -89.99 | 0/0 | 0/0 | 0/0 | 0/0 |
12 -89.6 | 0/24 | 0/138 | 0/162 | 0/2472 |
300 -69.3 | 26719/0 | 1575/631 | 1575/822 | 82/4326 |
57.5 -36.5 | 68767/0 | 4271/213 | 4271/250 | 184/21663 |
185.5 -45 | 57365/24 | 3631/141 | 3631/247 | 155/30993 | 58047/0 58047/1
"""
# rows of the Object table of Qserv's integration case 01
CASE01 = [
    (1.13454822151113, -5.26982760051102, 6800, 6),
    (359.337499495437, -3.28616413789125, 6968, 767),
    (1.38870063823202, 0.108345884920079, 7140, 421),
    (359.938529179891, -0.121715163731369, 7308, 356),
]

Place = tuple[int, int]


class PlainChunker:
    """The published formulas, one point and one sub-chunk at a time."""

    def __init__(self, stripes: int, substripes: int, overlap_deg: float) -> None:
        self.stripes, self.substripes, self.overlap_deg = stripes, substripes, overlap_deg
        self.height = 180.0 / (stripes * substripes)
        self.chunks = [self._pieces(s, 180.0 / stripes) for s in range(stripes)]
        total = stripes * substripes
        self.per_chunk = [self._pieces(s, self.height) // self.chunks[s // substripes] for s in range(total)]
        self.slots = [n * self.chunks[s // substripes] for s, n in enumerate(self.per_chunk)]
        self.largest = max(self.per_chunk)

    @staticmethod
    def _pieces(number: int, height: float) -> int:
        dec = max(abs(number * height - 90), abs((number + 1) * height - 90))
        if dec > 90 - 1 / 3600 or height >= 180:
            return 1
        sine2, cosine2 = math.sin(math.radians(dec)) ** 2, math.cos(math.radians(dec)) ** 2
        x = math.cos(math.radians(height)) - sine2
        return math.floor(360.0 / math.degrees(math.atan2(math.sqrt(abs(cosine2 * cosine2 - x * x)), x)))

    def place(self, ra: float, dec: float) -> tuple[int, int]:
        """Sub-stripe and slot."""
        sub_stripe = min(math.floor((dec + 90) / self.height), self.stripes * self.substripes - 1)
        width = 360.0 / self.slots[sub_stripe]
        return sub_stripe, min(math.floor(ra / width), self.slots[sub_stripe] - 1)

    def numbers(self, sub_stripe: int, slot: int) -> Place:
        stripe, within = divmod(sub_stripe, self.substripes)
        chunk, rest = divmod(slot, self.per_chunk[sub_stripe])
        return 2 * self.stripes * stripe + chunk, self.largest * within + rest

    def sub_chunks(self) -> Iterator[tuple[int, int]]:
        for sub_stripe, slots in enumerate(self.slots):
            for slot in range(slots):
                yield sub_stripe, slot

    def margin(self, sub_stripe: int) -> float:
        """Half-width in longitude of the overlap radius at the pole-most edge of a sub-stripe."""
        low, high = sub_stripe * self.height - 90, (sub_stripe + 1) * self.height - 90
        dec = min(90.0, max(abs(low), abs(high)))
        if dec + self.overlap_deg > 90 - 1 / 3600:
            return 180.0
        product = math.cos(math.radians(dec - self.overlap_deg)) * math.cos(math.radians(dec + self.overlap_deg))
        return math.degrees(math.atan(math.sin(math.radians(self.overlap_deg)) / math.sqrt(abs(product))))

    def is_covered(self, sub_stripe: int, slot: int, ra: float, dec: float) -> bool:
        """Does the margin around a sub-chunk (its own box included) hold a position?"""
        low, high = sub_stripe * self.height - 90, (sub_stripe + 1) * self.height - 90
        if not low - self.overlap_deg <= dec < high + self.overlap_deg:
            return False
        width, alpha = 360.0 / self.slots[sub_stripe], self.margin(sub_stripe)
        return any((slot * width - alpha) <= turn < ((slot + 1) * width + alpha) for turn in (ra - 360, ra, ra + 360))

    def copies(self, ra: float, dec: float) -> set[Place]:
        home = self.place(ra, dec)
        near = (sub for sub in self.sub_chunks() if abs(sub[0] - home[0]) <= 1 and sub != home)
        return {self.numbers(*sub) for sub in near if self.is_covered(*sub, ra, dec)}


@pytest.fixture(scope="module")
def chunkers() -> dict[str, Chunker]:
    return {name: Chunker(*numbers) for name, numbers in LAYOUTS.items()}


def vectors() -> Iterator[list[str]]:
    for line in VECTORS.strip().splitlines():
        yield [cell.strip() for cell in line.split("|")]


def places(text: str) -> list[Place]:
    return [(int(chunk), int(sub)) for chunk, sub in (pair.split("/") for pair in text.split())]


@pytest.mark.parametrize(("column", "name"), [(1, "340/3"), (2, "85/12"), (3, "85/14"), (4, "18/100")])
def test_locate_gives_published_numbers(column: int, name: str, chunkers: dict[str, Chunker]) -> None:
    """The published vectors of four layouts come out number for number."""
    rows = list(vectors())
    ra, dec = np.array([row[0].split() for row in rows], dtype=float).T
    numbers = zip(*(ids.tolist() for ids in chunkers[name].locate(ra, dec)), strict=True)
    assert list(numbers) == [places(row[column])[0] for row in rows]


def test_overlap_copies_are_the_published_ones(chunkers: dict[str, Chunker]) -> None:
    """The published overlap copies of 340/3/0.01667 come out row for row."""
    rows = list(vectors())
    ra, dec = np.array([row[0].split() for row in rows], dtype=float).T
    copies = chunkers["340/3"].overlap_copies(ra, dec)
    expected = [(i, *place) for i, row in enumerate(rows) for place in places(row[5])]
    assert sorted(zip(*(column.tolist() for column in copies), strict=True)) == sorted(expected)


def test_locate_agrees_with_integration_case_01(chunkers: dict[str, Chunker]) -> None:
    """Rows of Qserv's own integration test land where Qserv put them."""
    ra, dec, chunk, sub_chunk = np.array(CASE01).T
    assert np.array_equal(chunkers["85/12"].locate(ra, dec), [chunk, sub_chunk])


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_published_ones(name: str, chunkers: dict[str, Chunker]) -> None:
    """Chunks, M and sub-chunks of the layouts in use."""
    chunker, (chunks, largest, sub_chunks) = chunkers[name], COUNTS[name]
    assert (len(chunker.chunk_ids()), chunker.max_slots_per_chunk) == (chunks, largest)
    assert sub_chunks in (None, chunker.sub_chunk_count)


@pytest.mark.parametrize("name", LAYOUTS)
def test_chunks_and_sub_chunks_equal_sphgeom(name: str, chunkers: dict[str, Chunker]) -> None:
    """All chunk numbers, and the sub-chunks of sampled ones, are those of lsst.sphgeom."""
    stripes, substripes, _ = LAYOUTS[name]
    chunker, oracle = chunkers[name], sphgeom.Chunker(stripes, substripes)
    ids = chunker.chunk_ids()
    assert ids.tolist() == oracle.getAllChunks()
    for chunk in [*ids[:3], *ids[-3:], *np.random.default_rng(2).choice(ids, 40)]:
        assert chunker.sub_chunk_ids(chunk).tolist() == oracle.getAllSubChunks(int(chunk))


@pytest.mark.parametrize("name", LAYOUTS)
def test_regions_meet_the_chunks_that_sphgeom_says(name: str, chunkers: dict[str, Chunker]) -> None:
    """Boxes and circles, also across 0 and over poles, give exactly the chunks of lsst.sphgeom."""
    stripes, substripes, _ = LAYOUTS[name]
    chunker, oracle, rng = chunkers[name], sphgeom.Chunker(stripes, substripes), np.random.default_rng(3)
    for _ in range(15):
        ra, dec = rng.uniform(0, 360), rng.choice([rng.uniform(-90, 90), 89.3, -89.7])
        width, radius = 10 ** rng.uniform(-3, 1.5, 2)
        centre = sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(ra, dec))
        circle = sphgeom.Circle(centre, sphgeom.Angle.fromDegrees(radius))
        assert chunker.chunks_in(Circle(ra, dec, radius)).tolist() == sorted(oracle.getChunksIntersecting(circle))
        corners = (ra, dec, (ra + width) % 360, min(90.0, dec + radius))
        expected = sorted(oracle.getChunksIntersecting(sphgeom.Box.fromDegrees(*corners)))
        assert chunker.chunks_in(Box(*corners)).tolist() == expected


def edge_points(chunker: Chunker, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions anywhere and on, or a rounding error beside, edges of sub-chunks and of their margins."""
    plain, rng = PlainChunker(chunker.stripes, chunker.substripes, chunker.overlap_deg), np.random.default_rng(seed)
    sub_stripe = rng.integers(0, len(plain.slots), count)
    width = 360.0 / np.array(plain.slots)[sub_stripe]
    ra = width * np.floor(rng.uniform(0, 360, count) / width) + rng.choice([0, 1e-12, -1e-12], count)
    dec = -90 + plain.height * sub_stripe + rng.choice([0, 1e-12, -1e-12, chunker.overlap_deg], count)
    ra = np.where(rng.random(count) < 0.5, ra, rng.uniform(0, 360, count))
    return np.clip(ra, 0, 359.9999999), np.clip(dec, -90, 90)


@pytest.mark.parametrize("name", LAYOUTS)
def test_locate_equals_the_plain_port_on_edges(name: str, chunkers: dict[str, Chunker]) -> None:
    """Positions on and beside sub-chunk edges get the number of the formulas as written."""
    chunker, plain = chunkers[name], PlainChunker(*LAYOUTS[name])
    ra, dec = edge_points(chunker, 5, 3000)
    expected = [plain.numbers(*plain.place(*point)) for point in zip(ra.tolist(), dec.tolist(), strict=True)]
    assert list(zip(*(ids.tolist() for ids in chunker.locate(ra, dec)), strict=True)) == expected


@st.composite
def small_chunkers(draw: st.DrawFn) -> Chunker:
    """Coarse layouts, where every sub-chunk can be tried."""
    stripes, substripes = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    overlap = draw(st.floats(0, 1)) * min(10.0, 180 / (stripes * substripes))
    try:
        return Chunker(stripes, substripes, overlap)
    except UserError:
        assume(False)
        raise


@relaxed
@given(small_chunkers(), st.integers(0, 999))
def test_overlap_copies_go_to_every_sub_chunk_whose_margin_holds_the_row(chunker: Chunker, seed: int) -> None:
    """Copies of a row are the sub-chunks, tried one by one, whose margin covers it; none is its own or given twice."""
    plain, rng = PlainChunker(chunker.stripes, chunker.substripes, chunker.overlap_deg), np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, 12), rng.uniform(-90, 90, 12)
    ra[:3], dec[3:6] = [1e-7, 359.9999, 0.01], [89.9, -89.99, 80]
    copies = chunker.overlap_copies(ra, dec)
    found = list(zip(*(column.tolist() for column in copies), strict=True))
    expected = [(i, *place) for i in range(12) for place in plain.copies(ra[i], dec[i])] if chunker.overlap_deg else []
    assert Counter(found) == Counter(expected)
    assert (np.diff(copies.row) >= 0).all()


def test_overlap_copies_are_sorted_and_unique_across_blocks(chunkers: dict[str, Chunker]) -> None:
    """Rows ascend and no (row, chunk, sub-chunk) occurs twice, also when the input spans several blocks."""
    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 150_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 150_000)))
    copies = chunkers["340/3"].overlap_copies(ra, dec)
    assert (np.diff(copies.row) >= 0).all()
    assert len(np.unique(np.stack(copies), axis=1).T) == len(copies.row)
    assert len(copies.row) / len(ra) == pytest.approx(0.409, abs=0.01)


def test_locate_is_the_same_row_by_row_and_in_blocks(chunkers: dict[str, Chunker]) -> None:
    """Cutting the input elsewhere changes nothing."""
    chunker, rng = chunkers["85/12"], np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, 140_001), rng.uniform(-90, 90, 140_001)
    whole = chunker.locate(ra, dec)
    parts = [chunker.locate(ra[cut], dec[cut]) for cut in (slice(0, 1), slice(1, 99_999), slice(99_999, None))]
    assert all(
        np.array_equal(column, np.concatenate(cut)) for column, cut in zip(whole, zip(*parts, strict=True), strict=True)
    )


@relaxed
@given(small_chunkers(), RA, DEC)
def test_each_position_is_in_exactly_one_chunk_box(chunker: Chunker, ra: float, dec: float) -> None:
    """Chunk boxes, open to north and east, tile the sphere; locate names the one that holds the position."""
    (chunk,), (sub_chunk,) = chunker.locate([ra], [dec])
    holders = []
    for candidate in chunker.chunk_ids():
        box = chunker.chunk_box(candidate)
        if box.ra_min <= ra < box.ra_max and (box.dec_min <= dec < box.dec_max or dec == box.dec_max == 90):
            holders.append(candidate)
    assert len(holders) == 1
    outline = chunker.chunk_box(chunk)
    assert outline.ra_min - 1e-9 <= ra <= outline.ra_max + 1e-9
    assert outline.dec_min - 1e-9 <= dec <= outline.dec_max + 1e-9
    assert sub_chunk in chunker.sub_chunk_ids(chunk)


@relaxed
@given(small_chunkers(), RA, DEC)
def test_each_position_is_in_exactly_one_sub_chunk(chunker: Chunker, ra: float, dec: float) -> None:
    """Of all sub-chunk boxes of the sky exactly one holds a position, and locate gives its number."""
    plain = PlainChunker(chunker.stripes, chunker.substripes, 0.0)
    assume(abs((dec + 90) / plain.height - round((dec + 90) / plain.height)) > 1e-9 or abs(dec) == 90)
    row = min(int((dec + 90) / plain.height), len(plain.slots) - 1)
    assume(abs(ra * plain.slots[row] / 360 - round(ra * plain.slots[row] / 360)) > 1e-9 or ra == 0)
    holders = [sub for sub in plain.sub_chunks() if sub == (row, int(ra * plain.slots[row] / 360))]
    assert [plain.numbers(*sub) for sub in holders] == list(zip(*chunker.locate([ra], [dec]), strict=True))


@relaxed
@given(small_chunkers(), st.integers(0, 999))
def test_edges_of_a_sub_chunk_hold_its_points_and_no_others(chunker: Chunker, seed: int) -> None:
    """Of points about edges each is within the edges of its own sub-chunk, and the edges' middle is in it."""
    ra, dec = edge_points(chunker, seed, 200)
    places = chunker.locate(ra, dec)
    west, east, south, north = chunker.sub_chunk_edges(*places)
    assert (((west <= ra + 1e-9) & (ra <= east + 1e-9)) & ((south <= dec + 1e-9) & (dec <= north + 1e-9))).all()
    assert np.array_equal(chunker.locate((west + east) / 2, (south + north) / 2), places)


def test_what_is_no_sub_chunk_has_no_edges() -> None:
    """Numbers beyond a sub-stripe, a stripe or the sky; without sub-chunks the edges are those of the chunk."""
    chunker = Chunker(85, 12, 0.01667)
    most = int(chunker.sub_chunk_ids(7144).max())
    for chunk, sub_chunk in ((7144, -1), (7144, most + 1), (7144, 12), (7309, 0), (-1, 0), (1 << 30, 0)):
        assert np.isnan(chunker.sub_chunk_edges([chunk], [sub_chunk])).all()
    box = chunker.chunk_box(7144)
    assert chunker.sub_chunk_edges([7144], None)[:, 0] == pytest.approx(
        (box.ra_min, box.ra_max, box.dec_min, box.dec_max)
    )
    assert np.isnan(chunker.sub_chunk_edges([-1], None)).all()


@pytest.mark.parametrize("name", ["340/3", "85/12", "18/100"])
@relaxed
@given(region=REGIONS, seed=st.integers(0, 99))
def test_chunks_in_holds_the_chunk_of_every_point_of_the_region(name: str, region: Region, seed: int) -> None:
    """No region, of any kind, across 0 or over a pole, loses a chunk that has a point of it."""
    chunker = Chunker(*LAYOUTS[name])
    ra, dec = points_near(region, seed, 200)
    is_inside = region.contains(ra, dec)
    found = chunker.chunks_in(region)
    assert np.isin(chunker.locate(ra[is_inside], dec[is_inside])[0], found).all()
    assert (np.diff(found) > 0).all()
    assert chunker.is_chunk(found).all()


@pytest.mark.parametrize(
    "region", [Box(0, -90, 360, 90), Circle(12, 34, 180), Box(180, -90, 540, 90)], ids=["box", "circle", "turned"]
)
def test_chunks_in_gives_every_chunk_for_the_whole_sky(region: Region, chunkers: dict[str, Chunker]) -> None:
    """The whole sky is all chunks."""
    for chunker in chunkers.values():
        assert np.array_equal(chunker.chunks_in(region), chunker.chunk_ids())


def test_chunks_in_is_tight_where_the_region_is_small(chunkers: dict[str, Chunker]) -> None:
    """A region inside one chunk meets that chunk; an empty box meets none; a slanted sliver skips its box's corners."""
    chunker = chunkers["340/3"]
    assert chunker.chunks_in(Circle(150.1163, 2.2058, 0.01)).tolist() == [118603]
    assert chunker.chunks_in(Box(0, 5, 10, -5)).tolist() == []
    sliver = Polygon.of(10, 10, 20, 20, 19.99, 20.01)
    assert len(chunker.chunks_in(sliver)) < len(chunker.chunks_in(sliver.bounds())) / 5


def test_chunks_in_edge_belongs_to_the_box(chunkers: dict[str, Chunker]) -> None:
    """A box that ends where a chunk begins meets that chunk, because edges are inside."""
    chunker = chunkers["85/12"]
    box = chunker.chunk_box(7140)
    west = Box(box.ra_max - 0.1, box.dec_min + 0.1, box.ra_max, box.dec_min + 0.2)
    assert chunker.chunks_in(west).tolist() == [7140, 7141]


@pytest.mark.parametrize("name", LAYOUTS)
def test_is_chunk_knows_gaps_and_the_dummy(name: str, chunkers: dict[str, Chunker]) -> None:
    """Exactly the numbers of chunk_ids are chunks; gaps, negatives and the dummy chunk are not."""
    chunker = chunkers[name]
    numbers = np.arange(-5, 2 * chunker.stripes**2 + 5)
    assert np.array_equal(numbers[chunker.is_chunk(numbers)], chunker.chunk_ids())
    assert not chunker.is_chunk(DUMMY_CHUNK)


def test_slots_are_one_or_at_least_five() -> None:
    """No sub-stripe has two to four slots, so the western and the eastern neighbour of a slot always differ."""
    for stripes in range(1, 40):
        for substripes in range(1, 8):
            slots = PlainChunker(stripes, substripes, 0.0).slots
            assert all(n >= 5 or (n == 1 and i in (0, len(slots) - 1)) for i, n in enumerate(slots))


@pytest.mark.parametrize(
    ("ra", "dec", "message"),
    [
        ([1, 360.0, -1], [0, 0, 0], r"row 1: ra = 360.0 must be in \[0, 360\)"),
        ([1, 2, -1e-9], [0, 0, 0], r"row 2: ra = -1e-09 must be"),
        ([1, math.nan], [0, 99], r"row 1: ra = nan must be"),
        ([1, math.inf], [0, 0], r"row 1: ra = inf must be"),
        ([1, 2], [0, -90.0001], r"row 1: dec = -90.0001 must be in \[-90, 90\]"),
        ([1, 2], [math.nan, 90.1], r"row 0: dec = nan must be"),
        ([1, 2], [0], "one length"),
        ([[1]], [[1]], "one-dimensional"),
    ],
)
def test_positions_are_refused_when_out_of_range(ra: list[float], dec: list[float], message: str) -> None:
    """The first bad row and its value are named, by locate and by overlap_copies, with overlap or without."""
    for chunker in (Chunker(18, 10, 0.01), Chunker(18, 10, 0)):
        for method in (chunker.locate, chunker.overlap_copies):
            with pytest.raises(UserError, match=message):
                method(ra, dec)


def test_bad_row_is_counted_over_all_blocks() -> None:
    """The row named is the row of the whole input, plus the caller's first row."""
    ra = np.zeros(200_000)
    ra[170_001] = 400
    for method in (Chunker(18, 10, 0.01).locate, Chunker(18, 10, 0.01).overlap_copies):
        with pytest.raises(UserError, match=r"row 170011: ra = 400\.0"):
            method(ra, ra * 0, first_row=10)


@pytest.mark.parametrize(
    ("stripes", "substripes", "overlap", "message"),
    [
        (0, 3, 0.1, "0 stripes"),
        (10_001, 1, 0.0, "10001 stripes"),
        (340, 0, 0.1, "0 sub-stripes"),
        (10_000, 65, 0.0, "65 sub-stripes in each stripe"),
        (1, 40_000, 0.0, "beyond 32 bits"),
        (340, 3, -0.1, "overlap -0.1 deg"),
        (340, 3, math.nan, "overlap nan deg"),
        (2, 1, 10.5, "overlap 10.5 deg"),
        (100, 1, 2.0, "exceeds the sub-stripe height 1.8 deg; .* at most 90 sub-stripes"),
        (18, 1, 10.0, "overlap margin of sub-stripe 1 is"),
    ],
)
def test_striping_is_refused_when_qserv_refuses_it(stripes: int, substripes: int, overlap: float, message: str) -> None:
    """Numbers out of range, and overlaps larger than a sub-chunk, are refused with the reason."""
    with pytest.raises(UserError, match=message):
        Chunker(stripes, substripes, overlap)


def test_chunk_methods_refuse_a_number_that_is_no_chunk() -> None:
    """A gap in the numbering is named."""
    for method in (Chunker(18, 10, 0.01).chunk_box, Chunker(18, 10, 0.01).sub_chunk_ids):
        with pytest.raises(UserError, match="1234567890 is not a chunk"):
            method(DUMMY_CHUNK)


def test_empty_input_gives_empty_arrays(chunkers: dict[str, Chunker]) -> None:
    """No rows in, no rows out, of the same types."""
    chunker = chunkers["85/12"]
    assert [ids.dtype for ids in chunker.locate([], [])] == [np.int32, np.int32]
    assert [column.dtype for column in chunker.overlap_copies([], [])] == [np.int64, np.int32, np.int32]


def test_chunker_is_a_value() -> None:
    """Equal numbers make equal chunkers, also through pickle; others differ."""
    chunker = Chunker(18, 10, 0.01)
    assert pickle.loads(pickle.dumps(chunker)) == chunker == Chunker(18, 10, 0.01) != Chunker(18, 10, 0.02)
    assert len({chunker, Chunker(18, 10, 0.01)}) == 1
    assert repr(chunker) == "Chunker(18, 10, 0.01)"
