"""What decides a row's chunk is the position that is stored, whatever its column does to the input's digits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tests.support.partitioned import partition_all

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker
from skyshard.ingest.partition.routing import stored_positions
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.sources.open_source import open_source

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}


def write_sky(folder: Path, kind: str, rows: list[tuple[str, str]]) -> Path:
    """A mapping folder with one director whose position columns have the given type."""
    folder.mkdir()
    columns = [{"name": "id", "type": "bigint"}, {"name": "ra", "type": kind}, {"name": "decl", "type": kind}]
    table = {"files": ["o.csv"], "role": "director", "key": "id", "position": ["ra", "decl"], "declare": columns}
    content = {"version": 1, "database": "edges", "striping": STRIPING, "tables": {"Object": table}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
    lines = [f"{number},{ra},{dec}\n" for number, (ra, dec) in enumerate(rows)]
    (folder / "o.csv").write_text("id,ra,decl\n" + "".join(lines))
    return folder


def chunk_of(ra: float, dec: float) -> int:
    return int(Chunker(18, 4, 0.5).locate([ra], [dec])[0][0])


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("float", ("200.5", "19.9999999"), (200.5, 20.0)),  # the FLOAT nearest to it is 20
        ("float", ("359.999999", "-40.5"), (0.0, -40.5)),  # 360, which is longitude 0
        ("float", ("-0.00000000001", "5.5"), (360 - 1e-11, 5.5)),
        ("decimal(9,3)", ("200.5", "30.000"), (200.5, 30.0)),
        ("double(9,3)", ("200.5", "29.9996"), (200.5, 30.0)),
        ("decimal(14,9)", ("200.5", "30.000000000"), (200.5, 30.0)),  # 30000000000 x 1e-9 is below 30
        ("double", ("200.5", "19.9999999"), (200.5, 19.9999999)),
    ],
)
def test_row_goes_to_the_chunk_of_its_stored_position(
    tmp_path: Path, kind: str, given: tuple[str, str], stored: tuple[float, float]
) -> None:
    """Rounding over the edge of a chunk, or over 360 degrees, takes the row along."""
    (report,) = partition_all(open_source(write_sky(tmp_path / "sky", kind, [given])), tmp_path / "s")["Object"]
    assert [segment.chunk for segment in report.segments if not segment.is_overlap] == [chunk_of(*stored)]


def test_overlap_follows_the_stored_position(tmp_path: Path) -> None:
    """A row that rounding puts on the edge of a sub-chunk is copied to the neighbours that see it there."""
    source = open_source(write_sky(tmp_path / "sky", "float", [("359.999999", "0.1")]))
    (report,) = partition_all(source, tmp_path / "s")["Object"]
    copies = Chunker(18, 4, 0.5).overlap_copies([0.0], [float(np.float32(0.1))])
    found = Counter({s.chunk: s.rows for s in report.segments if s.is_overlap})
    assert found == Counter(copies.chunk_ids.tolist())


def test_decimals_become_the_nearest_doubles() -> None:
    """As strtod reads them, which is what the server does; NULL is NaN."""
    texts = ["10.0000001", "0.1", "123.4567890123456", "-89.9999999999999", None]
    values = pa.array(texts).cast(pa.decimal128(20, 13))
    ra, _ = stored_positions(pa.RecordBatch.from_arrays([values, values], names=["a", "b"]), ("a", "b"))
    assert ra[:4].tolist() == [float(text) for text in texts if text]
    assert np.isnan(ra[4])


def test_text_is_no_position(tmp_path: Path) -> None:
    """Refused before anything is read, by table and column."""
    source = open_source(write_sky(tmp_path / "sky", "varchar(12)", [("1.5", "2.5")]))
    with pytest.raises(UserError, match=r"table 'Object' has position column 'ra' of type varchar\(12\)"):
        make_plan(source)
