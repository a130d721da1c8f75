"""Ref-match tables: rows stand in the chunk of either side, with flags that say which; wrong pairs are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn
from tests.support.partitioned import conversions_of, partition_all
from tests.support.small_match import BORDER, position, write_catalog
from tests.support.small_metadata import DATABASE, NUMBERS, write_chunks, write_json

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import Column, Table
from skyshard.chunking import Chunker
from skyshard.chunking.sphere import ang_sep
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.match_rows import DOUBLED, _gap
from skyshard.ingest.sources.open_source import open_source
from skyshard.ingest.sources.qserv_layout import TableConfig, table_layout
from skyshard.rowimage.sqltype import parse_type

CHUNKER = Chunker(85, 12, 0.01667)


def stored(staging: Path, reports: list[SliceReport], table: str = "Match") -> list[dict[str, Any]]:
    """The rows that a table's bundles hold."""
    rows: list[dict[str, Any]] = []
    for report in reports:
        with pa.ipc.open_file(str(Bundle(staging, table, report.digest).path)) as file:
            rows += file.read_all().to_pylist()
    return rows


@pytest.mark.parametrize("by", ["key", "position"])
def test_rows_stand_where_their_sides_are(tmp_path: Path, by: str) -> None:
    """Both sides in one chunk: once, flag 3. In two: twice, flags 1 and 2. One side NULL: in the other's chunk."""
    reports = partition_all(open_source(write_catalog(tmp_path, by=by)), tmp_path / "s")["Match"]
    low, high = (int(CHUNKER.locate([10.0], [BORDER + d])[0][0]) for d in (-0.001, 0.001))
    assert low != high
    found = sorted((r["id1"] or 0, r["id2"] or 0, r["chunkId"], r["flag"]) for r in stored(tmp_path / "s", reports))
    assert found == sorted(
        [(1, 11, low, 3), (1, 12, low, 1), (1, 12, high, 2), (2, 12, high, 3), (0, 11, low, 2), (2, 0, high, 1)]
    )
    assert conversions_of(reports) == {DOUBLED: 1}
    assert sum(report.rows for report in reports) == 5


@pytest.mark.parametrize("by", ["key", "position"])
def test_row_without_sides_is_refused(tmp_path: Path, by: str) -> None:
    """Both sides NULL is no match; the row is named."""
    rows = {"id1": [1, None], "id2": [11, None], "dec1": [BORDER, None], "dec2": [BORDER, None],
            "ra1": [10.0, None], "ra2": [10.0, None]}  # fmt: skip
    with pytest.raises(UserError, match=r"Match.parquet', row 2: both sides are NULL in ref-match table 'Match'"):
        partition_all(open_source(write_catalog(tmp_path, by=by, **rows)), tmp_path / "s")


def test_pair_farther_apart_than_the_overlap_is_refused(tmp_path: Path) -> None:
    """A pair that no chunk could join is named with its separation."""
    rows: dict[str, Any] = {"id1": [1], "id2": [11], "dec1": [0.0], "dec2": [0.01668], "ra1": [10.0], "ra2": [10.0]}
    with pytest.raises(UserError, match=r"row 1: the two sides are 0.01668 deg apart, more than the 0.0166697 deg"):
        partition_all(open_source(write_catalog(tmp_path, by="position", **rows)), tmp_path / "s")
    rows["dec2"] = [0.01666]
    partition_all(open_source(write_catalog(tmp_path, by="position", **rows)), tmp_path / "t")


def test_keys_that_lead_to_distant_chunks_are_refused(tmp_path: Path) -> None:
    """Without positions, chunks that lie farther apart than the overlap show a pair that no chunk could join."""
    path = write_catalog(tmp_path)
    far = {"id": pa.array([11, 12]), "ra": pa.array([10.0, 14.9]), "dec": pa.array([BORDER - 0.001] * 2)}
    pq.write_table(pa.table(far), tmp_path / "RefObject.parquet")
    with pytest.raises(UserError, match=r"Match.parquet', row 2: the two sides are \d"):
        partition_all(open_source(path), tmp_path / "s")


@given(st.floats(0, 359.9), st.floats(-89.9, 89.9), st.floats(-1, 1), st.floats(-1, 1))
def test_gap_of_chunks_is_never_more_than_the_separation(ra: float, dec: float, east: float, north: float) -> None:
    """Two positions are at least as far apart as the outlines of their chunks are said to be."""
    other = ((ra + east) % 360.0 % 360.0, min(max(dec + north, -90.0), 90.0))
    one, two = (int(CHUNKER.locate([at[0]], [at[1]])[0][0]) for at in ((ra, dec), other))
    gap = _gap(CHUNKER.chunk_box(one), CHUNKER.chunk_box(two))
    assert gap <= float(ang_sep(ra, dec, *other)) + 1e-9


def test_keys_that_no_director_has_are_refused_or_counted(tmp_path: Path) -> None:
    """One unknown side is an orphan, kept in the other's chunk, once, so that it is no second copy (flag 2) of a row;
    two are refused; ``orphans: refuse`` refuses one."""
    rows: dict[str, Any] = {
        "id1": [1, 99],
        "id2": [98, 12],
        "dec1": [0.0] * 2,
        "dec2": [0.0] * 2,
        "ra1": [0.0] * 2,
        "ra2": [0.0] * 2,
    }
    path = write_catalog(tmp_path, **rows)
    reports = partition_all(open_source(path), tmp_path / "s")["Match"]
    assert sum(sum(report.orphans.values()) for report in reports) == 2
    assert [r["flag"] for r in stored(tmp_path / "s", reports)] == [1, 1]
    content = yaml.safe_load(path.read_text())
    content["tables"]["Match"]["orphans"] = "refuse"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="row 1: a key that its director has not"):
        partition_all(open_source(path), tmp_path / "t")
    rows["id2"] = [98, 97]
    with pytest.raises(UserError, match="row 2: keys that neither 'Object' nor 'RefObject' has"):
        partition_all(open_source(write_catalog(tmp_path, **rows)), tmp_path / "u")


def test_dependent_orphan_is_refused_where_the_layout_says(tmp_path: Path) -> None:
    """``orphans: refuse`` on a dependent names the first key that its director has not."""
    path = write_catalog(tmp_path)
    content = yaml.safe_load(path.read_text())
    content["tables"]["Match"] |= {"role": "dependent", "key2": "", "director2": "", "flag": "", "orphans": "refuse"}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"Match.parquet', row 4: 'id1' None is no key of director 'Object'"):
        partition_all(open_source(path), tmp_path / "s")


@settings(max_examples=drawn(10))
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_each_side_finds_its_row_once(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]) -> None:
    """In the chunk of each side there is exactly one row of the pair, whose flag has that side's bit."""
    folder = tmp_path_factory.mktemp("pairs")
    decs = [[BORDER + 0.001 * (pair[i] + 0.5) for pair in pairs] for i in (0, 1)]
    count = len(pairs)
    rows = {"id1": list(range(count)), "id2": list(range(count)), "dec1": decs[0], "dec2": decs[1],
            "ra1": [10.0] * count, "ra2": [10.0] * count}  # fmt: skip
    reports = partition_all(open_source(write_catalog(folder, by="position", **rows)), folder / "s", ["Match"])["Match"]
    found = stored(folder / "s", reports)
    for side in (0, 1):
        chunks = CHUNKER.locate(np.full(count, 10.0), np.array(decs[side]))[0].tolist()
        here = sorted((r["id1"], r["chunkId"]) for r in found if r["flag"] & (side + 1))
        assert here == sorted(zip(range(count), chunks, strict=True))


def test_qserv_json_describes_ref_match_tables() -> None:
    """``director_table2``, ``director_key2``, ``flag`` and ``ang_sep``, and the partitioner's older names."""
    columns = tuple(Column(name, parse_type("bigint")) for name in ("refId", "srcId", "flags", "r1", "d1", "r2", "d2"))
    ingest = {"is_partitioned": 1, "director_table": "RefObject", "director_key": "refid", "director_table2": "Source",
              "director_key2": "srcId", "flag": "flags", "ang_sep": 0.01667}  # fmt: skip
    layout = table_layout(Table("Match", columns), TableConfig("Match", ingest), "Match.json")
    assert (layout.role, layout.director, layout.key, layout.director2, layout.key2, layout.flag) == (
        Role.REF_MATCH, "RefObject", "refId", "Source", "srcId", "flags",
    )  # fmt: skip
    assert layout.ang_sep_deg == 0.01667
    older = {"dirTable1": "RefObject", "dirColName1": "refId", "dirTable2": "Source", "dirColName2": "srcId",
             "flagColName": "flags", "part": {"pos1": "r1, d1", "pos2": "r2, d2"}}  # fmt: skip
    config = TableConfig("Match", {"is_partitioned": 1}, older)
    layout = table_layout(Table("Match", columns), config, "Match.json")
    assert (layout.role, layout.position, layout.position2) == (Role.REF_MATCH, ("r1", "d1"), ("r2", "d2"))


def write_prechunked(folder: Path) -> Path:
    """Objects on either side of a border, and a match file a chunk, as Qserv's match partitioner writes them."""
    places = [(int(c), int(s)) for c, s in
              zip(*CHUNKER.locate([10.0, 10.0], [BORDER - 0.001, BORDER + 0.001]), strict=True)]  # fmt: skip
    for name, first in (("Object", 1), ("RefObject", 11)):
        rows = [(place[0], f"{first + i}\t10.0\t{BORDER + (-0.001, 0.001)[i]!r}\t{place[0]}\t{place[1]}")
                for i, place in enumerate(places)]  # fmt: skip
        write_chunks(folder / name, rows)
        write_json(folder, f"{name}.json", {
            "table": name, "is_partitioned": 1, "director_table": "", "director_key": "id", "longitude_key": "ra",
            "latitude_key": "dec", "schema": [*position("", "id"), *NUMBERS]})  # fmt: skip
    (low, low_sub), (high, high_sub) = places
    write_chunks(folder / "Match", [
        (low, f"1\t11\t3\t{low}\t{low_sub}"), (low, f"1\t12\t1\t{low}\t{low_sub}"),
        (high, f"1\t12\t2\t{high}\t{high_sub}"), (high, f"2\t\\N\t1\t{high}\t{high_sub}"),
    ])  # fmt: skip
    write_json(folder, "Match.json", {
        "table": "Match", "is_partitioned": 1, "director_table": "Object", "director_key": "id1",
        "director_table2": "RefObject", "director_key2": "id2", "flag": "flag",
        "schema": [{"name": "id1", "type": "bigint"}, {"name": "id2", "type": "bigint"},
                   {"name": "flag", "type": "tinyint"}, *NUMBERS]})  # fmt: skip
    chunks = [low, high]
    write_json(folder, "database.json", DATABASE)
    write_json(folder, "metadata.json", {"database": "database.json", "tables": [
        {"schema": f"{name}.json", "data": [{"directory": name, "chunks": chunks}]}
        for name in ("Match", "Object", "RefObject")]})  # fmt: skip
    return folder


def test_prechunked_rows_stand_twice_already(tmp_path: Path) -> None:
    """Files of a match partitioner are taken row by row; a row in a chunk of neither side is refused."""
    folder = write_prechunked(tmp_path / "m")
    reports = partition_all(open_source(folder), tmp_path / "s")["Match"]
    found = stored(tmp_path / "s", reports)
    assert sorted((r["id1"], r["flag"]) for r in found) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    path = next(path for path in (folder / "Match").iterdir() if "\\N" in path.read_text())
    path.write_text(path.read_text().replace("2\t\\N", "1\t11"))
    with pytest.raises(UserError, match=r"row 2: chunkId \d+, subChunkId \d+ where director 'Object' says chunk"):
        partition_all(open_source(folder), tmp_path / "t")
    metadata = json.loads((folder / "metadata.json").read_text())
    assert len(metadata["tables"]) == 3
